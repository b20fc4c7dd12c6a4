"""Batch norm of inference is a scale and a shift of each channel: folded into the layer before it.

PyTorch's exporter does so behind convolutions; what it leaves is folded here.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convscope.conversion.libraries import onnx_library
from convscope.errors import WorkError

if TYPE_CHECKING:
    import onnx

_LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def fold_batch_norm(model: "onnx.ModelProto") -> None:
    """Fold every batch norm, in place, that stands alone behind a layer with constant weights."""
    while found := _foldable(model):  # behind one of them, another may stand
        _fold(model, *found[0])


def check_folded(model: "onnx.ModelProto") -> None:
    """Raises WorkError for a batch norm that could be folded and is not."""
    for layer, norm in _foldable(model):
        raise WorkError(
            f"The batch norm {norm.name} was not folded into {layer.name} before it. This is a "
            "fault of convscope's; nothing was written."
        )


def _foldable(model: "onnx.ModelProto") -> list[tuple[Any, Any]]:
    """Layers with the batch norm behind each."""
    graph = model.graph
    constants = {value.name for value in graph.initializer}
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in graph.value_info}
    makers = {name: node for node in graph.node for name in node.output}
    uses = Counter(name for node in graph.node for name in node.input)
    uses.update(value.name for value in graph.output)
    found: list[tuple[Any, Any]] = []
    for norm in graph.node:
        layer = makers.get(norm.input[0]) if norm.op_type == "BatchNormalization" else None
        if layer is None or layer.op_type not in _LAYERS or uses[norm.input[0]] > 1:
            continue
        if not constants.issuperset((*filter(None, layer.input[1:]), *norm.input[1:])):
            continue
        if layer.op_type == "MatMul" and ranks.get(norm.input[0]) != 2:  # of another axis
            continue
        if layer.op_type == "Gemm" and not _is_plain(layer):
            continue
        found.append((layer, norm))
    return found


def _is_plain(gemm: Any) -> bool:
    marks = {mark.name: mark for mark in gemm.attribute}
    return all(marks[name].f == 1 for name in ("alpha", "beta") if name in marks)


def _fold(model: "onnx.ModelProto", layer: Any, norm: Any) -> None:
    library, graph = onnx_library(), model.graph
    arrays = {value.name: value for value in graph.initializer}

    def values(name: str) -> NDArray[np.float64]:
        return library.numpy_helper.to_array(arrays[name]).astype(np.float64)

    marks = {mark.name: mark for mark in (*norm.attribute, *layer.attribute)}
    epsilon = marks["epsilon"].f if "epsilon" in marks else 1e-5
    gamma, beta, mean, variance = map(values, norm.input[1:])
    scale = gamma / np.sqrt(variance + epsilon)
    shift = beta - mean * scale
    bias = values(layer.input[2]) if len(layer.input) > 2 and layer.input[2] else 0.0
    weights = values(layer.input[1])
    groups = marks["group"].i if "group" in marks else 1
    match layer.op_type:
        case "ConvTranspose":  # (in, out / groups, ...)
            parts = weights.reshape(groups, -1, *weights.shape[1:])
            by = scale.reshape(groups, 1, -1, *([1] * (weights.ndim - 2)))
            weights = (parts * by).reshape(weights.shape)
        case "Conv":
            weights = weights * scale.reshape(-1, *([1] * (weights.ndim - 1)))
        case _:
            is_transposed = "transB" in marks and marks["transB"].i
            weights = weights * (scale[:, None] if is_transposed else scale)
    names = (f"{norm.output[0]}.weight.folded", f"{norm.output[0]}.bias.folded")
    for name, array in zip(names, (weights, bias * scale + shift), strict=True):
        graph.initializer.append(library.numpy_helper.from_array(array.astype(np.float32), name))
    first = layer.input[0]
    del layer.input[:]
    layer.input.extend((first, *names))
    layer.output[0] = norm.output[0]
    if layer.op_type == "MatMul":
        layer.op_type = "Gemm"
    graph.node.remove(norm)
    _drop_unused(graph)


def _drop_unused(graph: Any) -> None:
    used = {name for node in graph.node for name in node.input}
    made = {name for node in graph.node for name in node.output}
    for value in [one for one in graph.initializer if one.name not in used]:
        graph.initializer.remove(value)
    for value in [one for one in graph.value_info if one.name not in made]:
        graph.value_info.remove(value)
