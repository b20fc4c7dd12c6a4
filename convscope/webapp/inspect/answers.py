"""What the screens Network, Maps and Unit are told of a network and its images, as JSON."""

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convscope.webapp.inspect.maps import rank_maps
from convscope.webapp.inspect.store import LoadedModel, RecordedImage


def networks_to_dict(models: Iterable[LoadedModel]) -> dict[str, Any]:
    """The networks to choose from, and the one to open first."""
    listed = [{"id": model.id, "title": model.title} for model in models]
    return {"networks": listed, "first": listed[0]["id"] if listed else None}


def network_to_dict(model: LoadedModel) -> dict[str, Any]:
    """One network: its card, its images, and its layers as rows."""
    return {
        "id": model.id,
        "title": model.title,
        "warning": model.warning,
        "classes": model.card.classes,
        "channels": model.card.in_channels,
        "size": model.card.input_size,
        "images": _image_list(model),
        "answer": model.answer_row,
        "finds_boxes": model.card.boxes is not None,
        "rows": [row.to_dict() for row in model.rows],
    }


def image_to_dict(model: LoadedModel, image: RecordedImage, note: str = "") -> dict[str, Any]:
    """What the network predicts for an image; the page shows `note` below it."""
    return {
        "id": image.id,
        "title": image.title,
        "predictions": model.predictions(image),
        "expected_grade": model.expected_grade(image),
        "images": _image_list(model),
        "note": note,
    }


def image_to_png(image: RecordedImage) -> bytes:
    """The image as the network sees it, before its bytes are normalized."""
    pixels, file = image.pixels, io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def scores_to_dict(
    model: LoadedModel, image: RecordedImage, row_name: str, rank: str
) -> dict[str, Any]:
    """The maps of a row ranked by a question, see `rank_maps`."""
    row = model.row(row_name)

    def mean() -> tuple[NDArray[np.float32] | None, str]:
        return model.mean_volume(image, row)

    return rank_maps(rank, image.recording, row, model.net, mean).to_dict()


def _image_list(model: LoadedModel) -> list[dict[str, str]]:
    return [{"id": image.id, "title": image.title} for image in model.images]
