"""Networks of ConvNetJS, from the JSON of `net.toJSON()`.

A volume lists its numbers by row, then column, then map: (height, width, maps).

Reference: A. Karpathy, ConvNetJS, https://cs.stanford.edu/people/karpathy/convnetjs/.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.foreign.builder import IMAGE, GraphBuilder, Value
from convscope.foreign.finished import ForeignNetwork, Images, finished, with_two_classes
from convscope.foreign.layer import Layer, Reader
from convscope.foreign.modules import Maxout, ScaledDropout
from convscope.strict import shown

_ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
_MAX_LAYERS = 10_000


def is_convnetjs(content: object) -> bool:
    """Whether parsed JSON is a network of ConvNetJS."""
    layers: Any = cast("dict[str, Any]", content).get("layers") if isinstance(content, dict) else 0
    first: Any = cast("list[Any]", layers)[0] if isinstance(layers, list) and layers else None
    return isinstance(first, dict) and "layer_type" in first


def read_convnetjs(
    content: Mapping[str, Any], where: str, *, has_weights: bool = True
) -> ForeignNetwork:
    """The network of parsed JSON; see `read_network`. Without weights they are random."""
    read: Mapping[str, Reader] | None = {} if has_weights else None
    layers = [replace(layer, read=read) for layer in _layers(content["layers"], where)]
    first, last = layers[0], layers[-1]
    if first.kind != "input" or last.kind not in ("softmax", "svm"):
        raise RequestError(
            f"{where} has a network from {shown(first.kind)} to {shown(last.kind)}; convscope "
            "reads classifiers, from input to softmax or svm."
        )
    size = (first.integer("out_sy"), first.integer("out_sx"))
    channels = first.integer("out_depth")
    graph = GraphBuilder(where)
    x = graph.input((channels, *size), IMAGE)
    for layer in layers[1:]:
        x = _added(layer, x, graph)
        _check_size(layer, x)
    x = graph.plain(x, "output")
    probabilities = last.kind == "softmax"
    x = with_two_classes(graph, x, probabilities=probabilities)
    return finished(
        graph.finish(x),
        Images(size, channels, None, "centered", "crop"),
        x.shape[0],
        output="probabilities" if probabilities else "logits",
        task="single-label",
        library="convnetjs",
        where=where,
    )


def _layers(listed: list[Any], where: str) -> list[Layer]:
    """The layers, with names as conv1, conv2, pool1."""
    if len(listed) > _MAX_LAYERS:
        raise RequestError(f"{where} has {len(listed):,} layers; at most {_MAX_LAYERS:,} are read.")
    counts: Counter[str] = Counter()
    layers: list[Layer] = []
    for one in listed:
        kind: Any = cast("dict[str, Any]", one).get("layer_type") if isinstance(one, dict) else None
        if not isinstance(kind, str):
            raise RequestError(f"{where} has a layer without a layer_type.")
        counts[kind] += 1
        name = f"{kind}{counts[kind]}"
        layers.append(Layer(f"{where}: the layer {name}", name, kind, one))
    return layers


def _added(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    if layer.kind in _ACTIVATIONS:
        return graph.apply(layer.name, _ACTIVATIONS[layer.kind](), x, index=x.index)
    if layer.kind in _OF_MAPS:
        return _OF_MAPS[layer.kind](layer, _maps(layer, x, graph), graph)
    build = _OF_ANY.get(layer.kind)
    if build is None:
        known = ", ".join(sorted({*_ACTIVATIONS, *_OF_MAPS, *_OF_ANY}))
        raise layer.refused(f"is of type {shown(layer.kind)}; convscope reads {known}.")
    return build(layer, x, graph)


def _maxout(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    group = layer.integer("group_size", 2)
    if x.meta.shape[1] % group:
        raise layer.refused(f"has groups of {group}, which do not divide its inputs.")
    x = graph.plain(x, layer.name) if x.index is not None else x
    return graph.apply(layer.name, Maxout(group), x)


def _dropout(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    rate = layer.number("drop_prob", 0.5)
    if not 0 <= rate < 1:
        raise layer.wrong("drop_prob", rate, "from 0 to 1, without 1")
    return graph.apply(layer.name, ScaledDropout(rate), x, index=x.index)


def _softmax(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    x = graph.plain(_vector(layer, x, graph), layer.name)
    return graph.apply(layer.name, nn.Softmax(1), x)


def _scores(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    return graph.plain(_vector(layer, x, graph), layer.name)


def _conv(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    height, width = layer.integer("sy"), layer.integer("sx")
    maps, filters = x.meta.shape[1], layer.integer("out_depth")
    with torch.device("meta"):
        module = nn.Conv2d(
            maps,
            filters,
            (height, width),
            layer.integer("stride", 1),
            layer.integer("pad", 0, minimum=0),
        )
    if layer.read is None:
        return graph.apply(layer.name, module, x)
    kernels = [_volume(layer, one, (height, width, maps)) for one in _filters(layer, filters)]
    weights = {"weight": torch.stack(kernels).permute(0, 3, 1, 2).contiguous()}
    weights["bias"] = _volume(layer, layer.settings.get("biases"), (1, 1, filters)).flatten()
    return graph.apply(layer.name, module, x, weights=weights)


def _pool(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    size = (layer.integer("sy"), layer.integer("sx"))
    stride, pad = layer.integer("stride"), layer.integer("pad", 0, minimum=0)
    if 2 * pad > min(size):
        pads = nn.ConstantPad2d(pad, _EMPTY)
        x, pad = graph.apply(f"{layer.name}_pad", pads, x), 0
    return graph.apply(layer.name, nn.MaxPool2d(size, stride, pad), x)


_EMPTY = -99999.0  # what ConvNetJS gives for a window without a unit


def _normalized(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    n = layer.integer("n")
    if n % 2 == 0:
        raise layer.refused(f"normalizes across {n} maps; ConvNetJS needs an odd number.")
    alpha, beta, k = (layer.number(key) for key in ("alpha", "beta", "k"))
    return graph.apply(layer.name, nn.LocalResponseNorm(n, alpha, beta, k), x)


def _full(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    x = _vector(layer, x, graph)
    inputs, units = x.shape[0], layer.integer("out_depth")
    with torch.device("meta"):
        module = nn.Linear(inputs, units)
    if layer.read is None:
        return graph.apply(layer.name, module, x)
    rows = [_volume(layer, one, (1, 1, inputs)).flatten() for one in _filters(layer, units)]
    matrix = torch.stack(rows)
    weights = {"weight": (matrix if x.index is None else matrix[:, x.index]).contiguous()}
    weights["bias"] = _volume(layer, layer.settings.get("biases"), (1, 1, units)).flatten()
    return graph.apply(layer.name, module, x, weights=weights)


def _vector(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """Maps as a vector in PyTorch's order; the file has each pixel's maps together."""
    if x.rank == 1:
        return x
    units = torch.arange(x.meta[0].numel())
    index = units.reshape(x.shape).permute(x.order).flatten()
    index = None if torch.equal(index, units) else index
    return graph.apply(f"{layer.name}_flatten", nn.Flatten(), x, order=(0,), index=index)


def _maps(layer: Layer, x: Value, graph: GraphBuilder) -> Value:
    """A vector as maps of 1x1."""
    if x.rank == 3:
        return x
    return graph.reshaped(x, (1, 1, x.shape[0]), f"{layer.name}_maps")


def _filters(layer: Layer, count: int) -> Sequence[object]:
    filters: Any = layer.settings.get("filters")
    if not isinstance(filters, list) or len(cast("list[Any]", filters)) != count:
        raise layer.refused(f"has not the {count} filters that its out_depth says.")
    return cast("list[Any]", filters)


def _volume(layer: Layer, value: Any, shape: tuple[int, int, int]) -> Tensor:
    """The numbers of a volume, (height, width, maps); typed arrays are objects in JSON."""
    content = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    numbers: Any = content.get("w")
    height, width, maps = shape
    count = height * width * maps
    if isinstance(numbers, dict):
        by_place = cast("dict[str, Any]", numbers)
        numbers = [by_place.get(str(place)) for place in range(min(count, len(by_place)))]
    stated = [content.get(key) for key in ("sy", "sx", "depth")]
    if stated != [*shape] or not isinstance(numbers, list) or len(numbers) != count:
        sizes = "x".join(map(str, shape))
        raise layer.refused(f"has weights of another shape than {sizes} (height x width x maps).")
    for number in cast("list[Any]", numbers):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise layer.refused(f"has {shown(number)} among its weights, which is no number.")
    return torch.tensor(numbers, dtype=torch.float64).float().reshape(shape)


def _check_size(layer: Layer, x: Value) -> None:
    """Raise RequestError where the file states another size of the layer's result."""
    shape = x.shape if x.rank == 3 else (1, 1, *x.shape)
    stated = [layer.settings.get(key) for key in ("out_sy", "out_sx", "out_depth")]
    if stated != [*shape]:
        raise layer.refused(
            f"gives {'x'.join(map(str, shape))}, and the file says "
            f"{'x'.join(map(shown, stated))}. It is damaged, or was edited."
        )


_OF_MAPS = {"conv": _conv, "pool": _pool, "lrn": _normalized}
_OF_ANY = {
    "fc": _full,
    "maxout": _maxout,
    "dropout": _dropout,
    "softmax": _softmax,
    "svm": _scores,
}
