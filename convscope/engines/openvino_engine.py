"""OpenVINO, on the CPU."""

from pathlib import Path
from threading import Lock
from typing import Any

import openvino

from convscope.engines import Batch, Engine, reason_of
from convscope.errors import RequestError

_opening = Lock()


def open_model(model: Path | bytes, *, threads: int, precision: str = "float32") -> Engine:
    """Open OpenVINO's .xml, an ONNX file or its bytes. Raises RequestError if it is refused.

    Float32 stays float32: by default OpenVINO computes in bfloat16 where the processor can. With
    the precision bf16 it does, and in float32 where the processor cannot.
    """
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        "ENABLE_CPU_PINNING": False,
    }
    core: Any = openvino.Core()
    try:
        read = core.read_model(model if isinstance(model, bytes) else str(model))
        compiled: Any = core.compile_model(read, "CPU", settings)
    except Exception as error:
        raise RequestError(f"OpenVINO refuses the network: {reason_of(error)}") from error
    request: Any = compiled.create_infer_request()
    _prepare_binding()

    def run(images: Batch, /) -> Batch:
        request.infer([images], share_inputs=True)
        return request.get_output_tensor(0).data.copy()

    return run


def _prepare_binding() -> None:
    """Have OpenVINO's binding build its table of types, which the first inference would.

    Two threads that each begin with their first inference were seen to wait for each other for good
    (2026.4.1): one, at the table, wanted Python's lock, and the other held it and wanted the table.
    """
    with _opening:
        openvino.Type.f32.to_dtype()


def has_bf16() -> bool:
    """Whether the processor computes in bfloat16, by OpenVINO's account.

    Where it does not, OpenVINO takes the wish for bfloat16 without a word, and computes in float32.
    """
    core: Any = openvino.Core()
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
