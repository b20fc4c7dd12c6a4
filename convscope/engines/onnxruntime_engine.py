"""ONNX Runtime, on the CPU."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnxruntime  # pyright: ignore[reportMissingTypeStubs]

from convscope.engines import Batch, Engine
from convscope.errors import RequestError


def open_model(model: Path | bytes, *, threads: int, spin: bool = True) -> Engine:
    """Open an ONNX file, or its bytes. Raises RequestError where ONNX Runtime refuses it."""
    session = open_session(model, threads=threads, spin=spin)
    (first,) = session.get_inputs()

    def run(images: Batch, /) -> Batch:
        return session.run(None, {first.name: images})[0]

    return run


def open_workers(model: Path, *, count: int) -> Sequence[Engine]:
    """One session, which any number of threads may call at the same time."""
    return [open_model(model, threads=1)] * count


def open_session(model: Path | bytes, *, threads: int, spin: bool = True) -> Any:
    """The session of an ONNX file, or of its bytes, whatever its inputs and outputs are.

    With `spin`, its threads wait for one another at full speed within a batch, never between two.
    """
    runtime: Any = onnxruntime
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors, which are raised as well
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin else "0")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    source = model if isinstance(model, bytes) else str(model)
    try:
        return runtime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base
        raise RequestError(f"ONNX Runtime refuses the network: {error}") from error
