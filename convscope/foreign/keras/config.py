"""The graph of a Keras network, from the JSON of each version of Keras, as one form."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from convscope.errors import RequestError
from convscope.strict import shown

MODELS = ("Sequential", "Functional", "Model")
_MAX_LAYERS = 20_000

_OPERATORS = {
    "__operators__.add": "Add", "math.add": "Add", "math.subtract": "Subtract",
    "math.multiply": "Multiply", "math.truediv": "TrueDivide", "math.maximum": "Maximum",
    "math.minimum": "Minimum", "nn.relu": "Relu", "nn.relu6": "Relu6", "nn.silu": "Silu",
    "math.sigmoid": "Sigmoid", "nn.sigmoid": "Sigmoid", "math.tanh": "Tanh", "nn.tanh": "Tanh",
}  # fmt: skip
"""Operators as Keras 2 writes them, and as Keras 3 does."""


@dataclass(frozen=True)
class Ref:
    """What a call of a layer gave: the call's number among those of the layer."""

    layer: str
    call: int


Argument = Ref | tuple["Argument", ...] | float | None


@dataclass(frozen=True)
class LayerConfig:
    """A layer: its class, its settings, and the arguments of each of its calls."""

    name: str
    kind: str
    module: str
    settings: Mapping[str, Any]
    calls: tuple[tuple[Argument, ...], ...]


@dataclass(frozen=True)
class GraphConfig:
    """A network: its layers in the order of the file, its input's layer and its output."""

    name: str
    layers: tuple[LayerConfig, ...]
    input: str
    output: Ref
    has_input_layer: bool = True


def graph_config(content: object, where: str) -> GraphConfig:
    """The graph of a network's JSON. Raises RequestError for what is no network, or is no graph."""
    model = _mapping(content, where)
    kind = model.get("class_name")
    if kind not in MODELS or "config" not in model:
        raise RequestError(
            f"{where} has a network of the class {shown(kind)}, which is Python code that is not "
            "in the file. Build it as a Sequential or functional model, and save it again."
        )
    config: Any = model["config"]
    if isinstance(config, list):  # Keras 2.2
        config = {"layers": cast("list[Any]", config)}
    config = _mapping(config, where)
    layers = [*map(_checked_layer, _list(config.get("layers"), where), _repeat(where))]
    if len(layers) > _MAX_LAYERS:
        raise RequestError(f"{where} has {len(layers):,} layers; at most {_MAX_LAYERS:,} are read.")
    if not layers:
        raise RequestError(f"{where} has a network without layers.")
    name = str(config.get("name") or "model")
    if kind == "Sequential":
        return _chain(name, config, layers, where)
    return _functional(name, config, layers, where)


def input_shape(layer: LayerConfig, where: str) -> list[int | None] | None:
    """The shape of a layer's input without the axis of images; None where it does not say."""
    for key in ("batch_shape", "batch_input_shape", "shape"):
        shape: Any = layer.settings.get(key)
        if shape is None:
            continue
        sides = cast("list[Any]", shape) if isinstance(shape, list) else []
        if len(sides) < 2 or not all(s is None or _is_side(s) for s in sides):
            raise RequestError(f"{where}: the layer {layer.name} has {key} {shown(shape)}.")
        return [*(sides if key == "shape" else sides[1:])]
    return None


