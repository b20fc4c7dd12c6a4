"""What a run folder records of its request and its machine, and the space that it will take."""

import platform
import shutil
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from convscope.data.dataset import SPLITS
from convscope.data.loading import LoadedDataset
from convscope.data.objects import describe_data
from convscope.data.source import NAMES, DataLike
from convscope.device import Precision
from convscope.distributed.group import ALONE, Group
from convscope.errors import WorkError
from convscope.mixed_precision import instructions
from convscope.runs import own_code
from convscope.training import own_augmentation
from convscope.training.config import TrainConfig, decided
from convscope.words.csv_text import to_csv
from convscope.zoo.files import is_file


def run_config(
    data: DataLike,
    config: TrainConfig,
    loaded: LoadedDataset,
    device: torch.device,
    group: Group = ALONE,
) -> dict[str, Any]:
    """The contents of config.toml: the settings, then tables that describe this run.

    Paths are made absolute, so that they are valid from any folder.
    """
    packages = ("convscope", "numpy", "pillow", "torch")
    config = absolute_paths(config)
    return {
        "data": recorded_data(data),
        **config.to_dict(),
        "dataset": {
            "name": loaded.dataset.name,
            "fingerprint": loaded.fingerprint,
            **{split: len(loaded.dataset.indices(split)) for split in SPLITS},
        },
        "machine": environment(device, group, precision=config.precision),
        "versions": {"python": platform.python_version(), **{p: version(p) for p in packages}},
        "network": own_code.record(config.model, config.weights),
        **own_augmentation.record(decided(config.augment)),
    }


def absolute_paths(config: TrainConfig) -> TrainConfig:
    """The settings with paths that are valid from any folder."""
    if config.data_dir is not None:
        config = replace(config, data_dir=config.data_dir.resolve())
    if config.weights is not None and (path := Path(config.weights).expanduser()).exists():
        config = replace(config, weights=str(path.resolve()))
    if is_file(config.model):
        config = replace(config, model=str(Path(config.model).resolve()))
    return config


def recorded_data(data: DataLike) -> str:
    """A name, an absolute path, or a description of data that were handed over as an object."""
    if not isinstance(data, str | Path):
        return describe_data(data)
    return str(data) if data in NAMES else str(Path(data).resolve())


def environment(
    device: torch.device, group: Group = ALONE, *, precision: Precision = "float32"
) -> dict[str, Any]:
    """What the bits of a training depend on, besides its settings and its data."""
    has_16_bits = precision != "float32"
    by = {precision: instructions(precision) or "none"} if has_16_bits else {}
    return {
        "device": str(device) if group.local_size == 1 else device.type,
        "threads": torch.get_num_threads(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        **({"processes": group.size} if group.size > 1 else {}),
        **by,
    }


def environment_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two environments, as in "threads was 2 and is 4"."""
    before, now = {"processes": 1, **before}, {"processes": 1, **now}
    return [
        f"{name} was {before.get(name)} and is {now[name]}"
        for name in now
        if before.get(name) != now[name]
    ]


def check_disk_space(folder: Path, network_bytes: int) -> None:
    """Raise WorkError if the disk cannot hold what a training will write.

    That is the best weights and up to three checkpoints, which include the optimizer's state.
    """
    need = 10 * network_bytes + 10_000_000
    free = shutil.disk_usage(folder).free
    if free < need:
        raise WorkError(
            f"No space left for the run: {folder} has {free / 1e6:,.0f} MB free, and the training "
            f"will write about {need / 1e6:,.0f} MB. Free some space, or choose another disk with "
            "`out`."
        )


def problems_csv(loaded: LoadedDataset) -> str:
    """The images that could not be read, as CSV."""
    return to_csv([("path", "reason"), *loaded.problems])
