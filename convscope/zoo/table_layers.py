"""Build the network of a layer table; each row is checked before it takes any memory."""

import re
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from torch import nn

from convscope.arithmetic import (
    Cost,
    Volume,
    convolution,
    dense,
    effective_kernel,
    locally_connected,
    padding_pair,
    pooling,
)
from convscope.errors import RequestError
from convscope.layers import (
    LocallyConnected2d,
    LocalResponseNorm,
    MinPool2d,
    ScaledTanh,
    Subsampling2d,
)
from convscope.zoo.initialize import glorot, he
from convscope.zoo.table_file import Activation, Pair, Row, Table, errors_at

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
_MAX_BYTES = 4_000_000_000  # for all weights, and for the maps of one layer: a billion numbers


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

    Raises RequestError, naming file, row, layer and a remedy, if a row cannot follow those above it
    or the network would take more than 4,000 MB.
    """
    in_channels = table.in_channels if in_channels is None else in_channels
    size = table.input_size if input_size is None else input_size
    if in_channels is None or size is None:
        raise RequestError(
            f"{table.path} does not state its input. Add a line such as "
            'input = "3x32x32" (channels x height x width), or give in_channels and input_size.'
        )
    with errors_at(table.path):
        network = TableNetwork(
            Volume(in_channels, *size), 10 if num_classes is None else num_classes
        )
    for row in table.rows:
        with errors_at(row.location):
            network.add(row)
    last = table.rows[-1]
    with errors_at(last.location):
        return network.finished(last, checked=num_classes is not None)


class TableNetwork:
    """A network under construction: its layers, and the output volume of the last one."""

    def __init__(self, volume: Volume, num_classes: int) -> None:
        self.layers: OrderedDict[str, nn.Module] = OrderedDict()
        self.volume = volume
        self.num_classes = num_classes
        self.weights = 0  # in bytes
        self.shrunk: list[tuple[Row, Volume]] = []  # rows with a stride, and their inputs
        self.flattened_by: str | None = None
        _check_memory("the input takes", 4 * volume.units)

    def add(self, row: Row) -> None:
        match row.kind:
            case "fc" | "dense":
                self._dense(row)
            case "flatten":
                self._flatten(row)
            case "dropout":
                self._put(row.name, nn.Dropout(row.dropout))
            case "bn":
                norm = nn.BatchNorm1d if self.flattened_by else nn.BatchNorm2d
                self._put(row.name, norm(self.volume.channels))
            case _ if self.flattened_by:
                raise RequestError(
                    f"it needs maps, but {self.flattened_by} has flattened them. Move it before "
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
        """Return the network, if it ends with one unit per class."""
        if not self.flattened_by:
            if (self.volume.height, self.volume.width) != (1, 1):
                raise RequestError(
                    f"the network ends with maps of {_size_text(self.volume)}. Add an fc row or a "
                    "globalpool row."
                )
            self._flatten(last)
        if checked and self.volume.channels != self.num_classes:
            raise RequestError(
                f"the network ends with {self.volume.channels} units, but there are "
                f"{self.num_classes} classes. Write classes under filters in its last row."
            )
        return nn.Sequential(self.layers)

    def _put(self, name: str, layer: nn.Module) -> None:
        if name in self.layers:
            raise RequestError(f"there already is a layer {name}; choose another name.")
        self.layers[name] = layer

    def _flatten(self, row: Row) -> None:
        self._put(row.name if row.kind == "flatten" else "flatten", nn.Flatten())
        self.volume = Volume(self.volume.units, 1, 1)
        self.flattened_by = f"row {row.number} ({row.name})"

    def _filters(self, row: Row) -> int:
        return row.filters if isinstance(row.filters, int) else self.num_classes

    def _take(self, cost: Cost) -> None:
        """Take the output volume of a layer, unless it needs too much memory."""
        self.weights += cost.parameter_bytes
        _check_memory("the weights so far take", self.weights)
        _check_memory("its maps take", cost.output_bytes)
        self.volume = cost.output

    def _dense(self, row: Row) -> None:
        if not self.flattened_by:
            self._flatten(row)
        inputs = self.volume.channels
        self._take(dense(self.volume, self._filters(row)))
        layer = nn.Linear(inputs, self.volume.channels)
        _initialize(layer, row)
        self._put(row.name, layer)

    def _convolution(self, row: Row) -> None:
        volume, kernel, stride = self.volume, row.size or (1, 1), row.stride or (1, 1)
        (top, bottom), (left, right) = padding_sides = self._window(row, kernel, stride)
        padding = (top, left)
        if padding_sides != ((top, top), (left, left)):  # uneven, unlike torch's
            self._put(f"{row.name}_pad", nn.ZeroPad2d((left, right, top, bottom)))
            sides = (volume.height + top + bottom, volume.width + left + right)
            volume, padding = Volume(volume.channels, *sides), (0, 0)
        count = convolution if row.kind == "conv" else locally_connected
        self._take(
            count(
                volume,
                self._filters(row),
                kernel,
                stride=stride,
                padding=padding,
                dilation=row.dilation,
                groups=row.groups,
            )
        )
        channels, filters = volume.channels, self.volume.channels
        layer = (
            nn.Conv2d(channels, filters, kernel, stride, padding, row.dilation, row.groups)
            if row.kind == "conv"
            else LocallyConnected2d(
                channels,
                filters,
                (volume.height, volume.width),
                kernel,
                stride=stride,
                padding=padding,
                dilation=row.dilation,
                groups=row.groups,
            )
        )
        _initialize(layer, row)
        self._put(row.name, layer)

    def _normalization(self, row: Row) -> None:
        maps, other = row.size or (5, 5)
        if maps != other:
            raise RequestError("size of lrn is one number: how many maps it normalizes over.")
        if self.volume.channels % row.groups:
            raise RequestError(f"{row.groups} groups do not divide {self.volume.channels} maps.")
        self._put(row.name, LocalResponseNorm(n=maps, groups=row.groups))

    def _pooling(self, row: Row) -> None:
        channels = self.volume.channels
        if row.kind == "globalpool":
            self.shrunk.append((row, self.volume))
            self.volume = Volume(channels, 1, 1)
            self._put(row.name, nn.AdaptiveAvgPool2d(1))
            return
        kernel = row.size or (1, 1)
        stride = row.stride or kernel
        padding_sides = self._window(row, kernel, stride)
        uneven = [before < after for before, after in padding_sides]
        if any(more_after and step == 1 for more_after, step in zip(uneven, stride, strict=True)):
            raise RequestError("an even window at stride 1 cannot keep the size; take an odd size.")
        padding, ceil_mode = (padding_sides[0][0], padding_sides[1][0]), any(uneven)
        self._take(
            pooling(self.volume, kernel, stride=stride, padding=padding, ceil_mode=ceil_mode)
        )
        match row.kind:
            case "subsample" if stride != kernel:
                raise RequestError("the windows of subsample do not overlap; take stride = size.")
            case "subsample":
                layer = Subsampling2d(channels, kernel)
            case "avgpool":
                layer = nn.AvgPool2d(kernel, stride, padding, ceil_mode, count_include_pad=False)
            case "minpool":
                layer = MinPool2d(kernel, stride=stride, padding=padding, ceil_mode=ceil_mode)
            case _:
                layer = nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil_mode)
        self._put(row.name, layer)

    def _window(self, row: Row, kernel: Pair, stride: Pair) -> tuple[Pair, Pair]:
        """Return the padding ((top, bottom), (left, right)); raise if the window does not fit."""
        padding = (row.padding, row.padding) if row.padding == "same" else row.padding
        sides = (self.volume.height, self.volume.width)
        axes = zip(sides, kernel, stride, padding, row.dilation, strict=True)
        pads = [padding_pair(n, k, stride=s, padding=p, dilation=d) for n, k, s, p, d in axes]
        spans = [effective_kernel(k, dilation=d) for k, d in zip(kernel, row.dilation, strict=True)]
        if any(w > n + sum(pad) for w, n, pad in zip(spans, sides, pads, strict=True)):
            noun = "filter" if row.kind in ("conv", "local") else "window"
            dilated = f" with dilation {_pair_text(row.dilation)}" if max(row.dilation) > 1 else ""
            padded = f" with padding {_pair_text((pads[0][0], pads[1][0]))}" if any(padding) else ""
            window = _with_article(f"{kernel[0]}x{kernel[1]}")
            raise RequestError(
                f"{window} {noun}{dilated} does not fit {_with_article(_size_text(self.volume))} "
                f"map{padded}; {self._remedies(row, kernel, spans)}."
            )
        if max(stride) > 1:
            self.shrunk.append((row, self.volume))
        return pads[0], pads[1]

    def _remedies(self, row: Row, kernel: Pair, spans: list[int]) -> str:
        """Advise what to change for the window to fit: its padding, or what made the map small."""
        sides = (self.volume.height, self.volume.width)
        missing = max(ceil((w - n) / 2) for w, n in zip(spans, sides, strict=True))
        remedies: list[str] = []
        if row.kind in ("conv", "local") or (
            row.kind != "subsample" and missing <= min(kernel) // 2
        ):
            remedies.append(f"pad by {missing}")
        for above, volume in reversed(self.shrunk):
            if volume.height >= spans[0] and volume.width >= spans[1]:
                pools = above.kind not in ("conv", "local")
                advice = "drop the pooling of" if pools else "take a smaller stride in"
                remedies.append(f"{advice} row {above.number}")
                break
        return " or ".join(remedies) or "take a larger input"


def _initialize(layer: nn.Module, row: Row) -> None:
    """Initialize the weights, by the activation that follows."""
    (he if row.activation in _RECTIFIERS else glorot)(layer)


def _check_memory(what: str, size: int) -> None:
    if size > _MAX_BYTES:
        raise RequestError(
            f"{what} {size / 1e6:,.0f} MB, more than the limit of {_MAX_BYTES / 1e6:,.0f} MB. Use "
            "fewer filters, or pool before it."
        )


def _with_article(size: str) -> str:
    """Write a size with its article: a 5x5, an 8x8, an 11x11."""
    return f"an {size}" if re.match("8|11x|18x", size) else f"a {size}"


def _size_text(volume: Volume) -> str:
    return f"{volume.height}x{volume.width}"


def _pair_text(pair: Pair) -> str:
    return f"{pair[0]}" if pair[0] == pair[1] else f"{pair[0]}x{pair[1]}"
