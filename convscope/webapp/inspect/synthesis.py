"""The image that excites a unit, a map or a class most, and what a layer knows of an image."""

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from PIL import Image
from torch import Tensor

from convscope.errors import RequestError
from convscope.explanation.recording import Recording
from convscope.synthesis.api import synthesize_opened
from convscope.synthesis.ascent import AscentSettings
from convscope.synthesis.inversion import InversionSettings, invert_opened
from convscope.synthesis.picture import to_bytes
from convscope.webapp.inspect.computations import Computation, File
from convscope.webapp.inspect.graph import GraphRow
from convscope.webapp.inspect.store import LoadedModel, RecordedImage

_BETWEEN_SECONDS = 0.4  # two pictures of one that grows
_PICTURE = "picture"


def module_of(recording: Recording, row: GraphRow) -> str:
    """The module that returns a row's units, before the activation if it can be; "" if none does.

    What functions compute has no module of its own; where it ends a block, the block returns it.
    """
    last: dict[str, str] = {}  # the operation that a module ends with
    for operation in recording.operations:
        parts = operation.module.split(".") if operation.module else []
        for count in range(1, len(parts) + 1):
            last[".".join(parts[:count])] = operation.name
    for name in row.operations:
        ending = [module for module, end in last.items() if end == name]
        if ending:
            return max(ending, key=len)
    return ""


def excite(computation: Computation, model: LoadedModel, module: str, index: Sequence[int]) -> None:
    """Compute the image that excites a unit (c, y, x), a channel (c,) or a class most."""
    opened = replace(model.copy_opened(), run=None)  # its data are shown elsewhere
    name = f"{module}[{','.join(map(str, index))}]" if module else str(index[0])
    computation.report("Starting")
    found = synthesize_opened(
        opened,
        [name],
        AscentSettings(),
        on_progress=lambda _doing, done, total: computation.report("Steps", done, total),
        on_pixels=_publisher(computation),
    )
    [picture] = found.pictures
    files = {} if picture.pixels is None else {_PICTURE: _png(picture.pixels)}
    if picture.pixels is None:
        computation.files = {}
    computation.publish(
        {
            **picture.to_dict(),
            "steps": found.settings.steps,
            "line": found.lines[0],
            "notes": list(found.notes),
            "is_final": True,
        },
        files,
    )


def invert_layer(
    computation: Computation, model: LoadedModel, image: RecordedImage, module: str
) -> None:
    """Compute an image that a layer answers as it answers the open one."""
    opened = model.copy_opened()
    as_it_is = replace(opened.card, resize_size=None)  # the pixels have been resized and cropped
    computation.report("Starting")
    found = invert_opened(
        replace(opened, card=as_it_is),
        image.pixels,
        [module],
        InversionSettings(),
        on_progress=lambda _doing, done, total: computation.report("Steps", done, total),
        on_pixels=_publisher(computation),
    )
    [layer] = found.layers
    computation.publish(
        {
            **found.to_dict()["layers"][0],
            "num_inputs": int(found.image.size),
            "steps": found.settings.steps,
            "line": found.lines[0],
            "notes": list(found.notes),
            "is_final": True,
        },
        {_PICTURE: _png(layer.pixels)},
    )


def check_module(module: str, row: GraphRow) -> None:
    """Raise RequestError for a row that no module returns."""
    if not module:
        raise RequestError(
            f"{row.name} is computed by a function and ends no module, and pictures are computed "
            "for what modules return. Choose the layer before or after it."
        )


def _publisher(computation: Computation) -> Callable[[Tensor], None]:
    """Shows the picture as it grows, a few times a second."""
    shown_at = -_BETWEEN_SECONDS

    def publish(pixels: Tensor) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at >= _BETWEEN_SECONDS:
            shown_at = time.monotonic()
            computation.publish({"is_final": False}, {_PICTURE: _png(to_bytes(pixels)[0].numpy())})

    return publish


def _png(pixels: Any) -> File:
    """Bytes (h, w, c) as a file."""
    content = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(content, "PNG")
    return File(content.getvalue(), "image/png")
