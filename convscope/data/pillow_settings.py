"""Settings of Pillow that are one for the process, while any thread decodes; and its errors."""

import re
import struct
import threading
import warnings
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from PIL import Image, ImageFile

QUIET = ("ignore", None, Warning, re.compile(r"(PIL|pydicom|tifffile|convscope\.data\.dicom)\b"), 0)
"""An entry of `warnings.filters` that silences what readers say about a file."""

# What Pillow's readers have been seen to raise on malformed files. `Exception` would also swallow
# what a signal handler raises.
READER_ERRORS = (
    OSError, SyntaxError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError,
    AssertionError, NameError, BufferError, EOFError, MemoryError, RuntimeError, ImportError,
    struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip

_lock = threading.Lock()
_decoding = 0
_strict = 0
_was_lenient = False


@contextmanager
def strict_pillow() -> Generator[None]:
    """Have Pillow refuse truncated files while any thread decodes, whatever the program has set.

    `ImageFile.LOAD_TRUNCATED_IMAGES` is one for the process: with it, Pillow invents pixels. The
    first thread takes it away, the last brings it back.
    """
    global _strict, _was_lenient  # noqa: PLW0603  one per process, as Pillow's own
    with _lock:
        if not _strict:
            _was_lenient = ImageFile.LOAD_TRUNCATED_IMAGES
            ImageFile.LOAD_TRUNCATED_IMAGES = False
        _strict += 1
    try:
        yield
    finally:
        with _lock:
            _strict -= 1
            if not _strict:
                ImageFile.LOAD_TRUNCATED_IMAGES = _was_lenient


@contextmanager
def quiet_pillow() -> Generator[None]:
    """Silence Pillow's warnings while any thread decodes.

    `warnings.catch_warnings` is not thread-safe: it saves and restores the whole list of filters.
    Here the first thread adds one entry and the last removes it.
    """
    global _decoding  # noqa: PLW0603  one count per process, like the filters
    with _lock:
        _decoding += 1
        filters = cast("list[Any]", warnings.filters)
        if QUIET not in filters:
            filters.insert(0, QUIET)
    try:
        yield
    finally:
        with _lock:
            _decoding -= 1
            filters = cast("list[Any]", warnings.filters)
            if not _decoding and QUIET in filters:
                filters.remove(QUIET)
