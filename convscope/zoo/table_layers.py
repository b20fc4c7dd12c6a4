"""From the rows of a layer table to a network, each row checked before it takes any memory."""

import re
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from torch import nn

from convscope.errors import RequestError
from convscope.geometry import (
    Cost,
    Volume,
    convolution,
    dense,
    effective_kernel,
    locally_connected,
    padding_pair,
    pooling,
)
from convscope.layers import (
    LocallyConnected2d,
    LocalResponseNorm,
    MinPool2d,
    ScaledTanh,
    Subsampling2d,
)
from convscope.zoo.initialize import glorot, he
from convscope.zoo.table_file import Activation, Pair, Row, Table, told_at

_ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "scaled-tanh": ScaledTanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "leaky-relu": nn.LeakyReLU,
}
_RECTIFIERS = ("relu", "gelu", "silu", "leaky-relu")
_MOST = 4_000_000_000  # bytes of all weights, and of one layer's maps: a thousand million numbers


def build_table(
    table: Table,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    input_size: tuple[int, int] | None = None,
) -> nn.Sequential:
    """Build a table's network: images (n, in_channels, height, width) -> logits (n, num_classes).

    Layers are named as in the file; `conv1_relu` is the activation of conv1, and `flatten` comes
    before the first dense layer. `num_classes` defaults to 10, `in_channels` and `input_size` to
    the file's. Weights are initialized after He et al. where a rectifier follows, after Glorot &
    Bengio elsewhere, with zero biases; locally connected filters like PyTorch's convolutions.

    Raises RequestError, naming file, row and layer, and a remedy, where a row cannot follow those
    above it, or the network would take more than 4,000 MB.
    """
    in_channels = table.in_channels if in_channels is None else in_channels
    size = table.input_size if input_size is None else input_size
    if in_channels is None or size is None:
        raise RequestError(
            f"{table.path} does not say what its input is. Add a line such as "
            'input = "3x32x32" (channels x height x width), or say channels and size beside it.'
        )
    with told_at(table.path):
        network = _Network(Volume(in_channels, *size), 10 if num_classes is None else num_classes)
    for row in table.rows:
        with told_at(row.place):
            network.add(row)
    last = table.rows[-1]
    with told_at(last.place):
        return network.finished(last, checked=num_classes is not None)


