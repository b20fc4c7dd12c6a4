"""How directly the classes can be read from each level of a network, for the page."""

from typing import Any

from convscope.errors import ConvscopeError, RequestError
from convscope.features.layer_pass import LayerPass
from convscope.features.probes import probe_layers
from convscope.features.probes_result import LayerProbe, ProbesResult
from convscope.features.unit_layers import UnitLayer, find_layers, record_blank
from convscope.levels.choice import choose_levels
from convscope.recording import ForwardPass
from convscope.webapp.inspect.graph import GraphRow
from convscope.webapp.learned.subject import Report, Subject


def study_probes(subject: Subject, report: Report) -> None:
    """Fit a linear classifier to each level, and save how good it is.

    Raises RequestError for data without a train and a test split.
    """
    opened = subject.model.copy_opened()
    levels = _levels(record_blank(opened.net, opened.card))
    if not levels:
        raise RequestError(f"{subject.model.title} has no layer below its classes to read from.")
    layer_pass = LayerPass(opened.net, opened.card, [level.name for level in levels])
    result = probe_layers(opened, layer_pass, subject.path, on_progress=report)
    rows = {level.name: subject.row_of(level.source) for level in levels}
    subject.cache.write(subject.cache.path("probes"), _content(result, rows))


def _levels(recorded: ForwardPass) -> list[UnitLayer]:
    """The levels below the classes; of a network without maps its layers but for the last."""
    try:
        levels = choose_levels(recorded)[:-1]
    except ConvscopeError:
        levels = []
    return levels or find_layers(recorded.operations)[:-1]


def _content(result: ProbesResult, rows: dict[str, GraphRow | None]) -> dict[str, Any]:
    count = result.layers[0].num_images
    return {
        "images": count,
        "data": result.data,
        "num_train": result.num_train,
        "notes": list(result.notes),
        "labels": [
            {
                "label": each.label,
                "majority": each.majority,
                "network": each.network_correct / count,
                "layers": [
                    _layer(probe, rows[probe.layer])
                    for probe in result.layers
                    if probe.label == each.label
                ],
            }
            for each in result.baselines
        ],
    }


def _layer(probe: LayerProbe, row: GraphRow | None) -> dict[str, Any]:
    low, high = probe.interval
    return {
        "layer": probe.layer,
        "row": row.name if row else "",
        "features": probe.num_features,
        "accuracy": probe.accuracy,
        "low": low,
        "high": high,
        "train_accuracy": probe.train_accuracy,
    }
