"""The files that engines open, written from a network's ONNX graph."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from convscope.conversion.libraries import onnx_library, pnnx_command
from convscope.engines import FILES, EngineName, files_of, reason_of
from convscope.errors import WorkError

if TYPE_CHECKING:
    import onnx

_SECONDS = 600  # that pnnx may take
_LOWEST = float(np.finfo(np.float32).min)


def write_engine_file(name: EngineName, folder: Path, network: "onnx.ModelProto") -> Path:
    """Write what an engine opens into a folder, if it is not there yet, and return its path.

    All of them hold the weights in float32. Raises RequestError where a converter is not
    installed, WorkError where it refuses the network.
    """
    path = folder / FILES[name]
    if not path.exists():
        match name:
            case "onnxruntime":
                path.write_bytes(network.SerializeToString())
            case "openvino":
                _write_openvino(path, network)
            case "ncnn":
                _write_ncnn(folder, network)
    return path


def _write_openvino(path: Path, network: "onnx.ModelProto") -> None:
    import openvino  # noqa: PLC0415 -- an extra

    try:
        converted: Any = openvino.Core().read_model(network.SerializeToString())
        openvino.save_model(converted, str(path), compress_to_fp16=False)
    except Exception as error:
        raise WorkError(f"OpenVINO refuses the network: {reason_of(error)}") from error


def _write_ncnn(folder: Path, network: "onnx.ModelProto") -> None:
    command = pnnx_command()
    shape = [value.dim_value or 1 for value in network.graph.input[0].type.tensor_type.shape.dim]
    sides = ",".join(map(str, shape))
    with TemporaryDirectory() as temporary:
        source = Path(temporary, "model.onnx")
        source.write_bytes(_padded_before_pooling(network).SerializeToString())
        try:
            subprocess.run(  # noqa: S603 -- the program of an installed package
                [command, source.name, f"inputshape=[{sides}]", "fp16=0"],
                cwd=temporary, check=True, capture_output=True, timeout=_SECONDS,
            )  # fmt: skip
            for name in files_of("ncnn"):
                Path(temporary, name).replace(folder / name)
        except (subprocess.SubprocessError, FileNotFoundError) as error:
            raise WorkError("pnnx could not convert the network for ncnn.") from error


def _padded_before_pooling(network: "onnx.ModelProto") -> "onnx.ModelProto":
    """A copy whose pooling pads both ends of an axis alike, or not at all and has a Pad before it.

    pnnx pads twice where both ends of an axis are padded, and by different numbers.
    """
    helper = onnx_library().helper
    copied = onnx_library().ModelProto()
    copied.CopyFrom(network)
    nodes: list[Any] = []
    for node in copied.graph.node:
        marks = {mark.name: mark for mark in node.attribute}
        if _is_padded_unevenly(node.op_type, marks):
            pads = [*marks["pads"].ints]
            half = len(pads) // 2
            name = f"{node.output[0]}.padded"
            axes = [0, 0, *pads[:half], 0, 0, *pads[half:]]
            value = _LOWEST if node.op_type == "MaxPool" else 0.0
            initializers = copied.graph.initializer
            initializers.append(helper.make_tensor(f"{name}.by", 7, [len(axes)], axes))
            initializers.append(helper.make_tensor(f"{name}.value", 1, [], [value]))
            inputs = [node.input[0], f"{name}.by", f"{name}.value"]
            nodes.append(helper.make_node("Pad", inputs, [name], name=name, mode="constant"))
            node.input[0] = name
            marks["pads"].ints[:] = [0] * len(pads)
        nodes.append(node)
    del copied.graph.node[:]
    copied.graph.node.extend(nodes)
    return copied


def _is_padded_unevenly(kind: str, marks: Mapping[str, Any]) -> bool:
    """Whether a pooling pads the ends of an axis by different numbers, and a Pad may do it."""
    if kind == "AveragePool" and not (
        "count_include_pad" in marks and marks["count_include_pad"].i
    ):
        return False
    if kind not in {"MaxPool", "AveragePool"} or "pads" not in marks:
        return False
    pads = [*marks["pads"].ints]
    half = len(pads) // 2
    return pads[:half] != pads[half:]
