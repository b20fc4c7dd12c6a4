"""The pixels that every unit depends on along one axis: exact at borders, in any graph."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from convscope.arithmetic.sizes import effective_kernel
from convscope.errors import RequestError


@dataclass(frozen=True)
class Support:
    """For each unit along one axis, the range of image pixels on which its value depends.

    `support[i]` is (start, stop), from the first pixel that unit i depends on to the one after the
    last, or None if there is none, because the unit reads padding only. Every method returns the
    support of another layer; none changes this one. Dilation or stride may skip pixels between
    start and stop.

    The axes are independent, so the box of a unit is the support of its row times that of its
    column. The one exception: a unit with an empty support along one axis depends on no pixel at
    all, and its other axis has no effect where branches meet.

    Attributes:
        pixels: the length of the image.
        starts: the first pixel of each unit; `pixels` if it has none.
        stops: the pixel after the last of each unit; 0 if it has none.

    So an empty support is neutral in the minimum of `starts` and in the maximum of `stops`, which
    is all that the methods compute.
    """

    pixels: int
    starts: tuple[int, ...]
    stops: tuple[int, ...]

    @classmethod
    def image(cls, pixels: int) -> "Support":
        """Return the support of the image itself: unit i is pixel i."""
        return cls(pixels, tuple(range(pixels)), tuple(range(1, pixels + 1)))

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, unit: int) -> tuple[int, int] | None:
        start, stop = self.starts[unit], self.stops[unit]
        return (start, stop) if start < stop else None

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
        """Apply a convolution or pooling. Taps on padding read nothing.

        `output` is the number of windows if it differs from the rounded-down one; the last window
        may then extend beyond the padding.

            >>> image = Support.image(6)
            >>> conv = image.window(3, stride=2, padding_before=1, padding_after=1)
            >>> conv[0], conv[2], len(conv)
            ((0, 2), (3, 6), 3)
        """
        span = effective_kernel(kernel, dilation=dilation)
        windows = (
            (len(self) + padding_before + padding_after - span) // stride + 1
            if output is None
            else output
        )
        needed = (windows - 1) * stride + span
        padded = self.pad(padding_before, needed - padding_before - len(self))
        return Support(
            self.pixels,
            _slide(padded.starts, min, kernel, dilation)[::stride],
            _slide(padded.stops, max, kernel, dilation)[::stride],
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
        """Apply a transposed convolution, with torch's arguments.

        It is a convolution at stride 1 on the units at a distance of `stride`, with empty cells in
        between.
        """
        length = (len(self) - 1) * stride + 1
        spread = self.take(-1 if cell % stride else cell // stride for cell in range(length))
        margin = effective_kernel(kernel, dilation=dilation) - 1 - padding
        return spread.pad(margin, margin + output_padding).window(kernel, dilation=dilation)

    def adaptive(self, output: int) -> "Support":
        """Apply adaptive pooling: unit i reads floor(i·n/output) up to ceil((i + 1)·n/output)."""
        count = len(self)
        cuts = [
            slice(unit * count // output, -(-(unit + 1) * count // output))
            for unit in range(output)
        ]
        return Support(
            self.pixels,
            tuple(min(self.starts[cut], default=self.pixels) for cut in cuts),
            tuple(max(self.stops[cut], default=0) for cut in cuts),
        )

    def all(self) -> "Support":
        """Apply global pooling or a dense layer: one unit that depends on all pixels of these."""
        return self.adaptive(1)

    def union(self, other: "Support") -> "Support":
        """Combine two branches elementwise; a single unit is broadcast.

        Raises RequestError for lengths that cannot be combined.
        """
        self._check_image(other)
        count = max(len(self), len(other))
        if {len(self), len(other)} - {1, count}:
            raise RequestError(
                f"Branches of {len(self)} and {len(other)} units cannot be combined elementwise."
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
        """Concatenate with the units of others along this axis."""
        firsts, ends = list(self.starts), list(self.stops)
        for other in others:
            self._check_image(other)
            firsts += other.starts
            ends += other.stops
        return Support(self.pixels, tuple(firsts), tuple(ends))

    def take(self, indices: Iterable[int]) -> "Support":
        """Select units: unit k is this one's unit indices[k], or empty if there is no such unit.

        It expresses a flip, a roll, and reflection padding. An index below 0 is outside; it does
        not count from the end.
        """
        count, chosen = len(self), list(indices)
        return Support(
            self.pixels,
            tuple(self.starts[index] if 0 <= index < count else self.pixels for index in chosen),
            tuple(self.stops[index] if 0 <= index < count else 0 for index in chosen),
        )

    def slice(
        self, start: int | None = None, stop: int | None = None, step: int | None = None
    ) -> "Support":
        """Select the units of a Python slice."""
        return self.take(range(len(self))[start:stop:step])

    def pad(self, before: int, after: int) -> "Support":
        """Add empty units before and after; a negative number removes units."""
        return self.take(range(-before, len(self) + after))

    def repeat(self, factor: int) -> "Support":
        """Apply nearest upsampling by an integer factor: every unit `factor` times in a row."""
        return self.take(unit // factor for unit in range(len(self) * factor))

    def _check_image(self, other: "Support") -> None:
        if self.pixels != other.pixels:
            raise RequestError(
                f"Branches from images of {self.pixels} and {other.pixels} pixels cannot be "
                "combined."
            )


def _slide(
    values: tuple[int, ...], choose: Callable[[int, int], int], kernel: int, dilation: int
) -> tuple[int, ...]:
    """Reduce `kernel` values at a distance of `dilation`, for every start that has all of them.

    Doubling the number of taps takes log2(kernel) passes.
    """
    chosen, taps = values, 1
    while taps < kernel:
        more = min(taps, kernel - taps)
        chosen = tuple(map(choose, chosen, chosen[more * dilation :]))
        taps += more
    return chosen
