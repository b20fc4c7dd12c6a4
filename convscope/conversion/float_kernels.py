"""Which operations of a quantized network an engine still computes in float32, by reading back the
network as the engine optimized it.
"""

from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from convscope.conversion.libraries import onnx_library
from convscope.engines import EngineName, Precision

_MOVES = frozenset((
    "Cast", "Concat", "Constant", "Flatten", "Gather", "Identity", "MaxPool", "NhwcMaxPool", "Pad",
    "ReorderInput", "ReorderOutput", "Reshape", "Shape", "Slice", "Split", "Squeeze", "Transpose",
    "Unsqueeze",
))  # fmt: skip
"""What they return has the type of what they get; only the pooling computes anything. NhwcMaxPool
takes nothing but 8 bits.
"""

_ROUNDED = ("Q", "MatMulInteger", "ConvInteger")
"""How names of 8-bit kernels begin: QLinearConv, QGemm, QuantizeLinear."""

_OPENVINO_MOVES = frozenset((
    "Input", "Output", "Const", "Reorder", "Convert", "Reshape", "Transpose", "FakeQuantize",
    "ShapeOf", "Split", "Concatenation", "StridedSlice", "Gather", "Pad",
))  # fmt: skip
_INTEGERS = ("u8", "i8", "i32", "i64", "boolean")


def float_kernels(engine: EngineName, path: Path, precision: Precision = "int8") -> tuple[str, ...]:
    """The operations that are computed in float32, each as "name (operation)", in their order.

    Rounding to lower precision and back, and what only moves numbers, is not counted.
    """
    match engine:
        case "onnxruntime":
            return _in_onnxruntime(path)
        case "openvino":
            return _in_openvino(path, precision)
        case "ncnn":
            return ()  # nothing is quantized for it


def _in_onnxruntime(path: Path) -> tuple[str, ...]:
    runtime: Any = import_module("onnxruntime")
    with TemporaryDirectory() as folder:
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        options.optimized_model_filepath = str(Path(folder, "optimized.onnx"))
        runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        model: Any = onnx_library().load(options.optimized_model_filepath)
    rounded: set[str] = set()  # values in 8 bits
    found: list[str] = []
    for node in model.graph.node:
        kind = node.op_type
        is_moved = kind in _MOVES and bool(node.input) and node.input[0] in rounded
        if kind.startswith(_ROUNDED) or is_moved:
            rounded.update(node.output)
        elif kind != "DequantizeLinear" and (kind not in _MOVES or kind == "MaxPool"):
            found.append(f"{node.name} ({kind})")
    return tuple(found)


def _in_openvino(path: Path, precision: Precision) -> tuple[str, ...]:
    core: Any = import_module("openvino").Core()
    settings = {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"}
    lower = "bf16" if precision == "bf16" else None
    compiled: Any = core.compile_model(core.read_model(str(path)), "CPU", settings)
    found: list[str] = []
    for operation in compiled.get_runtime_model().get_ordered_ops():
        facts = operation.get_rt_info()
        kind = facts["layerType"].astype(str)
        computed = facts["runtimePrecision"].astype(str)
        if kind not in _OPENVINO_MOVES and computed not in (*_INTEGERS, lower):
            names = facts["originalLayersNames"].astype(str).split(",")
            found.append(f"{names[0] or operation.get_friendly_name()} ({kind})")
    return tuple(found)
