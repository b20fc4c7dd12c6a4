"""ONNX Runtime, on the CPU."""

from pathlib import Path
from typing import Any

import onnxruntime  # pyright: ignore[reportMissingTypeStubs]

from convscope.engines import Batch, Engine
from convscope.errors import RequestError


def open_model(model: Path | bytes, *, threads: int) -> Engine:
    """Open an ONNX file, or its bytes. Raises RequestError where ONNX Runtime refuses it."""
    session = open_session(model, threads=threads)
    (first,) = session.get_inputs()

    def run(images: Batch, /) -> Batch:
        return session.run(None, {first.name: images})[0]

    return run


def open_session(model: Path | bytes, *, threads: int) -> Any:
    """The session of an ONNX file, or of its bytes, whatever its inputs and outputs are."""
    runtime: Any = onnxruntime
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors, which are raised as well
    # Between batches, threads that wait at full speed would take it from decoding and from others.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    source = model if isinstance(model, bytes) else str(model)
    try:
        return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base
        raise RequestError(f"ONNX Runtime refuses the network: {error}") from error
