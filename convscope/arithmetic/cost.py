"""Output and cost of a layer: volume, parameters, connections, multiply-adds, bytes."""

import math
from dataclasses import dataclass
from typing import Literal

from convscope.arithmetic.axis import Axis
from convscope.arithmetic.sizes import Padding
from convscope.errors import RequestError

_FLOAT32_BYTES = 4

MapPadding = int | Literal["same", "valid"] | tuple[Padding, Padding]
"""Padding of a map: one value for both axes, or (vertical, horizontal), each of which may be a pair
(before, after)."""


@dataclass(frozen=True)
class Volume:
    """The shape of an image or of a layer's maps; printed as height x width x channels.

    Raises RequestError for a side below 1.
    """

    channels: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if min(self.channels, self.height, self.width) < 1:
            raise RequestError(f"A volume of {self} is impossible: every side must be 1 or more.")

    def __str__(self) -> str:
        return f"{self.height}x{self.width}x{self.channels}"

    @property
    def units(self) -> int:
        return self.channels * self.height * self.width


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Output and cost of a layer, in the conventions of `convscope.arithmetic`.

    Attributes:
        output: the output volume.
        weights: number of trainable factors of inputs.
        biases: number of trainable summands.
        connections: links of all output units to their operands and biases.
        multiply_adds: products that are summed for all output units.
    """

    output: Volume
    weights: int
    biases: int
    connections: int
    multiply_adds: int

    @property
    def parameters(self) -> int:
        return self.weights + self.biases

    @property
    def output_bytes(self) -> int:
        """Memory of the output volume in float32."""
        return _FLOAT32_BYTES * self.output.units

    @property
    def parameter_bytes(self) -> int:
        """Memory of the parameters in float32."""
        return _FLOAT32_BYTES * self.parameters


def convolution(
    volume: Volume,
    filters: int,
    kernel: int | tuple[int, int],
    *,
    stride: int | tuple[int, int] = 1,
    padding: MapPadding = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    links: int | None = None,
    bias: bool = True,
) -> Cost:
    """Compute the cost of a convolution: K·(F·F·C/G + 1) parameters, whatever the map size.

    K is the number of filters, F the kernel size, C the number of input channels, G of groups; the
    1 is the bias. For a table of chosen connections, as in C3 of LeNet-5, `links` is the number of
    connected pairs of an input map and a filter; it defaults to all K·C/G pairs.

    Raises RequestError for a kernel that does not fit, for groups that do not divide channels and
    filters, and for more links than pairs.

        >>> convolution(Volume(3, 64, 64), 10, 5, padding=2).parameters
        760
    """
    pairs = _pairs(volume, filters, groups)
    axes = sliding(volume, kernel, stride=stride, padding=padding, dilation=dilation)
    output = Volume(filters, axes[0].output, axes[1].output)
    links = pairs if links is None else links
    if not 1 <= links <= pairs:
        raise RequestError(f"{links} links are impossible: there are {pairs} pairs.")
    weights = links * math.prod(_pair(kernel))
    biases = filters if bias else 0
    positions = output.height * output.width
    return Cost(
        output=output,
        weights=weights,
        biases=biases,
        connections=positions * (weights + biases),
        multiply_adds=positions * weights,
    )


def locally_connected(
    volume: Volume,
    filters: int,
    kernel: int | tuple[int, int],
    *,
    stride: int | tuple[int, int] = 1,
    padding: MapPadding = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
    bias: bool = True,
) -> Cost:
    """Compute the cost of a convolution without weight sharing: every unit has its own filter.

    With K filters of kernel size F on C channels in G groups, and maps of H·W units, it has
    H·W·K·(F·F·C/G + 1) parameters, one per connection.

    Raises RequestError as `convolution` does.

        >>> locally_connected(Volume(3, 32, 32), 10, 3).parameters
        252000
    """
    shared = convolution(
        volume,
        filters,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
    )
    return Cost(
        output=shared.output,
        weights=shared.multiply_adds,
        biases=shared.connections - shared.multiply_adds,
        connections=shared.connections,
        multiply_adds=shared.multiply_adds,
    )


def dense(volume: Volume, units: int, *, bias: bool = True) -> Cost:
    """Compute the cost of a fully connected layer: K·(N + 1) parameters for N inputs, K units.

    >>> dense(Volume(3, 32, 32), 10).parameters
    30730
    """
    weights, biases = units * volume.units, units if bias else 0
    return Cost(
        output=Volume(units, 1, 1),
        weights=weights,
        biases=biases,
        connections=weights + biases,
        multiply_adds=weights,
    )


def pooling(
    volume: Volume,
    kernel: int | tuple[int, int],
    *,
    stride: int | tuple[int, int] | None = None,
    padding: MapPadding = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    trainable: bool = False,
) -> Cost:
    """Compute the cost of pooling; the stride defaults to the kernel size.

    A unit of F·F cells has F·F connections and no parameters. `trainable` is LeNet-5's subsampling:
    the sum of the window times one weight per map, plus one bias per map, so that a unit has
    F·F + 1 connections and one multiply-add.

    Raises RequestError for a kernel that does not fit and, like torch, for a padding of more than
    half of it.

        >>> pooling(Volume(6, 28, 28), 2, trainable=True).connections
        5880
    """
    step = kernel if stride is None else stride
    axes = sliding(
        volume, kernel, stride=step, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    )
    _check_padding(axes)
    output = Volume(volume.channels, axes[0].output, axes[1].output)
    trained = volume.channels if trainable else 0
    return Cost(
        output=output,
        weights=trained,
        biases=trained,
        connections=output.units * (math.prod(_pair(kernel)) + (1 if trainable else 0)),
        multiply_adds=output.units if trainable else 0,
    )


def sliding(
    volume: Volume,
    kernel: int | tuple[int, int],
    *,
    stride: int | tuple[int, int] = 1,
    padding: MapPadding = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
) -> tuple[Axis, Axis]:
    """Return the vertical and the horizontal axis of a sliding window."""
    paddings = padding if isinstance(padding, tuple) else (padding, padding)
    sides = (volume.height, volume.width)
    arguments = zip(sides, _pair(kernel), _pair(stride), paddings, _pair(dilation), strict=True)
    vertical, horizontal = (Axis(*axis, ceil_mode) for axis in arguments)
    return vertical, horizontal


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _pairs(volume: Volume, filters: int, groups: int) -> int:
    """Count the pairs of an input map and a filter that reads it."""
    for number, name in ((filters, "filters"), (groups, "groups")):
        if number < 1:
            raise RequestError(f"The number of {name} is {number}; it must be 1 or more.")
    if volume.channels % groups or filters % groups:
        raise RequestError(
            f"{groups} groups do not divide {volume.channels} channels and {filters} filters. "
            f"Choose a number that divides both; {math.gcd(volume.channels, filters)} does."
        )
    return filters * volume.channels // groups


def _check_padding(axes: tuple[Axis, Axis]) -> None:
    for axis in axes:
        padding = max(axis.padding_pair)
        if padding > axis.kernel // 2:
            raise RequestError(
                f"A padding of {padding} is more than half of the kernel of {axis.kernel}: a "
                f"window could cover padding only. Pad by at most {axis.kernel // 2}."
            )
