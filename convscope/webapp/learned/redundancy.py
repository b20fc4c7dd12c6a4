"""Which maps of a network are twins or dead over a data set, for the page."""

from dataclasses import asdict
from typing import Any

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
    subject.cache.write(subject.cache.path("redundancy"), content)


def _layer(layer: LayerRedundancy, row: GraphRow | None) -> dict[str, Any]:
    pairs = layer.pairs
    low, high = layer.rank_interval
    return {
        "layer": layer.name,
        "row": row.name if row else "",
        "maps": len(layer),
        "dead": layer.dead,
        "groups": layer.groups,
        "redundant": layer.redundant,
        "rank": layer.rank,
        "rank_interval": [low, high],
        "num_pairs": len(pairs),
        "pairs": [{**asdict(pair), "is_sure": pair.is_sure} for pair in pairs[:_PAIRS]],
    }
