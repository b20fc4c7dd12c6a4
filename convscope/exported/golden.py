"""A few images and their answers, which travel with an exported network.

The file has `images`, bytes (n, h, w, c) of the network's input size, and for each engine that
agreed with PyTorch `probabilities.ENGINE`, float64 (n, classes).
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import numpy as safetensors_numpy

from convscope.card import Card
from convscope.engines import EngineName
from convscope.errors import RequestError

_FILES: Any = safetensors_numpy  # whose types are incomplete

GOLDEN = "golden.safetensors"
_NUM_IMAGES, _NUM_BYTES = 3, 4_000_000  # at most, and one image at least

Answer = Callable[[NDArray[np.uint8]], NDArray[np.float64]]


def tolerance(precision: str) -> float:
    """By how much a probability may differ between two versions of an engine.

    What is computed with 8 or 16 bits is rounded otherwise by other kernels.
    """
    return 1e-3 if precision == "float32" else 0.05


def num_golden(card: Card) -> int:
    """How many images `export` keeps."""
    of_image = card.in_channels * math.prod(card.input_size)
    return max(1, min(_NUM_IMAGES, _NUM_BYTES // of_image))


def write_golden(
    path: Path, images: NDArray[np.uint8], answers: Mapping[str, NDArray[np.float64]]
) -> None:
    """Write images (n, h, w, c) with the probabilities (n, classes) that each engine returned."""
    named = {f"probabilities.{name}": values for name, values in answers.items()}
    content: bytes = _FILES.save({"images": np.ascontiguousarray(images), **named})
    path.write_bytes(content)  # `save_file` lets nobody else read it


def golden_difference(path: Path, engine: EngineName, answer: Answer) -> float | None:
    """The largest difference between what `answer` returns and what the engine returned.

    None where the file has nothing of this engine; infinite for what is not finite, and for other
    classes. Raises RequestError for a damaged file.
    """
    try:
        stored: dict[str, NDArray[Any]] = _FILES.load_file(path)
    except (OSError, SafetensorError) as error:
        raise RequestError(f"{path} is damaged: {error}. Export the network again.") from error
    expected = stored.get(f"probabilities.{engine}")
    if expected is None or "images" not in stored:
        return None
    found = answer(stored["images"])
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - expected).max())