def _is_side(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 100_000


def _chain(
    name: str, config: Mapping[str, Any], listed: list[Mapping[str, Any]], where: str
) -> GraphConfig:
    layers: list[LayerConfig] = []
    has_input = listed[0].get("class_name") == "InputLayer"
    if not has_input:
        own = _settings(listed[0])
        shapes = [own.get("batch_input_shape"), own.get("batch_shape")]
        shape: Any = next(filter(None, shapes), config.get("build_input_shape"))
        layers.append(LayerConfig("", "InputLayer", "", {"batch_shape": shape}, ((),)))
    for one in listed:
        before = (Ref(layers[-1].name, 0),) if layers else ()
        layers.append(_layer(one, (before,)))
    _check_names(layers, where)
    return GraphConfig(name, tuple(layers), layers[0].name, Ref(layers[-1].name, 0), has_input)


def _functional(
    name: str, config: Mapping[str, Any], listed: list[Mapping[str, Any]], where: str
) -> GraphConfig:
    layers: list[LayerConfig] = []
    for one in listed:
        nodes = _list(one.get("inbound_nodes", []), where)
        calls = tuple(tuple(_arguments(node, where)) for node in nodes)
        layers.append(_layer(one, calls or ((),)))
    _check_names(layers, where)
    ends: list[Ref] = []
    for key, what in (("input_layers", "inputs"), ("output_layers", "outputs")):
        refs = _ends(config.get(key), where)
        if len(refs) != 1:
            names = ", ".join(ref.layer for ref in refs)
            raise RequestError(
                f"{where} has a network of {len(refs)} {what} ({names}); convscope gives a network "
                "an image alone, and takes one value for its answer. Save keras.Model(image, "
                "answer), with the other inputs replaced by constants."
            )
        ends.append(refs[0])
    counted = _counted_from_0(layers, ends[1])
    return GraphConfig(name, counted[0], ends[0].layer, counted[1])


def _counted_from_0(
    layers: Sequence[LayerConfig], output: Ref
) -> tuple[tuple[LayerConfig, ...], Ref]:
    """The calls of each layer counted from 0: Keras 2 has those of networks from 1."""
    refs = [output, *(ref for layer in layers for ref in references(layer.calls))]
    calls = {layer.name: len(layer.calls) for layer in layers if layer.kind in MODELS}
    shifted = {ref.layer for ref in refs if ref.call == calls.get(ref.layer)}

    def moved(argument: Argument) -> Argument:
        if isinstance(argument, tuple):
            return tuple(map(moved, argument))
        if isinstance(argument, Ref) and argument.layer in shifted:
            return Ref(argument.layer, argument.call - 1)
        return argument

    counted = [
        replace(layer, calls=tuple(tuple(map(moved, call)) for call in layer.calls))
        for layer in layers
    ]
    return tuple(counted), Ref(output.layer, output.call - (output.layer in shifted))


def references(argument: Argument) -> Iterator[Ref]:
    """The calls that an argument takes the results of."""
    if isinstance(argument, Ref):
        yield argument
    elif isinstance(argument, tuple):
        for one in argument:
            yield from references(one)


def _layer(one: Mapping[str, Any], calls: tuple[tuple[Argument, ...], ...]) -> LayerConfig:
    settings, kind = _settings(one), str(one["class_name"])
    name = str(one.get("name") or settings.get("name") or kind.lower())
    operator = _OPERATORS.get(str(settings.get("function"))) if kind == "TFOpLambda" else None
    if operator is not None:
        return LayerConfig(name, operator, "keras.src.ops.numpy", settings, calls)
    if kind in MODELS:
        settings = one  # the network itself
    return LayerConfig(name, kind, str(one.get("module") or ""), settings, calls)


def _settings(one: Mapping[str, Any]) -> Mapping[str, Any]:
    config: Any = one.get("config")
    return cast("Mapping[str, Any]", config) if isinstance(config, dict) else {}


def _check_names(layers: list[LayerConfig], where: str) -> None:
    names = [layer.name for layer in layers]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RequestError(f"{where} has two layers named {shown(twice)}.")


def _arguments(node: Any, where: str) -> Iterator[Argument]:
    """The arguments of a call, of Keras 3 (by name and place) or Keras 2 (a list of places)."""
    if isinstance(node, dict):
        call = cast("dict[str, Any]", node)
        for value in _list(call.get("args", []), where):
            yield _argument(value, where)
        extra = _mapping(call.get("kwargs") or {}, where)
        for key, value in extra.items():
            if key not in ("mask", "training") and value is not None:
                argument = _argument(value, where)
                if argument is not None:
                    yield argument
        return
    places = _list(node, where)
    if places and isinstance(places[0], str):  # an operator
        yield from _operands(places, where)
        return
    yield tuple(one for place in places for one in _operands(_list(place, where), where))


def _operands(place: list[Any], where: str) -> Iterator[Argument]:
    """A place of Keras 2, or a constant, and the operands that stand beside it by name."""
    if place[:1] == ["_CONSTANT_VALUE"] and len(place) > 2:
        yield _argument(place[2], where)
    else:
        yield _place(place, where)
    if len(place) > 3:
        for value in _mapping(place[3] or {}, where).values():
            if isinstance(value, int | float) and not isinstance(value, bool):
                yield float(value)
            elif isinstance(value, list) and len(cast("list[Any]", value)) > 2:
                yield _place(value, where)


def _argument(value: Any, where: str) -> Argument:
    if isinstance(value, dict):
        content = cast("dict[str, Any]", value)
        if content.get("class_name") == "__keras_tensor__":
            return _place(_mapping(content.get("config"), where).get("keras_history"), where)
        return None
    if isinstance(value, list):
        return tuple(_argument(one, where) for one in cast("list[Any]", value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return None


def _place(place: Any, where: str) -> Ref:
    """A layer's name, the number of its call, and that of its result."""
    values = _list(place, where)
    if len(values) < 3 or not isinstance(values[0], str) or not isinstance(values[1], int):
        raise RequestError(f"{where} has the connection {shown(place)}, which names no layer.")
    if values[2] != 0:
        raise RequestError(
            f"{where}: the layer {shown(values[0])} gives several values; convscope reads layers "
            "that give one."
        )
    return Ref(values[0], values[1])


def _ends(value: Any, where: str) -> list[Ref]:
    if isinstance(value, dict):
        value = [*cast("dict[str, Any]", value).values()]
    places = _list(value, where)
    if places and isinstance(places[0], str):
        places = [places]
    return [_place(place, where) for place in places]


def _checked_layer(value: Any, where: str) -> Mapping[str, Any]:
    layer = _mapping(value, where)
    if not isinstance(layer.get("class_name"), str):
        raise RequestError(f"{where} has a layer without a class.")
    return layer


def _repeat(where: str) -> Iterator[str]:
    while True:
        yield where


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise RequestError(f"{where} is not a network of Keras: {shown(value)} is no object.")
    return cast("Mapping[str, Any]", value)


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise RequestError(f"{where} is not a network of Keras: {shown(value)} is no list.")
    return cast("list[Any]", value)
