"""What a page holds: everything that its screens ask for, as compressed bytes by key."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

import numpy as np

from convscope.webapp.inspect.answers import (
    image_to_dict,
    image_to_png,
    network_to_dict,
    networks_to_dict,
    scores_to_dict,
)
from convscope.webapp.inspect.boxes import box_to_dict, boxes_to_dict
from convscope.webapp.inspect.graph import GraphRow
from convscope.webapp.inspect.maps import Rank, filter_weights, thumbnails, volume_of
from convscope.webapp.inspect.store import LoadedModel, RecordedImage
from convscope.webapp.page_file.pack import deflate, pack, pack_floats
from convscope.webapp.page_file.units import Ledgers

Blobs = dict[str, bytes]
"""Bytes by the key that `static/page_file/source.js` asks for; the first ones are needed first."""


def first_screen(images: Sequence[RecordedImage]) -> Blobs:
    """What the first screen shows."""
    blobs: Blobs = {}
    for image in images:
        blobs[f"image/{image.id}"] = image_to_png(image)
        rows = [*image.units.rows.values()]
        blobs[f"thumbnails/{image.id}"] = deflate(thumbnails(image.recording, rows))
    return blobs


def volumes(
    model: LoadedModel, images: Sequence[RecordedImage], report: Callable[[str, int, int], None]
) -> Blobs:
    """All maps, their ranks, the filters that are drawn, the pixels."""
    blobs: Blobs = {}
    steps = len(images) * len(model.rows)
    for image in images:
        blobs[f"pixels/{image.id}"] = _pixels(model, image)
        for row in model.rows:
            report("Layers", len(blobs) // 2, steps)
            blobs[f"volumes/{image.id}/{row.name}"] = pack_floats(volume_of(image.recording, row))
            if row.op != "image":
                answers = [scores_to_dict(model, image, row.name, rank) for rank in get_args(Rank)]
                blobs[f"scores/{image.id}/{row.name}"] = pack(answers)
    if model.card.boxes is not None:
        blobs |= {f"boxes/{image.id}": _boxes(model, image) for image in images}
    for row in model.rows:
        if filters := _filters(model, row):
            blobs[f"filters/{row.name}"] = filters
    return blobs


def arithmetic(several: Sequence[Ledgers]) -> Blobs:
    """The packed arithmetic of units."""
    return {
        f"units/{ledgers.image.id}/{row}/{part}": data
        for ledgers in several
        for row, parts in ledgers.parts.items()
        for part, (_, data) in enumerate(parts)
    }


def index_of(
    model: LoadedModel, images: Sequence[RecordedImage], several: Sequence[Ledgers]
) -> Mapping[str, Any]:
    """What the page reads at once: the network, the answers, which units are here."""
    network = network_to_dict(model)
    shown = [{"id": image.id, "title": image.title} for image in images]
    units = sum(int(np.prod(row.shape)) for row in model.rows if row.op != "image")
    notes = {
        ledgers.image.id: f"This file has the arithmetic of {ledgers.count:,} of the {units:,} "
        "units of this image."
        for ledgers in several
    }
    return {
        "networks": networks_to_dict([model]),
        "network": {**network, "images": shown},
        "images": {
            image.id: {**image_to_dict(model, image, notes.get(image.id, "")), "images": shown}
            for image in images
        },
        "shapes": {row.name: row.shape for row in model.rows},
        "units": {
            ledgers.image.id: {
                row: [units for units, _ in parts] for row, parts in ledgers.parts.items()
            }
            for ledgers in several
        },
        "boxes": {
            image.id: _box_names(model, image) for image in images if model.card.boxes is not None
        },
        "elsewhere": f"The lab shows the others: open {model.title} with `convscope lab`.",
    }


def _boxes(model: LoadedModel, image: RecordedImage) -> bytes:
    """What the page draws of the boxes found, and then each of them."""
    drawn = boxes_to_dict(model, image)
    return pack([drawn, *(box_to_dict(model, image, name) for name in _box_names(model, image))])


def _box_names(model: LoadedModel, image: RecordedImage) -> list[str]:
    return [box["name"] for box in boxes_to_dict(model, image)["boxes"]]


def _pixels(model: LoadedModel, image: RecordedImage) -> bytes:
    return pack(model.pixels(image))


def _filters(model: LoadedModel, row: GraphRow) -> bytes | None:
    if row.op != "conv":
        return None
    filters = [filter_weights(model.net, row, index) for index in range(row.shape[0])]
    return pack(filters) if any(one["channels"] for one in filters) else None
