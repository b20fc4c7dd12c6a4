"""Which maps of a network are twins or dead over a data set, for the page."""

import base64
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from convscope.features.redundancy import DEAD
from convscope.features.similarity import CORRELATED
from convscope.features.unit_layers import find_layers, record_blank
from convscope.map_similarity.api import measure_layers
from convscope.map_similarity.layer import LayerRedundancy
from convscope.webapp.inspect.graph import GraphRow
from convscope.webapp.learned.subject import Report, Subject

IMAGES = 2000
"""Over how many images maps are compared, at most."""

_PAIRS = 50  # of a layer
_MOST = 1024  # maps of a layer of which every two are drawn


def study_redundancy(subject: Subject, report: Report) -> None:
    """Compare the maps of every convolution, and save what is found."""
    opened = subject.model.copy_opened()
    images = subject.images.load(lambda done, total: report("Reading images", done, total))
    layers, note = measure_layers(
        opened,
        images,
        None,
        max_images=IMAGES,
        on_progress=lambda done, total: report("Comparing maps", done, total),
    )
    operations = record_blank(opened.net, opened.card).operations
    rows = {layer.name: subject.row_of(layer.source) for layer in find_layers(operations)}
    content = {
        "images": layers[0].num_images,
        "data": images.description,
        "correlated": CORRELATED,
        "dead_share": DEAD,
        "notes": [*filter(None, [opened.note, note])],
        "layers": [_layer(layer, rows[layer.name]) for layer in layers],
    }
    for layer in layers:
        if 1 < len(layer) <= _MOST:
            subject.cache.write(matrix_path(subject, layer.name), _matrix(layer))
    subject.cache.write(subject.cache.path("redundancy"), content)


def matrix_path(subject: Subject, layer: str) -> Path:
    """The file with the similarity of every two maps of a layer."""
    return subject.cache.path("similarity", layer)


def _matrix(layer: LayerRedundancy) -> dict[str, Any]:
    """Every two maps in the order of the picture, in percent, row by row, as base64 of int8."""
    at = np.ix_(layer.order, layer.order)
    values = np.tril(layer.correlation[at]) + np.triu(layer.alignment[at], 1)
    percent = np.round(100 * np.clip(values, -1, 1)).astype(np.int8)
    return {"order": layer.order, "percent": base64.b64encode(percent.tobytes()).decode()}


def _layer(layer: LayerRedundancy, row: GraphRow | None) -> dict[str, Any]:
    pairs = layer.pairs
    low, high = layer.rank_interval
    return {
        "layer": layer.name,
        "row": row.name if row else "",
        "maps": len(layer),
        "has_matrix": 1 < len(layer) <= _MOST,
        "dead": layer.dead,
        "groups": layer.groups,
        "redundant": layer.redundant,
        "rank": layer.rank,
        "rank_interval": [low, high],
        "num_pairs": len(pairs),
        "pairs": [{**asdict(pair), "is_sure": pair.is_sure} for pair in pairs[:_PAIRS]],
    }
