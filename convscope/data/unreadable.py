"""Why an image cannot be read."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from PIL import Image

from convscope.words import visible

MAX_PIXELS = 100_000_000

_limit = ContextVar("max_pixels", default=MAX_PIXELS)


class UnreadableImage(Exception):
    """A file or object that is not a usable image; the message is a predicate: "is empty"."""

    def __init__(self, message: str = "") -> None:
        super().__init__(visible(message))


class PillowLimit(UnreadableImage):
    """A TIFF that Pillow does not read whole, and another reader may."""


@contextmanager
def limited_pixels(limit: int) -> Generator[None]:
    """Let this thread refuse images of more than `limit` pixels, at most MAX_PIXELS."""
    before = _limit.set(limit)
    try:
        yield
    finally:
        _limit.reset(before)


def pixel_limit() -> int:
    """How many pixels an image that this thread decodes may have."""
    return _limit.get()


def refuse_size(pixels: int, limit: int = MAX_PIXELS) -> None:
    """Raise UnreadableImage for no pixels at all, or more than the limit or that of the thread."""
    limit = min(limit, pixel_limit())
    if pixels < 1:
        raise UnreadableImage("has no pixels")
    if pixels > limit:
        raise UnreadableImage(f"has {pixels:,} pixels; more than {limit:,} are refused")


def reason_of(error: BaseException) -> UnreadableImage:
    """The reason in words for what a reader raised."""
    text = error_text(error)
    if isinstance(error, Image.DecompressionBombError) and (match := re.search(r"\d+", text)):
        return UnreadableImage(
            f"has {int(match[0]):,} pixels; more than {MAX_PIXELS:,} are refused"
        )
    if isinstance(error, MemoryError):
        return UnreadableImage("needs more memory than is free")
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return UnreadableImage(f"is truncated: {text}")
    return UnreadableImage(f"is damaged: {text}")


def error_text(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:150]
