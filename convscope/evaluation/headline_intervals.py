"""95% intervals for the figures that an evaluation is summarized by."""

from collections.abc import Callable, Sequence
from typing import Any

from convscope.evaluation.details import Details
from convscope.evaluation.figures import Figure, complement

_PERCENT = {"top-1", "exact match", "top-5", "balanced"}


def with_intervals(lines: Sequence[tuple[str, str]], details: Details) -> list[tuple[str, str]]:
    """The names and values of `Metrics.headline`, with the intervals that `details` knows."""
    return [(name, _with_interval(name, value, details)) for name, value in lines]


def interval_values(details: Details) -> dict[str, Any]:
    """The intervals as values of JSON: `f1_interval` beside `f1`, null where there is none."""
    names = {
        **({"top1": "top-1"} if details.num_groups is not None else {}),
        "top5": "top-5",
        "loss": "loss",
        "f1": "mean F1",
        "micro_f1": "micro F1",
        "balanced": "balanced",
        "kappa": "kappa",
    }
    found = {name: _figure(label, details) for name, label in names.items()}
    return {
        f"{name}_interval": None if figure.interval is None else list(figure.interval)
        for name, figure in found.items()
        if figure is not None
    }


def _with_interval(name: str, value: str, details: Details) -> str:
    figure = _figure(name, details)
    if figure is None or figure.interval is None:
        return value
    low, high = figure.interval
    form = ".2%" if name in _PERCENT else ".4f"
    text = f"95% interval {low:{form}} to {high:{form}}"
    if "95% interval" in value:  # by images; here it may be by groups
        return f"{value[: value.index('95% interval')]}{text})"
    return f"{value[:-1]}; {text})" if value.endswith(")") else f"{value}   ({text})"


def _figure(name: str, details: Details) -> Figure | None:
    """A figure by the name that the headline has for it; None for one without an interval."""
    error = details.topk.get({"top-5": "top5_error"}.get(name, "top1_error"))
    found: dict[str, Callable[[], Figure | None]] = {
        "top-1": lambda: _right(error),
        "exact match": lambda: _right(error),
        "top-5": lambda: _right(error),
        "loss": lambda: details.loss,
        "mean F1": lambda: details.averaged("f1", "macro"),
        "balanced": lambda: details.agreement.get("balanced_accuracy"),
        "kappa": lambda: details.agreement.get("quadratic_kappa"),
    }
    if details.task == "multi-label":
        found["micro F1"] = lambda: details.averaged("f1", "micro")
    return found[name]() if name in found else None


def _right(error: Figure | None) -> Figure | None:
    return None if error is None else complement(error)
