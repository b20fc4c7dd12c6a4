"""The pixels that every unit really sees along one axis: exact at borders, in every graph."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from convscope.errors import RequestError
from convscope.geometry.sizes import effective_kernel


@dataclass(frozen=True)
class Support:
    """For each unit along one axis, the range of image pixels on which its value depends.

    `support[i]` is (first, end), from the first pixel that unit i sees to the one after the last,
    or None where it sees none, because all it reads is padding. Every method gives the support of
    another layer; none changes this one. Between first and end there may be pixels that dilation or
    stride leave out.

    Two axes are independent, so the box of a unit is the support of its row by that of its column.
    The one exception: a unit that sees nothing along one axis sees nothing at all, and its other
    axis counts for nothing where branches meet.

    Attributes:
        pixels: the length of the image.
        firsts: the first pixel of each unit; `pixels` where it sees none.
        ends: the pixel after the last of each unit; 0 where it sees none.

    So a unit that sees nothing is neutral in the minimum of `firsts` and in the maximum of `ends`,
    which is all that the methods do.
    """

    pixels: int
    starts: tuple[int, ...]
    stops: tuple[int, ...]

    @classmethod
    def image(cls, pixels: int) -> "Support":
        """The image itself: unit i is pixel i."""
        return cls(pixels, tuple(range(pixels)), tuple(range(1, pixels + 1)))

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, unit: int) -> tuple[int, int] | None:
        first, end = self.starts[unit], self.stops[unit]
        return (first, end) if first < end else None

    def window(
        self,
        kernel: int,
        *,
        stride: int = 1,
        padding_before: int = 0,
        padding_after: int = 0,
        dilation: int = 1,
        output: int | None = None,
    ) -> "Support":
        """Behind a convolution or pooling. Taps that fall into the padding see nothing.

        `output` is the number of windows where it is not the rounded-down one; a last window may
        then reach beyond the padding.

            >>> image = Support.image(6)
            >>> conv = image.window(3, stride=2, before=1, after=1)
            >>> conv[0], conv[2], len(conv)
            ((0, 2), (3, 6), 3)
        """
        wide = effective_kernel(kernel, dilation=dilation)
        windows = (
            (len(self) + padding_before + padding_after - wide) // stride + 1
            if output is None
            else output
        )
        needed = (windows - 1) * stride + wide
        under = self.pad(padding_before, needed - padding_before - len(self))
        return Support(
            self.pixels,
            _slide(under.starts, min, kernel, dilation)[::stride],
            _slide(under.stops, max, kernel, dilation)[::stride],
        )

    def transposed(
        self,
        kernel: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        output_padding: int = 0,
    ) -> "Support":
        """Behind a transposed convolution, with the arguments of torch's.

        It is a convolution at stride 1 over the units set `stride` apart, empty cells between them.
        """
        apart = (len(self) - 1) * stride + 1
        spread = self.take(-1 if cell % stride else cell // stride for cell in range(apart))
        around = effective_kernel(kernel, dilation=dilation) - 1 - padding
        return spread.pad(around, around + output_padding).window(kernel, dilation=dilation)

    def adaptive(self, output: int) -> "Support":
        """Behind adaptive pooling: unit i reads floor(i·n/output) up to ceil((i + 1)·n/output)."""
        count = len(self)
        cuts = [
            slice(unit * count // output, -(-(unit + 1) * count // output))
            for unit in range(output)
        ]
        return Support(
            self.pixels,
            tuple(min(self.starts[cut]) for cut in cuts),
            tuple(max(self.stops[cut]) for cut in cuts),
        )

    def all(self) -> "Support":
        """Behind global pooling or a dense layer: one unit that sees what any unit here sees."""
        return self.adaptive(1)

    def union(self, other: "Support") -> "Support":
        """Where two branches meet element by element; a single unit meets every unit of the other.

        Raises RequestError for lengths that cannot meet.
        """
        self._check_image(other)
        count = max(len(self), len(other))
        if {len(self), len(other)} - {1, count}:
            raise RequestError(
                f"Branches of {len(self)} and {len(other)} units cannot meet element by element."
            )
        one, two = (
            branch.take([0] * count) if len(branch) == 1 else branch for branch in (self, other)
        )
        return Support(
            self.pixels,
            tuple(map(min, one.starts, two.starts)),
            tuple(map(max, one.stops, two.stops)),
        )

    def cat(self, others: Iterable["Support"]) -> "Support":
        """The units of this one, then those of the others, along this same axis."""
        firsts, ends = list(self.starts), list(self.stops)
        for other in others:
            self._check_image(other)
            firsts += other.starts
            ends += other.stops
        return Support(self.pixels, tuple(firsts), tuple(ends))

    def take(self, indices: Iterable[int]) -> "Support":
        """Copies: unit k is this one's unit indices[k], or sees nothing where there is none such.

        With it one spells a flip, a roll, and padding by reflection. An index below 0 is outside;
        it does not count from the end.
        """
        count, kept = len(self), list(indices)
        return Support(
            self.pixels,
            tuple(self.starts[index] if 0 <= index < count else self.pixels for index in kept),
            tuple(self.stops[index] if 0 <= index < count else 0 for index in kept),
        )

    def slice(
        self, start: int | None = None, stop: int | None = None, step: int | None = None
    ) -> "Support":
        """The units start, start + step ... below stop, with the meaning of a Python slice."""
        return self.take(range(len(self))[start:stop:step])

    def pad(self, before: int, after: int) -> "Support":
        """With units that see nothing before and after; a negative number cuts units off."""
        return self.take(range(-before, len(self) + after))

    def repeat(self, factor: int) -> "Support":
        """Behind nearest upsampling by a whole factor: every unit `factor` times in a row."""
        return self.take(unit // factor for unit in range(len(self) * factor))

    def _check_image(self, other: "Support") -> None:
        if self.pixels != other.pixels:
            raise RequestError(
                f"Branches from images of {self.pixels} and {other.pixels} pixels cannot meet."
            )


def _slide(
    values: tuple[int, ...], choose: Callable[[int, int], int], kernel: int, dilation: int
) -> tuple[int, ...]:
    """Choose from values[i], values[i + dilation] ... `kernel` of them, for every i that has all.

    Doubling the number of taps chosen from takes log2(kernel) passes.
    """
    chosen, taps = values, 1
    while taps < kernel:
        more = min(taps, kernel - taps)
        chosen = tuple(map(choose, chosen, chosen[more * dilation :]))
        taps += more
    return chosen
