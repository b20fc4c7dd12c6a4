"""Convolutions and dense layers in 8 bits: static, per channel, by ONNX Runtime's quantizer.

The network stays an ONNX graph in which QuantizeLinear and DequantizeLinear say where numbers are
rounded to 8 bits; ONNX Runtime and OpenVINO make 8-bit kernels of it. Activations become unsigned
bytes over the range that calibration images have, weights signed bytes with a scale per filter.
"""

import logging
from collections.abc import Collection, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.conversion.libraries import onnx_library
from convscope.conversion.network_graph import INPUT
from convscope.errors import RequestError

if TYPE_CHECKING:
    import onnx

Placement = Literal["everywhere", "layers"]
"""Where numbers are rounded: between all operations that have an 8-bit kernel, or only the inputs
of layers with weights, whose results stay float32 for what follows them.
"""

WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_LEFT_IN_FLOAT = frozenset((
    "BatchNormalization", "InstanceNormalization", "LayerNormalization", "Softmax", "ArgMax",
    "EmbedLayerNormalization", "Attention", "LSTM", "CumSum", "TopK",
))  # fmt: skip
"""They lose much by 8 bits, or have no kernel for them."""


@dataclass(frozen=True)
class Quantizer:
    """A network whose activations were seen on calibration images.

    Attributes:
        network: its graph in float32, with the shapes of all values.
        ranges: the smallest and the largest number of each activation.
    """

    network: "onnx.ModelProto"
    ranges: Any

    @classmethod
    def calibrate(
        cls, network: "onnx.ModelProto", batches: Iterable[NDArray[np.float32]]
    ) -> "Quantizer":
        """Run a network on batches of normalized images (n, c, h, w)."""
        library = _part("calibrate")
        with TemporaryDirectory() as folder, _quiet():
            path = Path(folder, "network.onnx")
            path.write_bytes(network.SerializeToString())
            calibrator = library.create_calibrator(
                path,
                augmented_model_path=str(Path(folder, "augmented.onnx")),
                calibrate_method=library.CalibrationMethod.MinMax,
            )
            calibrator.collect_data(_Reader(batches))
            ranges = calibrator.compute_data()
        return cls(onnx_library().shape_inference.infer_shapes(network), ranges)

    @property
    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Of each layer that has any, in the order of the graph, by its name: (filters, ...)."""
        stored = {values.name: values for values in self.network.graph.initializer}
        found: dict[str, NDArray[np.float32]] = {}
        for node in self.network.graph.node:
            names = [name for name in node.input if name in stored]
            if node.op_type in WEIGHTED and names:
                values = onnx_library().numpy_helper.to_array(stored[names[0]])
                found[node.name] = values.T if node.op_type == "MatMul" else values
        return found

    def quantize(
        self, *, placement: Placement = "everywhere", float_layers: Collection[str] = ()
    ) -> "onnx.ModelProto":
        """The network in 8 bits, but for `float_layers`."""
        library, qdq, registry = (
            _part(name) for name in ("quant_utils", "qdq_quantizer", "registry")
        )
        everything = {*registry.QDQRegistry, *registry.QLinearOpsRegistry} - _LEFT_IN_FLOAT
        # The logits are not rounded. Where only inputs are, results follow in float32.
        unrounded = WEIGHTED if placement == "layers" else ("Gemm", "MatMul")
        copied: onnx.ModelProto = onnx_library().ModelProto()
        copied.CopyFrom(self.network)
        with _quiet():
            quantizer = qdq.QDQQuantizer(
                copied,
                per_channel=True,
                reduce_range=False,
                weight_qType=library.QuantType.QInt8,
                activation_qType=library.QuantType.QUInt8,
                tensors_range=self.ranges,
                nodes_to_quantize=[],
                nodes_to_exclude=sorted(float_layers),
                op_types_to_quantize=sorted(WEIGHTED if placement == "layers" else everything),
                extra_options={"OpTypesToExcludeOutputQuantization": [*unrounded]},
            )
            quantizer.quantize_model()
            _shield(quantizer.model.model, float_layers)
            quantizer.model.topological_sort()
        return quantizer.model.model


def _shield(model: "onnx.ModelProto", float_layers: Collection[str]) -> None:
    """Put an operation that changes nothing before each layer that stays in float32.

    ONNX Runtime rounds the weights of any convolution or dense layer between a DequantizeLinear and
    a QuantizeLinear when it loads the network, with one scale for all filters.
    """
    helper, numpy_helper = onnx_library().helper, onnx_library().numpy_helper
    rounded = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    largest = np.finfo(np.float32).max
    for node in [node for node in model.graph.node if node.name in float_layers]:
        given = node.input[0]
        if given in rounded:
            name = f"{node.name}/float"
            bounds = {f"{name}.min": -largest, f"{name}.max": largest}
            model.graph.initializer.extend(
                numpy_helper.from_array(np.array(value, np.float32), bound)
                for bound, value in bounds.items()
            )
            model.graph.node.append(helper.make_node("Clip", [given, *bounds], [name], name=name))
            node.input[0] = name


def _part(name: str) -> Any:
    """A module of ONNX Runtime's quantizer, which has no types."""
    return import_module(f"onnxruntime.quantization.{name}")


class _Reader:
    """Batches as ONNX Runtime's calibration asks for them."""

    def __init__(self, batches: Iterable[NDArray[np.float32]]) -> None:
        self._batches = iter(batches)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def weight_scales(model: "onnx.ModelProto", layer: str) -> NDArray[np.float32]:
    """The scales of a layer's 8-bit weights: one per filter, (filters,).

    Raises RequestError where the layer has none.
    """
    graph = model.graph
    inputs = next((node.input for node in graph.node if node.name == layer), ())
    stored = {values.name: values for values in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.output[0] in inputs[1:2]:
            return onnx_library().numpy_helper.to_array(stored[node.input[1]])
    raise RequestError(f"{layer} has no 8-bit weights.")


@contextmanager
def _quiet() -> Generator[None]:
    """Without the quantizer's advice to fold batch norm, which was done."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
