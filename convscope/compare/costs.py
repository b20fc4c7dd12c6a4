"""What a network costs: parameters, multiply-adds and memory."""

from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from convscope.errors import ConvscopeError
from convscope.runs.index import JsonDict, Stamp, stamp
from convscope.summaries.api import summary
from convscope.summaries.table import Summary

_BYTES = 4  # of a float32


def network_costs(name: str, model: str) -> JsonDict:
    """The costs of the network that `model` names, trained or not, under the title `name`.

    `layers` counts the layers that multiply weights: convolutional, locally connected and dense
    ones, and projections on shortcuts. `is_counted` is False where the cost of an operation is not
    known, so that there may be more multiply-adds. `memory` is the bytes of all maps of one image
    in float32.
    """
    table = _summary(model, stamp(Path(model)))
    return {
        "name": name,
        "title": name,
        "parameters": table.parameters,
        "multiply_adds": table.multiply_adds,
        "is_counted": table.is_counted,
        "layers": sum(row.parameters > 0 and row.multiply_adds > 0 for row in table.rows),
        "size": "×".join(map(str, table.input)),
        "memory": _BYTES * table.units,
    }


@lru_cache(maxsize=128)
def _summary(model: str, _stamp: Stamp) -> Summary:
    return summary(model)


def summary_of_run(path: Path) -> Summary | None:
    """The summary of a run's network, which needs no weights; None if it cannot be built."""
    return _summary_of_run(path, stamp(path / "config.toml"))


@lru_cache(maxsize=64)
def _summary_of_run(path: Path, _stamp: Stamp) -> Summary | None:
    with suppress(ConvscopeError, OSError, KeyError):
        return summary(path)
    return None
