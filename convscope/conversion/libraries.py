"""The libraries of the extra `export`, imported when they are needed."""

from importlib import import_module
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