class _Network:
    """A network as it grows: its layers, and the volume that the last of them gives."""

    def __init__(self, volume: Volume, classes: int) -> None:
        self.layers: OrderedDict[str, nn.Module] = OrderedDict()
        self.volume = volume
        self.classes = classes
        self.weights = 0  # in bytes
        self.shrunk: list[tuple[Row, Volume]] = []  # rows with a stride, and what each was given
        self.flattened_by: str | None = None
        _afford("the input has", 4 * volume.units)

    def add(self, row: Row) -> None:
        match row.kind:
            case "fc" | "dense":
                self._dense(row)
            case "flatten":
                self._flatten(row)
            case "dropout":
                self._put(row.name, nn.Dropout(row.rate))
            case "bn":
                norm = nn.BatchNorm1d if self.flattened_by else nn.BatchNorm2d
                self._put(row.name, norm(self.volume.channels))
            case _ if self.flattened_by:
                raise RequestError(
                    f"it needs maps, and {self.flattened_by} made a vector of them. Put it before "
                    "the dense layers."
                )
            case "conv" | "local":
                self._convolution(row)
            case "lrn":
                self._normalization(row)
            case _:
                self._pooling(row)
        if row.activation != "none":
            name = f"{row.name}_{row.activation.replace('-', '_')}"
            self._put(name, _ACTIVATIONS[row.activation]())

    def finished(self, last: Row, *, checked: bool) -> nn.Sequential:
        """The network, if it ends with a number per class."""
        if not self.flattened_by:
            if (self.volume.height, self.volume.width) != (1, 1):
                raise RequestError(
                    f"the network ends with maps of {_sides(self.volume)}. Let an fc row or a "
                    "globalpool row follow."
                )
            self._flatten(last)
        if checked and self.volume.channels != self.classes:
            raise RequestError(
                f"the network ends with {self.volume.channels} units, and there are {self.classes} "
                "classes. Write classes under filters of its last layer."
            )
        return nn.Sequential(self.layers)

    def _put(self, name: str, layer: nn.Module) -> None:
        if name in self.layers:
            raise RequestError(f"there is a layer {name} already; choose another name.")
        self.layers[name] = layer

    def _flatten(self, row: Row) -> None:
        self._put(row.name if row.kind == "flatten" else "flatten", nn.Flatten())
        self.volume = Volume(self.volume.units, 1, 1)
        self.flattened_by = f"row {row.number} ({row.name})"

    def _filters(self, row: Row) -> int:
        return row.filters if isinstance(row.filters, int) else self.classes

    def _take(self, cost: Cost) -> None:
        """Go on to the volume that a layer gives, unless no memory can be meant to hold it."""
        self.weights += cost.parameter_bytes
        _afford("the weights so far have", self.weights)
        _afford("its maps have", cost.output_bytes)
        self.volume = cost.output

    def _dense(self, row: Row) -> None:
        if not self.flattened_by:
            self._flatten(row)
        inputs = self.volume.channels
        self._take(dense(self.volume, self._filters(row)))
        layer = nn.Linear(inputs, self.volume.channels)
        _begin(layer, row)
        self._put(row.name, layer)

    def _convolution(self, row: Row) -> None:
        given, kernel, stride = self.volume, row.size or (1, 1), row.stride or (1, 1)
        (top, bottom), (left, right) = around = self._window(row, kernel, stride)
        padding = (top, left)
        if around != ((top, top), (left, left)):  # more on one side than torch's layers can say
            self._put(f"{row.name}_pad", nn.ZeroPad2d((left, right, top, bottom)))
            sides = (given.height + top + bottom, given.width + left + right)
            given, padding = Volume(given.channels, *sides), (0, 0)
        count = convolution if row.kind == "conv" else locally_connected
        self._take(
            count(
                given,
                self._filters(row),
                kernel,
                stride=stride,
                padding=padding,
                dilation=row.dilation,
                groups=row.groups,
            )
        )
        maps, filters = given.channels, self.volume.channels
        layer = (
            nn.Conv2d(maps, filters, kernel, stride, padding, row.dilation, row.groups)
            if row.kind == "conv"
            else LocallyConnected2d(
                maps,
                filters,
                (given.height, given.width),
                kernel,
                stride=stride,
                padding=padding,
                dilation=row.dilation,
                groups=row.groups,
            )
        )
        _begin(layer, row)
        self._put(row.name, layer)

    def _normalization(self, row: Row) -> None:
        maps, other = row.size or (5, 5)
        if maps != other:
            raise RequestError("size of lrn is one number: of the maps that are looked at.")
        if self.volume.channels % row.groups:
            raise RequestError(f"{row.groups} groups do not divide {self.volume.channels} maps.")
        self._put(row.name, LocalResponseNorm(n=maps, groups=row.groups))

    def _pooling(self, row: Row) -> None:
        maps = self.volume.channels
        if row.kind == "globalpool":
            self.shrunk.append((row, self.volume))
            self.volume = Volume(maps, 1, 1)
            self._put(row.name, nn.AdaptiveAvgPool2d(1))
            return
        kernel = row.size or (1, 1)
        stride = row.stride or kernel
        around = self._window(row, kernel, stride)
        uneven = [before < after for before, after in around]
        if any(odd and step == 1 for odd, step in zip(uneven, stride, strict=True)):
            raise RequestError("an even window at stride 1 cannot keep the size; take an odd size.")
        padding, cut = (around[0][0], around[1][0]), any(uneven)
        self._take(pooling(self.volume, kernel, stride=stride, padding=padding, ceil_mode=cut))
        match row.kind:
            case "subsample" if stride != kernel:
                raise RequestError("the windows of subsample do not overlap: stride is the size.")
            case "subsample":
                layer = Subsampling2d(maps, kernel)
            case "avgpool":
                layer = nn.AvgPool2d(kernel, stride, padding, cut, count_include_pad=False)
            case "minpool":
                layer = MinPool2d(kernel, stride=stride, padding=padding, ceil_mode=cut)
            case _:
                layer = nn.MaxPool2d(kernel, stride, padding, ceil_mode=cut)
        self._put(row.name, layer)

    def _window(self, row: Row, kernel: Pair, stride: Pair) -> tuple[Pair, Pair]:
        """The padding ((top, bottom), (left, right)) with which the window fits the map."""
        told = (row.padding, row.padding) if row.padding == "same" else row.padding
        sides = (self.volume.height, self.volume.width)
        axes = zip(sides, kernel, stride, told, row.dilation, strict=True)
        around = [padding_pair(n, k, stride=s, padding=p, dilation=d) for n, k, s, p, d in axes]
        wide = [effective_kernel(k, dilation=d) for k, d in zip(kernel, row.dilation, strict=True)]
        if any(w > n + sum(pad) for w, n, pad in zip(wide, sides, around, strict=True)):
            what = "filter" if row.kind in ("conv", "local") else "window"
            dilated = f" with dilation {_told(row.dilation)}" if max(row.dilation) > 1 else ""
            padded = f" with padding {_told((around[0][0], around[1][0]))}" if any(told) else ""
            raise RequestError(
                f"{_a(f'{kernel[0]}x{kernel[1]}')} {what}{dilated} does not fit "
                f"{_a(_sides(self.volume))} map{padded}; {self._remedies(row, kernel, wide)}."
            )
        if max(stride) > 1:
            self.shrunk.append((row, self.volume))
        return around[0], around[1]

    def _remedies(self, row: Row, kernel: Pair, wide: list[int]) -> str:
        """What could be changed for the window to fit: its padding, or what made the map small."""
        sides = (self.volume.height, self.volume.width)
        lacking = max(ceil((w - n) / 2) for w, n in zip(wide, sides, strict=True))
        remedies: list[str] = []
        if row.kind in ("conv", "local") or (
            row.kind != "subsample" and lacking <= min(kernel) // 2
        ):
            remedies.append(f"pad by {lacking}")
        for above, given in reversed(self.shrunk):
            if given.height >= wide[0] and given.width >= wide[1]:
                pools = above.kind not in ("conv", "local")
                what = "drop the pooling of" if pools else "take a smaller stride in"
                remedies.append(f"{what} row {above.number}")
                break
        return " or ".join(remedies) or "take a larger input"


def _begin(layer: nn.Module, row: Row) -> None:
    """Draw the first weights, by what follows them."""
    (he if row.activation in _RECTIFIERS else glorot)(layer)


def _afford(what: str, size: int) -> None:
    if size > _MOST:
        raise RequestError(
            f"{what} {size / 1e6:,.0f} MB, and {_MOST / 1e6:,.0f} MB are allowed. Take fewer "
            "filters, or pool before it."
        )


def _a(size: str) -> str:
    """A size with its article: a 5x5, an 8x8, an 11x11."""
    return f"an {size}" if re.match("8|11x|18x", size) else f"a {size}"


def _sides(volume: Volume) -> str:
    return f"{volume.height}x{volume.width}"


def _told(pair: Pair) -> str:
    return f"{pair[0]}" if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"
