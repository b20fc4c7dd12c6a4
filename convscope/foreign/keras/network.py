"""A Keras network as one of PyTorch: its input, its graph, its output."""

from collections.abc import Sequence

from convscope.card import NetworkOutput, TaskName
from convscope.errors import RequestError
from convscope.foreign.builder import IMAGE, GraphBuilder, Value
from convscope.foreign.finished import ForeignNetwork, Images, Pixels, finished, with_two_classes
from convscope.foreign.graph import LayerGraph
from convscope.foreign.keras.config import (
    MODELS,
    GraphConfig,
    LayerConfig,
    graph_config,
    input_shape,
)
from convscope.foreign.keras.files import KerasFile
from convscope.foreign.keras.layers.activations import activation_name
from convscope.foreign.keras.model import Source, build_graph
from convscope.foreign.layer import Layer
from convscope.foreign.modules import Rescale, Reshape

_USUAL = 224
_BYTES = 0.5  # what multiplies pixels by less takes bytes


def keras_network(
    file: KerasFile, where: str, input_size: tuple[int, int] | None
) -> ForeignNetwork:
    """The network of an open file; see `read_network`."""
    config = graph_config(file.content, where)
    layers = {layer.name: layer for layer in config.layers}
    if config.input not in layers:
        raise RequestError(f"{where} has no layer {config.input!r}, its input.")
    shape = _input_shape(config, layers[config.input], where)
    is_first = len(shape) == 3 and _formats(config, where) == {"channels_first"}
    graph = GraphBuilder(where)
    x, size, channels = _input(graph, shape, input_size, where, is_first=is_first)
    output = build_graph(config, Source(where, file.store, is_old=file.is_old), graph, x)
    last, task = _output(config, where)
    output = _as_usual(graph, output)
    one = output.shape == (1,)
    output = with_two_classes(graph, output, probabilities=last == "probabilities")
    net = graph.finish(output)
    images = Images(size, channels, _pixels(net), "scaled", "stretch")
    return finished(
        net,
        images,
        output.shape[0] if output.rank == 1 else 2,
        output=last,
        task="single-label" if one else task,
        library="keras",
        where=where,
    )


def _input_shape(config: GraphConfig, layer: LayerConfig, where: str) -> list[int | None]:
    shape = input_shape(layer, where)
    if shape is None and len(config.layers) > 1 and config.layers[1].kind in MODELS:
        inner = graph_config(config.layers[1].settings, where)  # a Sequential that begins with one
        own = {one.name: one for one in inner.layers}[inner.input]
        shape = input_shape(own, where)
    if shape is None:
        raise RequestError(
            f"{where} does not say the shape of its images. Begin the network with a keras.Input, "
            "or call it once, and save it again."
        )
    return shape


def _input(
    graph: GraphBuilder,
    shape: Sequence[int | None],
    input_size: tuple[int, int] | None,
    where: str,
    *,
    is_first: bool,
) -> tuple[Value, tuple[int, int], int]:
    """The network's input as (maps, height, width), its size, and its number of maps."""
    if len(shape) not in (2, 3):
        text = "x".join("?" if side is None else str(side) for side in shape)
        raise RequestError(
            f"{where} takes values of shape {text}, not images: height x width x channels."
        )
    sides = shape[1:] if is_first else shape[:2]
    channels = (shape[0] if is_first else shape[2]) if len(shape) == 3 else 1
    if channels is None:
        raise RequestError(f"{where} does not say the number of channels of its images.")
    usual = input_size or (_USUAL, _USUAL)
    height, width = (usual[i] if side is None else side for i, side in enumerate(sides))
    if input_size is not None and input_size != (height, width):
        raise RequestError(
            f"{where} takes images of {height}x{width}; leave out `input_size`, or make it that."
        )
    if len(shape) == 3:
        order = (0, 1, 2) if is_first else IMAGE
        return graph.input((channels, height, width), order), (height, width), channels
    x = graph.input((1, height, width), IMAGE)
    return graph.apply("squeeze", Reshape((height, width)), x, order=(0, 1)), (height, width), 1


def _as_usual(graph: GraphBuilder, output: Value) -> Value:
    """The output in the order of the file; maps first, where it gives maps."""
    if output.rank == 3 and output.order != (0, 1, 2):
        return graph.ordered(output, IMAGE, "output")
    return graph.plain(output, "output")


def _formats(config: GraphConfig, where: str) -> set[str]:
    """The places of the maps that the layers of a network have."""
    found: set[str] = set()
    for layer in config.layers:
        if layer.kind in MODELS:
            found |= _formats(graph_config(layer.settings, where), where)
        elif isinstance(layer.settings.get("data_format"), str) and layer.kind != "Flatten":
            found.add(layer.settings["data_format"])
    return found


def _output(config: GraphConfig, where: str) -> tuple[NetworkOutput, TaskName]:
    """What the last layer gives: probabilities after a softmax or sigmoid, else logits."""
    layers = {layer.name: layer for layer in config.layers}
    last = layers[config.output.layer]
    if last.kind in MODELS:
        return _output(graph_config(last.settings, where), where)
    if last.kind in ("Identity", "Dropout", "Flatten", "Reshape"):
        return "logits", "single-label"
    name = "softmax" if last.kind == "Softmax" else ""
    if last.kind in ("Dense", "Activation", "Conv2D"):
        name = activation_name(Layer(where, last.name, last.kind, last.settings))
    if name == "softmax":
        return "probabilities", "single-label"
    if name == "sigmoid":
        return "probabilities", "multi-label"
    return "logits", "single-label"


def _pixels(net: LayerGraph) -> Pixels | None:
    """The values of pixels that the layers before the first weights take, if they say so."""
    for step in net.steps:
        module = net.get_submodule(step.layer)
        if isinstance(module, LayerGraph):
            return _pixels(module)
        if isinstance(module, Rescale):
            return "bytes" if float(module.scale.abs().max()) < _BYTES else "scaled"
        if any(True for _ in module.parameters()):
            return None
    return None
