"""Import the libraries of the extra `medical`, one thread at a time.

Threads that import parts of pydicom together can leave it broken for the rest of the process: its
modules import each other in a circle, and Python lets one of them go on with half a module.
"""

from importlib import import_module
from threading import RLock
from typing import Any

importing = RLock()
"""Held by whoever imports a part of these libraries."""


def library(name: str) -> Any:
    """A module by its name. Raises ImportError where it is not installed."""
    with importing:
        if name.startswith("pydicom."):
            import_module("pydicom")
        return import_module(name)
