"""What a network is and what it was trained on, as names and values that need no code to read."""

from collections.abc import Iterator, Mapping
from typing import Any

from convscope.card import Card, TaskName
from convscope.models import OpenedModel

_TASKS: dict[TaskName, str] = {
    "single-label": "one class for each image",
    "multi-label": "any number of labels for each image",
    "ordinal": "one grade for each image",
    "detection": "any number of objects in boxes for each image",
}
_SHOWN = 12  # names of classes


def about(opened: OpenedModel, metrics: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """The facts of a network by name; `metrics` are the epochs of its training."""
    card = opened.card
    parameters = sum(weight.numel() for weight in opened.net.parameters())
    return [
        ("Network", card.provenance.get("network", opened.name)),
        ("Answers", f"{_TASKS[card.task]}, of {len(card.classes)}: {_names(card)}"),
        ("Input", _input(card)),
        ("Parameters", f"{parameters:,}"),
        *_of_training(opened, metrics),
    ]


def _of_training(
    opened: OpenedModel, metrics: list[Mapping[str, Any]]
) -> Iterator[tuple[str, str]]:
    if weights := opened.card.provenance.get("weights"):
        yield "Starts from", weights
    if opened.run is None:
        return
    config = opened.run.read_config()
    data: Mapping[str, Any] = config.get("dataset", {})
    counts = [
        f"{data[split]:,} {name}"
        for split, name in (("train", "training"), ("val", "validation"), ("test", "test"))
        if isinstance(data.get(split), int)
    ]
    yield "Trained on", f"{data.get('name', 'unknown data')}: {', '.join(counts)} images"
    if config.get("group_column") or config.get("group_pattern"):
        by = config.get("group_column") or config.get("group_pattern")
        yield "Groups", f"images of one group are in one split only, by {by}"
    if metrics:
        best = next((line["epoch"] for line in reversed(metrics) if line.get("best")), None)
        kept = "" if best is None else f"; the weights of epoch {best} are kept"
        yield "Training", f"{len(metrics)} epoch{'s' * (len(metrics) != 1)}{kept}"
        if changes := [line["lr_changes"] for line in metrics if line.get("lr_changes")]:
            yield "Learning rate", f"set by hand while it trained: {'; '.join(changes)}"
    versions: Mapping[str, Any] = config.get("versions", {})
    if versions:
        yield "Made with", f"convscope {versions.get('convscope')}, torch {versions.get('torch')}"


def _names(card: Card) -> str:
    rest = len(card.classes) - _SHOWN
    return ", ".join(card.classes[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _input(card: Card) -> str:
    kind = {1: "gray", 3: "color"}.get(card.in_channels, f"{card.in_channels} channels")
    return f"{card.input_size[1]} x {card.input_size[0]} pixels, {kind}"
