"""The libraries of the extra `export`, imported when they are needed."""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from convscope.errors import RequestError


def onnx_library() -> Any:
    """`onnx`. Raises RequestError where it is not installed, naming the extra."""
    return _imported("onnx")


def onnxscript_library() -> Any:
    """`onnxscript`, which PyTorch's exporter needs. Raises RequestError where it is missing."""
    return _imported("onnxscript")


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise RequestError(
            f"Writing ONNX needs {name}, which is not installed: `pip install 'convscope[export]'`."
        ) from error


def pnnx_command() -> Path:
    """The program pnnx. Raises RequestError where it is not installed, naming the extra.

    Its Python package would be imported with PyTorch's tracer, which is not needed.
    """
    spec = find_spec("pnnx")
    if spec is None or spec.origin is None:
        raise RequestError(
            "Converting for ncnn needs pnnx, which is not installed: "
            "`pip install 'convscope[ncnn]'`."
        )
    program = "pnnx.exe" if sys.platform == "win32" else "pnnx"
    return Path(spec.origin).parent / program
