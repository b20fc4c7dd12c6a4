"""Build the PyTorch network of a Keras graph, nested ones included."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from convscope.errors import RequestError, nearest
from convscope.foreign.builder import IMAGE, GraphBuilder, Value
from convscope.foreign.keras.config import (
    MODELS,
    Argument,
    GraphConfig,
    LayerConfig,
    Ref,
    graph_config,
    references,
)
from convscope.foreign.keras.layers import LAYERS
from convscope.foreign.keras.layers.activations import apply_function
from convscope.foreign.keras.layers.merging import MERGES, concatenated, merged, operated
from convscope.foreign.keras.weights import Store
from convscope.foreign.layer import Layer

_MAX_DEPTH = 20  # of networks in networks
_FUNCTIONS = {
    "Relu": "relu", "Relu6": "relu6", "Sigmoid": "sigmoid", "Silu": "silu", "Tanh": "tanh",
    "Softplus": "softplus", "HardSigmoid": "hard_sigmoid", "HardSilu": "hard_silu",
    "Exp": "exponential",
}  # fmt: skip
"""Operators of Keras that are a function of each unit."""


@dataclass(frozen=True)
class Source:
    """What a graph is built from: its file for errors, its weights, the path of its own in them."""

    where: str
    store: Store | None
    path: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    is_old: bool = False
    depth: int = 0


def build_graph(config: GraphConfig, source: Source, graph: GraphBuilder, start: Value) -> Value:
    """Add the layers of a graph that its output needs; `start` is what its input gets."""
    layers = {layer.name: layer for layer in config.layers}
    paths = dict(zip(layers, _paths(config, source), strict=True))
    values: dict[Ref, Value] = {Ref(config.input, 0): start}
    for ref in _in_order(config, layers, source.where):
        if ref in values:
            continue
        layer = layers[ref.layer]
        arguments = [_filled(one, values) for one in layer.calls[ref.call]]
        values[ref] = _called(layer, paths[ref.layer], arguments, source, graph)
    return values[config.output]


def _in_order(config: GraphConfig, layers: Mapping[str, LayerConfig], where: str) -> Iterator[Ref]:
    """The calls that the output needs, each after those that it takes."""
    done: set[Ref] = set()
    opened: set[Ref] = set()
    waiting = [config.output]
    while waiting:
        ref = waiting[-1]
        if ref in done:
            waiting.pop()
            continue
        layer = layers.get(ref.layer)
        if layer is None or not 0 <= ref.call < len(layer.calls):
            raise RequestError(f"{where} names a layer {ref.layer!r} that it does not have.")
        needed = [one for one in references(layer.calls[ref.call]) if one not in done]
        if ref.layer == config.input or not needed:
            done.add(waiting.pop())
            yield ref
        elif ref in opened:
            raise RequestError(f"{where}: the layer {ref.layer} takes what it gives.")
        else:
            opened.add(ref)
            waiting += needed


Filled = Value | float | None | tuple["Filled", ...]


def _filled(argument: Argument, values: Mapping[Ref, Value]) -> Filled:
    if isinstance(argument, Ref):
        return values[argument]
    if isinstance(argument, tuple):
        return tuple(_filled(one, values) for one in argument)
    return argument


def _called(
    config: LayerConfig,
    path: tuple[str, ...],
    arguments: Sequence[Filled],
    source: Source,
    graph: GraphBuilder,
) -> Value:
    where = f"{source.where}: the layer {config.name} ({config.kind})"
    flat = [*_flat(arguments)]
    values = [one for one in flat if isinstance(one, Value)]
    if not values:
        raise RequestError(f"{where} takes nothing of what the network's input gives.")
    if config.kind in MODELS:
        return _nested(config, path, values, source, graph)
    read = source.store.reader(path, (*source.names, config.name)) if source.store else None
    layer = Layer(where, config.name, config.kind, config.settings, read, source.is_old)
    _check_dtype(layer)
    is_operator = ".ops." in config.module
    if config.kind in MERGES and len(flat) == 2 and (is_operator or len(values) == 1):
        first, second = flat
        return operated(layer, first, second, graph)
    if len(values) < len(flat):
        raise RequestError(f"{where} is called with a number, which convscope does not read.")
    if config.kind in _FUNCTIONS and len(values) == 1:
        return apply_function(_FUNCTIONS[config.kind], layer, config.name, values[0], graph)
    if config.kind == "Concatenate":
        return concatenated(layer, values, graph)
    if config.kind in MERGES:
        return merged(layer, values, graph)
    build = LAYERS.get(config.kind)
    if build is None or is_operator:
        raise RequestError(f"{where} {_unknown(config, is_operator=is_operator)}")
    if len(values) != 1:
        raise RequestError(f"{where} takes {len(values)} values; convscope reads it with one.")
    return build(layer, values[0], graph)


def _flat(arguments: "Sequence[Filled]") -> Iterator[Value | float]:
    for one in arguments:
        if isinstance(one, tuple):
            yield from _flat(one)
        elif one is not None:
            yield one


def _nested(
    config: LayerConfig,
    path: tuple[str, ...],
    values: Sequence[Value],
    source: Source,
    graph: GraphBuilder,
) -> Value:
    """A network in the network, as one layer that has layers of its own."""
    if source.depth >= _MAX_DEPTH:
        raise RequestError(f"{source.where} has networks nested more than {_MAX_DEPTH} deep.")
    x = values[0]
    if len(values) != 1:
        raise RequestError(f"{source.where}: the network {config.name} takes several values.")
    x = graph.plain(x, config.name) if x.index is not None else x
    x = graph.ordered(x, IMAGE, config.name) if x.rank == 3 else x
    where = f"{source.where}, in {config.name}"
    inner = graph_config(config.settings, where)
    own = GraphBuilder(where)
    start = own.input(x.meta.shape[1:], x.order)
    names = (*source.names, config.name)
    source = Source(where, source.store, path, names, source.is_old, source.depth + 1)
    output = build_graph(inner, source, own, start)
    net = own.finish(output)
    return graph.apply_graph(config.name, net, x, output)


def _paths(config: GraphConfig, source: Source) -> Iterator[tuple[str, ...]]:
    """Where each layer's weights lie: Keras 3 counts the layers of each class, in their order."""
    used: Counter[str] = Counter()
    for layer in config.layers:
        if ".ops." in layer.module or (layer.kind == "InputLayer" and not config.has_input_layer):
            yield ()
            continue
        kind = _snake(layer.kind)
        number, used[kind] = used[kind], used[kind] + 1
        yield (*source.path, f"{kind}_{number}" if number else kind)


def _snake(name: str) -> str:
    """The name of a class as Keras writes it in files: Conv2D is conv2d."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _check_dtype(layer: Layer) -> None:
    policy = layer.settings.get("dtype")
    if isinstance(policy, dict) and "Quantized" in str(policy.get("class_name")):
        raise layer.refused("is quantized, which convscope does not read. Save it in float32.")


def _unknown(config: LayerConfig, *, is_operator: bool) -> str:
    """What to say of a layer that is not in the table."""
    if config.kind == "Lambda":
        return (
            "is Python code in the file, which convscope never executes. Put a layer of Keras in "
            "its place (Rescaling, Activation, Reshape), and save the network again."
        )
    if is_operator or config.kind in ("TFOpLambda", "SlicingOpLambda"):
        return "is an operator that convscope does not read. Put a layer of Keras in its place."
    hint = nearest(config.kind, LAYERS)
    return (
        f"is not among the layers that convscope reads.{hint} The documentation lists them; a "
        "layer of your own must be rebuilt from these."
    )
