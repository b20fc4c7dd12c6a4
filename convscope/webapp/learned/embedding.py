"""The map of images at a layer, for the page."""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from convscope.atomic import write_atomically
from convscope.features.embedding.api import draw_map
from convscope.features.embedding.projection import Method
from convscope.features.embedding.result import EmbeddingResult
from convscope.features.layer_pass import LayerPass
from convscope.webapp.learned.subject import Report, Subject

IMAGES = 2000
"""Points of a map, at most."""

_THUMBNAIL = 32  # pixels of a side


def study_map(subject: Subject, row: str, method: Method, report: Report) -> None:
    """Draw the map of images at a row; save its points, and their thumbnails in one picture."""
    opened = subject.model.copy_opened()
    out = subject.model.row(row).out
    layer_pass = LayerPass(opened.net, opened.card, [out], before_activation=True)
    images = subject.images.load(lambda done, total: report("Reading images", done, total))
    result, _ = draw_map(
        opened,
        layer_pass,
        images,
        method=method,
        max_images=IMAGES,
        seed=0,
        on_progress=report,
    )
    columns = math.ceil(math.sqrt(len(result.points)))
    path = sheet_path(subject, row, method)
    subject.cache.make_folder()
    write_atomically(path, _sheet(result, columns))
    subject.cache.write(map_path(subject, row, method), _content(result, columns))


def map_path(subject: Subject, row: str, method: str) -> Path:
    return subject.cache.path(f"map-{method}", subject.model.row(row).out)


def sheet_path(subject: Subject, row: str, method: str) -> Path:
    return map_path(subject, row, method).with_suffix(".png")


def _content(result: EmbeddingResult, columns: int) -> dict[str, Any]:
    low, high = result.points.min(0), result.points.max(0)
    scaled = (result.points - low) / max(float((high - low).max()), 1e-12)
    return {
        "images": len(result.points),
        "all": result.num_all,
        "data": result.data,
        "lines": [result.about, str(result.trust)],
        "notes": list(result.notes),
        "x": [round(float(number), 5) for number in scaled[:, 0]],
        "y": [round(float(number), 5) for number in scaled[:, 1]],
        "names": list(result.names),
        "labels": result.labels.tolist(),
        "predicted": result.predicted.tolist(),
        "truths": list(result.truths) if result.colors else None,
        "answers": list(result.answers) if result.colors else None,
        "label": result.label,
        "colors": [
            {
                "name": each.name,
                "classes": each.classes,
                "labels": each.labels.tolist(),
                "predicted": each.predicted.tolist(),
            }
            for each in result.colors
        ],
        "side": _THUMBNAIL,
        "columns": columns,
    }


def _sheet(result: EmbeddingResult, columns: int) -> bytes:
    rows = -(-len(result.pixels) // columns)
    sheet = Image.new("RGB", (columns * _THUMBNAIL, rows * _THUMBNAIL))
    for number, pixels in enumerate(np.asarray(result.pixels)):
        row, column = divmod(number, columns)
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        thumbnail = picture.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BILINEAR)
        sheet.paste(thumbnail, (column * _THUMBNAIL, row * _THUMBNAIL))
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()
