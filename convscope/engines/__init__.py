"""What runs an exported network: one module per engine; none of them imports PyTorch.

An engine is opened for a file and a number of threads, and then maps float32 (n, c, h, w), the
normalized images, to float32 (n, classes), what the network returns.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.errors import ConvscopeError, RequestError, WorkError

EngineName = Literal["onnxruntime", "openvino", "ncnn"]
Precision = Literal["float32", "bf16", "int8"]
"""Of the numbers that an engine computes with. For 8 bits its file is another; bf16 is a wish."""

ENGINES: tuple[EngineName, ...] = get_args(EngineName)

Batch = NDArray[np.float32]


class Engine(Protocol):
    """A network that is ready to run."""

    def __call__(self, images: Batch, /) -> Batch:
        """What the network returns, float32 (n, classes), for images (n, c, h, w)."""
        ...


FILES: dict[EngineName, str] = {
    "onnxruntime": "model.onnx",
    "openvino": "model.xml",
    "ncnn": "model.ncnn.param",
}
"""The file of an exported folder that each engine opens."""


def files_of(name: EngineName) -> tuple[str, ...]:
    """All files of an exported folder that the engine reads: FILES, and where its weights are."""
    first = FILES[name]
    return (first,) if name == "onnxruntime" else (first, first.rpartition(".")[0] + ".bin")


def is_installed(name: EngineName) -> bool:
    """Whether the engine's package is there; it is not imported."""
    return find_spec(name) is not None


def installed_version(name: EngineName) -> str:
    """The version of an engine's package. Raises RequestError where it is not installed."""
    from importlib import metadata  # noqa: PLC0415 -- it takes as long as an answer

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError as error:
        raise RequestError(_missing(name)) from error


def open_engine(
    name: EngineName,
    model: Path | bytes,
    *,
    threads: int,
    batch_size: int = 1,
    precision: str = "float32",
    spin: bool = True,
) -> Engine:
    """Load a network into an engine, for `threads` threads.

    Args:
        model: the file, see FILES, or for onnxruntime and openvino the bytes of an ONNX file.
        batch_size: how many images come together most often; other numbers are computed as well.
        precision: as `Precision`. In bf16 OpenVINO alone computes, where the processor can.
        spin: whether ONNX Runtime's threads wait for one another at full speed within a batch. It
            is faster so, but slows down what else the processors do, such as decoding images.

    Raises RequestError where the engine is not installed, or refuses the file.
    """
    opened: Callable[..., Engine] = _module_of(name).open_model
    settings: dict[EngineName, dict[str, Any]] = {
        "onnxruntime": {"spin": spin},
        "openvino": {"batch_size": batch_size, "precision": precision},
    }
    return _telling_why(name, opened(model, threads=threads, **settings.get(name, {})))


def open_workers(
    name: EngineName, model: Path, *, count: int, batch_size: int, precision: str = "float32"
) -> Sequence[Engine]:
    """Load a network once, for `count` callers at the same time that have one thread each.

    They take up to `batch_size` images. Not of ncnn, which keeps Python's lock. Raises
    RequestError as `open_engine` does.
    """
    opened: Callable[..., Sequence[Engine]] = _module_of(name).open_workers
    settings: dict[EngineName, dict[str, Any]] = {
        "openvino": {"batch_size": batch_size, "precision": precision},
    }
    workers = opened(model, count=count, **settings.get(name, {}))
    return [_telling_why(name, worker) for worker in workers]


def _module_of(name: EngineName) -> ModuleType:
    if not is_installed(name):
        raise RequestError(_missing(name))
    return import_module(f"convscope.engines.{name}_engine")


def _telling_why(name: EngineName, engine: Engine) -> Engine:
    """An engine that raises WorkError, with its own reason, for what it cannot compute."""

    def run(images: Batch, /) -> Batch:
        try:
            return engine(images)
        except ConvscopeError:
            raise
        except Exception as error:  # engines' exceptions have no common base
            raise WorkError(f"{name} could not compute the network: {reason_of(error)}") from error

    return run


def reason_of(error: Exception) -> str:
    """The line of an engine's message that says why; OpenVINO's stands last, before a summary.

    >>> reason_of(RuntimeError("Check failed:\\nUnsupported mode: [wrap]\\n\\nSummary:\\n-- Pad"))
    'Unsupported mode: [wrap]'
    """
    lines = [line for line in str(error).partition("Summary:")[0].splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__


def _missing(name: EngineName) -> str:
    extra = "export" if name == "onnxruntime" else name
    return f"{name} is not installed: `pip install 'convscope[{extra}]'`."
