"""The settings of several runs side by side, those that differ first."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convscope.errors import ConvscopeError
from convscope.runs.folder import Run
from convscope.runs.index import JsonDict
from convscope.training.config import TrainConfig
from convscope.training.fine_tuning import FROM_SCRATCH
from convscope.training.setting import settings_of

_FINGERPRINT = 12  # digits that are shown
_METADATA = (
    ("dataset", "name", "data set", "Data", "What the data are called."),
    ("dataset", "fingerprint", "fingerprint", "Data", "Of every image, its name and its class."),
    ("dataset", "train", "training images", "Data", "Number of images."),
    ("dataset", "val", "validation images", "Data", "Number of images."),
    ("dataset", "test", "test images", "Data", "Number of images."),
    ("machine", "device", "computed on", "Machine", "The device that the setting device chose."),
    ("machine", "threads", "threads used", "Machine", "The number that the setting threads gave."),
    ("machine", "cpu", "instructions", "Machine", "The processor's vector instructions."),
    ("versions", "convscope", "convscope", "Versions", ""),
    ("versions", "torch", "torch", "Versions", ""),
    ("versions", "numpy", "numpy", "Versions", ""),
    ("versions", "pillow", "pillow", "Versions", ""),
    ("versions", "python", "python", "Versions", ""),
)
"""Metadata in a run's config: table, key, and the row's name, group and help."""


def setting_rows(
    configs: Sequence[Mapping[str, Any]], set_by_hand: Sequence[str] = ()
) -> list[JsonDict]:
    """A row for each setting, and for metadata of data and machine, with a value per config.

    `set_by_hand` says of each run when its learning rate was set by hand; "" where it was not. Rows
    that differ come first. A value is None where it was left open or is unknown.
    """
    defaults = {**FROM_SCRATCH, **TrainConfig().to_dict()}  # older runs lack what was new later
    rows = [_row("data", "Data", "What was trained on.", [c.get("data") for c in configs])]
    for name, field in settings_of(TrainConfig).items():
        values = [config.get(name, defaults.get(name)) if config else None for config in configs]
        rows.append(_row(name, field.setting.group, field.setting.help, values))
    if any(set_by_hand):
        group = settings_of(TrainConfig)["lr"].setting.group
        changes = [change or None for change in set_by_hand]
        rows.append(_row("learning rate set by hand", group, "While it was trained.", changes))
    for table, key, name, group, help_text in _METADATA:
        values = [config.get(table, {}).get(key) for config in configs]
        if key == "fingerprint":
            values = [value and str(value)[:_FINGERPRINT] for value in values]
        rows.append(_row(name, group, help_text, values))
    return sorted(rows, key=lambda row: not row["differs"])


def rates_by_hand(path: Path) -> str:
    """When the learning rate of a run was set by hand, from what to what; "" if it was not."""
    try:
        lines = Run(path).read_metrics()
    except ConvscopeError:
        return ""
    return "; ".join(filter(None, (line.get("lr_changes") for line in lines)))


def _row(name: str, group: str, help_text: str, values: Sequence[Any]) -> JsonDict:
    differs = any(value != values[0] for value in values)
    row: JsonDict = {"name": name, "group": group, "help": help_text}
    return {**row, "values": list(values), "differs": differs}
