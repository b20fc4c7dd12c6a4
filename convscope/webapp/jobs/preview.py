"""A preview of a training's augmentation for the page's form."""

from collections.abc import Mapping
from io import BytesIO
from threading import Lock
from typing import Any

import numpy as np

from convscope.data.source import NAMES, is_here
from convscope.errors import RequestError
from convscope.training.augmentation_sheet import draw_sheet
from convscope.training.recipe import requested_config

_IMAGES, _EPOCHS = 4, 5
_LARGEST_SIDE = 1024
_drawing = Lock()


def preview_png(data: str, settings: Mapping[str, Any]) -> bytes:
    """Training images beside what the first epochs show of them, as a PNG.

    `data` and `settings` are those that a training would be started with, as they are checked.
    Raises RequestError for what cannot be drawn, and while another is being drawn.
    """
    if data in NAMES and not is_here(data):
        raise RequestError(f"{data} is not here yet: a training downloads it.")
    config = requested_config(settings)
    if np.max(config.input_size or 0) > _LARGEST_SIDE:
        raise RequestError(f"A preview shows inputs of at most {_LARGEST_SIDE:,} pixels a side.")
    if not _drawing.acquire(blocking=False):
        raise RequestError("Another preview is being drawn. Try again when it is done.")
    try:
        sheet = draw_sheet(data, config, given=settings, count=_IMAGES, epochs=_EPOCHS)
    finally:
        _drawing.release()
    content = BytesIO()
    sheet.save(content, "PNG")
    return content.getvalue()
