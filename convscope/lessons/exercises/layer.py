"""A convolution in the words of a question, and the common mistakes in its arithmetic."""

import math
from dataclasses import dataclass, replace

from convscope.arithmetic import Axis, Cost, Derivation, Volume, convolution, sliding
from convscope.arithmetic import derive_convolution as work_out
from convscope.lessons.exercises.answer import Answer, integer, size_of, volume_of
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.task import CommonMistake
from convscope.lessons.exercises.words import several, sides, tidied, volume

SIZE_HINT = (
    "Along each axis a window has (N − F + 2P)/S + 1 positions, rounded down: N is the size "
    "of the input, F of the window, P the padding on each side, S the stride."
)
DILATED_HINT = " With dilation D a window of F spans D·(F − 1) + 1 cells."
PARAMETER_HINT = (
    "K filters have K·(F·F·C + 1) parameters: F is the size of a filter, C the number of maps that "
    "it sees, and the 1 is its bias."
)


@dataclass(frozen=True, kw_only=True)
class Layer:
    """The hyperparameters of a convolution; `kernel` is (height, width)."""

    channels: int
    height: int
    width: int
    filters: int
    kernel: tuple[int, int]
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1

    @property
    def input(self) -> Volume:
        return Volume(self.channels, self.height, self.width)

    @property
    def axes(self) -> tuple[Axis, Axis]:
        return sliding(
            self.input,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
        )

    @property
    def cost(self) -> Cost:
        return convolution(
            self.input,
            self.filters,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the maps."""
        vertical, horizontal = self.axes
        return vertical.output, horizontal.output

    @property
    def made(self) -> Answer:
        return volume_of(self.filters, *self.size)

    @property
    def hint(self) -> str:
        return SIZE_HINT + (DILATED_HINT if self.dilation > 1 else "")

    def worked(self, *wanted: str) -> Derivation:
        """Return the named rows of the solution that `convscope geometry` prints."""
        derivation = work_out(self.input, self.axes, self.cost, groups=self.groups)
        rows: list[tuple[str, str, str]] = []
        name = ""
        for row in tidied(derivation).rows:
            if row[0] and name == "output" and name in wanted:
                rows.append(("maps", str(self.filters), "one for each filter"))
            name = row[0] or name
            if name in wanted:
                rows.append((row[0], self.made.text if row[0] == "output" else row[1], row[2]))
        remarks = tidied(derivation).remarks if "output" in wanted else ()
        return Derivation(tuple(rows), remarks)

    @property
    def image(self) -> str:
        """The input: an image, or maps."""
        text = volume(self.channels, self.height, self.width)
        apart = "" if self.height == self.width else " (maps@height×width)"
        if self.channels == 1:
            text, apart = sides(self.height, self.width), apart.replace("maps@", "")
            return f"A gray image of {text}{apart}"
        what = "A color image" if self.channels == 3 else "A volume"
        return f"{what} of {text}{apart}"

    @property
    def window(self) -> str:
        """`3×3, stride 2, padding 1 on every side`; dilation is explained."""
        parts = [sides(*self.kernel), f"stride {self.stride}"]
        parts.append(f"padding {self.padding} on every side" if self.padding else "no padding")
        if self.dilation > 1:
            parts.append(f"dilation {self.dilation} (cells {self.dilation} apart are read)")
        return ", ".join(parts)

    @property
    def grouped(self) -> str:
        """A sentence that explains the groups; empty if there are none."""
        if self.groups == 1:
            return ""
        text = several(self.channels // self.groups, "map")
        return f" The filters are in {self.groups} groups, so each sees only {text}."


def draw(rng: SeededRandom, level: int, *, channels: tuple[int, ...] = (1, 3)) -> Layer:
    """Draw a layer; the level adds stride, padding, rectangular images, dilation and groups."""
    filters = rng.pick((4, 6, 8, 10, 12, 16)) if level < 3 else 4 * rng.between(2, 24)
    while True:
        height = rng.between(6, 32) if level < 2 else rng.between(8, 64 * level)
        width = height if level < 3 else rng.between(8, 64 * level)
        kernel_height = rng.pick((2, 3, 5) if level < 2 else (1, 3, 4, 5, 7, 9))
        kernel_width = kernel_height if level < 4 or rng.between(0, 1) else rng.pick((1, 3, 5, 7))
        layer = Layer(
            channels=rng.pick(channels if level < 3 else (*channels, 4, 16, 32)),
            height=height,
            width=width,
            filters=filters,
            kernel=(kernel_height, kernel_width),
            stride=1 if level < 2 else rng.between(1, min(kernel_height + 1, level + 1)),
            padding=0 if level < 2 else rng.between(0, max(kernel_height, kernel_width) // 2),
            dilation=2
            if level > 3 and min(kernel_height, kernel_width) > 1 and rng.between(0, 2) == 0
            else 1,
        )
        if level > 3 and rng.between(0, 1):
            groups = math.gcd(layer.channels, filters)
            layer = replace(layer, groups=rng.pick((1, 2, groups)) if groups % 2 == 0 else 1)
        if all(_fits(axis) for axis in layer.axes):
            return layer


def _fits(axis: Axis) -> bool:
    return (
        axis.size > axis.effective_kernel
        and axis.size - axis.effective_kernel + 2 * axis.padding_pair[0] >= axis.stride
    )


def size_mistakes(layer: Layer) -> list[tuple[tuple[int, int], str]]:
    """Return sizes (height, width) that mistakes lead to; some may be correct by chance."""
    height, width = layer.size
    found = [
        ((height - 1, width - 1), "the + 1 is forgotten"),
        (_rounded_up(layer), "the quotient is rounded up instead of down"),
        (_rounded(layer), "the quotient is rounded to the nearest number instead of down"),
        ((width, height), "height and width are swapped"),
        ((layer.height, layer.width), "the size of the input is given"),
    ]
    for changed, text in (
        (replace(layer, padding=0), "the padding is forgotten"),
        (replace(layer, stride=1), "the stride is forgotten"),
        (replace(layer, dilation=1), "the dilation is forgotten"),
    ):
        spans = all(
            axis.size + sum(axis.padding_pair) >= axis.effective_kernel for axis in changed.axes
        )
        found += [(changed.size, text)] if spans else []
    once = [
        (axis.size + layer.padding - axis.effective_kernel) // axis.stride + 1
        for axis in layer.axes
    ]
    found.append(((once[0], once[1]), "the padding is counted on one side only"))
    bare = [(axis.size + sum(axis.padding_pair)) // axis.stride + 1 for axis in layer.axes]
    found.append(((bare[0], bare[1]), "the window's size is not subtracted"))
    return [(pair, text) for pair, text in found if min(pair) > 0]


def _quotients(layer: Layer) -> list[tuple[int, int]]:
    """Return the dividend and the divisor of the formula, along each axis."""
    return [
        (axis.size - axis.effective_kernel + sum(axis.padding_pair), axis.stride)
        for axis in layer.axes
    ]


def _rounded_up(layer: Layer) -> tuple[int, int]:
    height, width = (-(-above // below) + 1 for above, below in _quotients(layer))
    return height, width


def _rounded(layer: Layer) -> tuple[int, int]:
    height, width = ((2 * above + below) // (2 * below) + 1 for above, below in _quotients(layer))
    return height, width


def map_mistakes(layer: Layer) -> list[CommonMistake]:
    """Return the sizes of maps that mistakes lead to."""
    return [(size_of(*pair), text) for pair, text in size_mistakes(layer)]


def volume_mistakes(layer: Layer) -> list[CommonMistake]:
    """Return the volumes that mistakes lead to."""
    height, width = layer.size
    found: list[CommonMistake] = [
        (volume_of(layer.filters, *pair), text) for pair, text in size_mistakes(layer)
    ]
    channels, filters = layer.channels, layer.filters
    taken = "the number of input maps is used instead of the number of filters"
    each = "a map is counted for each pair of a filter and an input map"
    found += [
        (volume_of(channels, height, width), taken),
        (volume_of(channels * filters, height, width), each),
        (volume_of(1, height, width), "only one map is counted"),
    ]
    if channels != filters and min(height, width) > 1:
        short = volume_of(channels, height - 1, width - 1)
        found.append((short, f"the + 1 is forgotten and {taken}"))
    return found


def parameter_mistakes(layer: Layer) -> list[CommonMistake]:
    """Return the numbers of parameters that mistakes lead to."""
    area, filters = math.prod(layer.kernel), layer.filters
    sees = layer.channels // layer.groups
    height, width = layer.size
    right = layer.cost.parameters
    return [
        (integer(filters * area * sees), "the biases are forgotten"),
        (integer(filters * area * sees + 1), "one bias is counted for the whole layer"),
        (integer(filters * (area + 1)), "the input maps are forgotten in the filters"),
        (integer(filters * area), "the input maps and the biases are forgotten"),
        (integer(filters * sees * (area + 1)), "a bias is counted for each slice of a filter"),
        (integer(area * sees + 1), "only one filter is counted"),
        (
            integer(filters * (area * layer.channels + 1)),
            "the groups are forgotten: a filter reads only the maps of its group",
        ),
        (
            integer(height * width * right),
            "the weights are counted once per position, although all positions share them",
        ),
        (
            integer(filters * (sum(layer.kernel) * sees + 1)),
            "the filter's height and width are added instead of multiplied",
        ),
    ]
