"""What a network costs: parameters, multiply-adds and memory."""

from functools import lru_cache
from pathlib import Path

from convscope.errors import ConsentError, ConvscopeError
from convscope.runs.folder import Run
from convscope.runs.index import JsonDict, Stamp, stamp
from convscope.runs.own_code import NO_CONSENT, Consent
from convscope.summaries.api import summarize_run, summary
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


def summary_of_run(path: Path, consent: Consent = NO_CONSENT) -> Summary | None:
    """The summary of a run's network, which needs no weights; None if it cannot be built."""
    found = _summary_of_run(path, consent, stamp(path / "config.toml"))
    return found if isinstance(found, Summary) else None


def closed_network(path: Path, consent: Consent = NO_CONSENT) -> str:
    """Why the network of a run is not built: its code is not allowed. Else empty."""
    found = _summary_of_run(path, consent, stamp(path / "config.toml"))
    return found if isinstance(found, str) else ""


@lru_cache(maxsize=64)
def _summary_of_run(path: Path, consent: Consent, _stamp: Stamp) -> Summary | str | None:
    try:
        return summarize_run(Run(path), consent)
    except ConsentError as error:
        return f"The costs of {path.name} are unknown. {error}"
    except (ConvscopeError, OSError, KeyError):
        return None
