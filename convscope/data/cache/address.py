"""Where decoded images lie: one folder for all that were read and scaled in one way."""

import os
from dataclasses import asdict
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from convscope.card import Card
from convscope.data.download import cache_dir
from convscope.words.json_text import to_json

FORMAT = 1
"""Counts the ways in which these folders were written and images were scaled."""

_INDIFFERENT = ("classes", "mean", "std", "output", "value_range", "provenance")
"""The fields of a card that pixels do not depend on before they are normalized; and the range of
deep images, which is part of what identifies their pixels, see `pixels_id`."""
_LIBRARIES = ("convscope", "pillow", "torch", "simplejpeg", "pydicom", "tifffile")


def decoded_dir() -> Path:
    """The folder of decoded images: $CONVSCOPE_CACHE, or `decoded` among the downloads."""
    folder = os.environ.get("CONVSCOPE_CACHE")
    return Path(folder) if folder else cache_dir() / "decoded"


def folder_name(card: Card, side: int | None) -> str:
    """The name of the folder for images that are read as `card` says, and larger ones scaled to a
    shorter side of `side`.

    It has a digest of everything that pixels depend on beside the files themselves, the versions of
    convscope and of the libraries that decode and scale included.
    """
    fields = asdict(card)
    deciding = {name: value for name, value in fields.items() if name not in _INDIFFERENT}
    libraries = {name: _version(name) for name in _LIBRARIES}
    text = to_json([deciding, side, libraries])
    return f"{FORMAT}-{blake2b(text.encode(), digest_size=12).hexdigest()}"


def is_earlier(name: str) -> bool:
    """Whether a folder of this name was written in an earlier format, which nothing reads."""
    number, _, digest = name.partition("-")
    return number.isdigit() and len(digest) == 24 and int(number) < FORMAT


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
