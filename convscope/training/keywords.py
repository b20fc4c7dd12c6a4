"""The settings of `convscope.train` as type checkers and editors see them.

These are the fields of `TrainConfig`, whose defaults, ranges and helps stand there; a test compares
the two. What a call may write in more ways than a file is wider here: see `WIDER`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

from torch import nn

from convscope.card import ResizeMode, TaskName
from convscope.data.augment_kinds import Augment, AutoAugment, CropPadding, Sampling
from convscope.data.augmentation.own_function import Transform
from convscope.data.cache.modes import CacheMode
from convscope.evaluation.metrics import MetricName
from convscope.training.config import Optimizer, Precision, ScheduleName
from convscope.weights.class_names import ClassNamesLike
from convscope.weights.preprocessing import PerChannel
from convscope.weights.source import WeightsSource

WIDER: dict[Any, Any] = {
    Path: str | Path,
    tuple[float, ...]: Sequence[float],
}
"""What a keyword takes in place of the type of its field."""

WIDER_BY_NAME: dict[str, Any] = {
    "augment": Augment | str | Transform,
    "model": str | nn.Module,
    "weights": WeightsSource,
    "class_names": ClassNamesLike,
    "grades": ClassNamesLike,
    "label_column": str | Sequence[str],
    "log": str | Sequence[str],
    "weights_layers": str | Sequence[str],
    "mean": PerChannel,
    "std": PerChannel,
}
"""The same for single keywords."""


class TrainSettings(TypedDict, total=False):
    """The keyword arguments of `convscope.train` that are settings."""

    data_dir: str | Path | None
    val: float | None
    test: float
    split_seed: int
    image_column: str | None
    label_column: str | Sequence[str] | None
    task: Literal["auto"] | TaskName
    grades: ClassNamesLike | None
    group_column: str | None
    group_pattern: str | None
    resize_mode: Literal["auto"] | ResizeMode
    window: str | None
    max_corrupt_fraction: float
    duplicates: Literal["error", "drop", "allow"]

    augment: Augment | str | Transform | None
    crop_padding: int | None
    crop_padding_mode: CropPadding
    crop_scale: Sequence[float]
    crop_ratio: Sequence[float]
    resize_range: Sequence[float] | None
    horizontal_flip: float | None
    vertical_flip: float | None
    rotation: float | None
    translation: float | None
    zoom: Sequence[float] | None
    shear: float | None
    brightness: float | None
    contrast: float | None
    saturation: float | None
    hue: float | None
    pca_color: float | None
    auto_augment: AutoAugment | None
    magnitude: int
    num_ops: int
    random_erasing: float | None

    recipe: str | None
    model: str | nn.Module
    input_size: int | tuple[int, int] | None
    in_channels: Literal[1, 3] | None
    weights: WeightsSource | None
    weights_layers: str | Sequence[str] | None
    pretrained: bool
    class_names: ClassNamesLike | None
    mean: PerChannel | None
    std: PerChannel | None
    freeze: str | None
    freeze_bn: bool | None
    unfreeze_every: int

    epochs: int
    steps: int | None
    max_minutes: float | None
    early_stopping_patience: int
    restore_best_weights: bool | None
    metric: MetricName | None

    optimizer: Optimizer | None
    lr: float | None
    backbone_lr_scale: float | None
    momentum: float
    nesterov: bool
    weight_decay: float
    lr_schedule: ScheduleName | None
    warmup_epochs: float | None
    lr_gamma: float
    lr_milestones: Sequence[float]
    lr_patience: int
    clip_grad_norm: float | None
    ema: float
    swa_start: float
    swa_lr: float | None

    batch_size: int | None
    accumulate: int
    label_smoothing: float
    mixup: float
    cutmix: float
    class_weights: Literal["none", "balanced"]
    sampling: Sampling

    seed: int
    device: str
    threads: int | None
    cache: CacheMode
    cache_fraction: float
    cache_size: float | None
    checkpoint_seconds: float
    engine: Literal["auto", "torch", "lanes"]
    simd_width: Literal[4, 8, 16] | None
    precision: Precision
    log: str | Sequence[str] | None
    fsdp: bool
    compile: bool
