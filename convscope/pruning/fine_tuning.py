"""The settings with which a pruned network is trained again: those of its run, but for a few."""

from pathlib import Path
from typing import Any

from convscope.training.config import TrainConfig
from convscope.training.made_with import settings_in

_NOT_AGAIN = frozenset(
    {
        *("model", "weights", "weights_layers", "pretrained", "freeze", "unfreeze_every"),
        *("recipe", "engine", "simd_width", "epochs", "steps", "max_minutes", "class_names"),
        *("warmup_epochs", "lr", "in_channels", "input_size", "mean", "std", "swa_start", "swa_lr"),
    }
)
"""Settings of a run that its fine-tuning does not take over."""

_LR_SHARE = 0.1  # of the run's learning rate
_EPOCHS_SHARE = 0.3  # of its epochs


def tuning_settings(
    config: dict[str, Any],
    *,
    epochs: int | None,
    lr: float | None,
    threads: int | None,
    data_dir: str | Path | None,
) -> dict[str, Any]:
    """The settings of a run for its fine-tuning."""
    known = settings_in(config, source="config.toml")
    saved, usual = known.to_dict(), TrainConfig().to_dict()
    values = {
        name: value
        for name, value in saved.items()
        if name not in _NOT_AGAIN and value != usual.get(name)
    }
    length = max(1, round(_EPOCHS_SHARE * known.epochs)) if epochs is None else epochs
    rate = _LR_SHARE * (known.lr or 0.05) if lr is None else lr
    values |= {"epochs": length, "lr": rate, "warmup_epochs": 0.0}
    values |= {} if threads is None else {"threads": threads}
    return values | ({} if data_dir is None else {"data_dir": Path(data_dir)})
