"""Every setting of a training: its name, type, default, unit and limits."""

import math
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from cyclopts import Group, Parameter

from convscope.card import ResizeMode
from convscope.data.augment import Augment, Sampling
from convscope.errors import RequestError, nearest
from convscope.evaluation.metrics import MetricName

Optimizer = Literal["sgd", "adamw"]
ScheduleName = Literal["plateau", "step", "cosine", "one-cycle", "constant"]

DATA = Parameter(group=Group("Data", sort_key=1))
NETWORK = Parameter(group=Group("Network", sort_key=2))
LENGTH = Parameter(group=Group("Length", sort_key=3))
OPTIMIZER = Parameter(group=Group("Optimizer and learning rate", sort_key=4))
LOSS = Parameter(group=Group("Loss and sampling", sort_key=5))
MACHINE = Parameter(group=Group("Machine", sort_key=6))


TABLES = ("dataset", "machine", "network", "versions")
"""Tables of a run's config.toml that tell of the run and set nothing."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The settings of a training, with the AlexNet recipe's momentum and weight decay.

    Attributes:
        data_dir: folder searched for named data sets before they are downloaded.
        val: share of the training pictures set aside for validation, where the data have none.
        test: share set aside for the test, where the data have none.
        split_seed: decides which pictures are set aside.
        resize_mode: how pictures of another size come to the network's size; auto looks at them.
        max_corrupt_fraction: share of unreadable pictures above which nothing is trained.
        augment: what happens to a training picture before each epoch.
        crop_padding: pixels of black around a picture before it is cropped; default 2 for crop, 4
            for crop-flip.
        model: a name of the zoo, a layer table such as net.toml, or your own as module:attr.
        input_size: height and width in pixels that the network is fed; default the network's own.
        in_channels: 1 (gray) or 3 (color) that the network is fed; default the network's own.
        weights: what to start from: a file, a URL, a run folder, torchvision:NAME or timm:NAME.
            Where it says how its pictures were prepared, the same is done, but for what is set.
        freeze: layer up to which, in the network's order, everything is held as it is.
        unfreeze_every: epochs after each of which one more held layer is let go, the last first;
            0 for never.
        epochs: passes over the training pictures.
        steps: batches to train on, instead of epochs.
        max_minutes: minutes to train, instead of epochs, without warm-up; not repeatable to the
            bit.
        early_stopping_patience: epochs without improvement after which training ends; 0 for never.
        metric: what the best weights are chosen by, on the validation pictures.
        optimizer: sgd (with momentum) or adamw.
        lr: peak learning rate; default for sgd with batches of 64 the network's own (0.05 where it
            has none), in proportion for other batches, and 0.001 for adamw.
        backbone_lr_scale: share of the learning rate at which all but the last layer learns.
        momentum: of sgd.
        weight_decay: of either optimizer.
        lr_schedule: how the learning rate falls. plateau lowers it when the validation loss stalls.
        warmup_epochs: epochs in which the learning rate rises from 0 to its peak.
        lr_gamma: what plateau and step multiply the learning rate by.
        lr_milestones: shares of the training at which step lowers the learning rate.
        lr_patience: epochs without a better validation loss after which plateau lowers it.
        clip_grad_norm: largest norm of the gradient of all weights together; 0 for no limit.
        batch_size: pictures per step; default 64, or less where an epoch would have under 20 steps.
        label_smoothing: share of each target spread over all classes.
        class_weights: balanced weighs each class's loss by the inverse of its frequency.
        sampling: balanced shows every class equally often.
        seed: decides weights, order, augmentation and dropout.
        device: where to compute; auto takes cuda, else mps, else cpu.
        threads: CPU threads; default one per core.
        cache_fraction: share of the free memory that pictures may take; beyond it they are decoded
            again in every epoch.
        checkpoint_seconds: seconds between saves of the state that resume needs.
        engine: who computes the steps: torch; lanes, which compiles small networks for the CPU; or
            auto, which times both on the first batch.
        compile: use torch.compile; needs a C++ compiler and half a minute before the first step.
    """

    data_dir: Annotated[Path | None, DATA] = None
    val: Annotated[float, DATA] = 0.1
    test: Annotated[float, DATA] = 0.2
    split_seed: Annotated[int, DATA] = 0
    resize_mode: Annotated[Literal["auto"] | ResizeMode, DATA] = "auto"
    max_corrupt_fraction: Annotated[float, DATA] = 0.05
    augment: Annotated[Augment, DATA] = "crop"
    crop_padding: Annotated[int | None, DATA] = None

    model: Annotated[str, NETWORK] = "lenet5"
    input_size: Annotated[int | None, NETWORK] = None
    in_channels: Annotated[Literal[1, 3] | None, NETWORK] = None
    weights: Annotated[str | None, NETWORK] = None
    freeze: Annotated[str | None, NETWORK] = None
    unfreeze_every: Annotated[int, NETWORK] = 0

    epochs: Annotated[int, LENGTH] = 30
    steps: Annotated[int | None, LENGTH] = None
    max_minutes: Annotated[float | None, LENGTH] = None
    early_stopping_patience: Annotated[int, LENGTH] = 0
    metric: Annotated[MetricName, LENGTH] = "top1"

    optimizer: Annotated[Optimizer, OPTIMIZER] = "sgd"
    lr: Annotated[float | None, OPTIMIZER] = None
    backbone_lr_scale: Annotated[float, OPTIMIZER] = 1.0
    momentum: Annotated[float, OPTIMIZER] = 0.9
    weight_decay: Annotated[float, OPTIMIZER] = 0.0005
    lr_schedule: Annotated[ScheduleName, OPTIMIZER] = "cosine"
    warmup_epochs: Annotated[float, OPTIMIZER] = 1.0
    lr_gamma: Annotated[float, OPTIMIZER] = 0.1
    lr_milestones: Annotated[tuple[float, ...], OPTIMIZER, Parameter(consume_multiple=True)] = (
        0.5,
        0.75,
    )
    lr_patience: Annotated[int, OPTIMIZER] = 3
    clip_grad_norm: Annotated[float, OPTIMIZER] = 0.0

    batch_size: Annotated[int | None, LOSS] = None
    label_smoothing: Annotated[float, LOSS] = 0.0
    class_weights: Annotated[Literal["none", "balanced"], LOSS] = "none"
    sampling: Annotated[Sampling, LOSS] = "shuffle"

    seed: Annotated[int, MACHINE] = 0
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], MACHINE] = "auto"
    threads: Annotated[int | None, MACHINE] = None
    cache_fraction: Annotated[float, MACHINE] = 0.5
    checkpoint_seconds: Annotated[float, MACHINE] = 30.0
    engine: Annotated[Literal["auto", "torch", "lanes"], MACHINE] = "auto"
    compile: Annotated[bool, MACHINE] = False

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                told = f"{value:g}" if isinstance(value, float) else value
                raise RequestError(f"{option(name)} must be {_range(low, high)}, not {told}.")
        for name in ("lr", "lr_gamma", "max_minutes"):
            if getattr(self, name) == 0:
                raise RequestError(f"{option(name)} must be above 0.")
        if not all(0 < place < 1 for place in self.lr_milestones):
            raise RequestError(
                f"--lr-milestones takes shares between 0 and 1, not {self.lr_milestones}."
            )
        if self.steps is not None and self.max_minutes is not None:
            raise RequestError("--steps and --max-minutes both say how long; choose one.")
        if self.unfreeze_every and self.freeze is None:
            raise RequestError("--unfreeze-every lets go what --freeze holds; name a layer there.")
        if self.val == 0 and (self.lr_schedule == "plateau" or self.early_stopping_patience):
            raise RequestError(
                "--lr-schedule plateau and --early-stopping-patience look at validation pictures; "
                "--val 0 leaves none."
            )

    def resolve(self, num_train_images: int, *, default_lr: float = 0.05) -> "TrainConfig":
        """Decide what was left open: batch size, learning rate and the padding of crops.

        `default_lr` is the network's own learning rate for SGD with batches of 64; it is scaled in
        proportion to the batch: Goyal et al., 2017, "Accurate, large minibatch SGD", section 2.1.
        """
        small = max(8, 2 ** int(math.log2(max(1, num_train_images / 20))))
        batch_size = self.batch_size or min(64, small)
        lr = {"sgd": default_lr * batch_size / 64, "adamw": 0.001}[self.optimizer]
        padding = {"none": 0, "crop": 2, "crop-flip": 4}[self.augment]
        return replace(
            self,
            batch_size=batch_size,
            lr=lr if self.lr is None else self.lr,
            crop_padding=padding if self.crop_padding is None else self.crop_padding,
        )

    def to_dict(self) -> dict[str, Any]:
        """The settings as TOML has them; what is None, TOML does not write."""
        plain = {name: _plain(value) for name, value in asdict(self).items()}
        return {name: value for name, value in plain.items() if value is not None}

    @classmethod
    def of(cls, words: Mapping[str, Any], *, where: str = "train") -> "TrainConfig":
        """Settings from words, as a file or a call in Python has them.

        Raises RequestError for a word that is no setting (with the nearest that is), and for a
        value of the wrong type.
        """
        hints = get_type_hints(cls)
        known = [field.name for field in fields(cls)]
        for word, value in words.items():
            if word not in known:
                raise RequestError(f"{where} has no setting {word!r}.{nearest(word, known)}")
            if not _is_a(value, hints[word]):
                allowed = _told(hints[word])
                raise RequestError(f"{where}: {word} must be {allowed}, not {value!r}.")
        return cls(**{word: _coerced(value, hints[word]) for word, value in words.items()})


_T = TypeVar("_T")


def decided(value: _T | None) -> _T:
    """A setting that `TrainConfig.resolve` decides. Raises ValueError for None."""
    if value is None:
        raise ValueError("a setting is still open; call TrainConfig.resolve first")
    return value


RANGES: dict[str, tuple[float, float]] = {
    "val": (0, 0.9), "test": (0.001, 0.9), "max_corrupt_fraction": (0, 1),
    "crop_padding": (0, 1000), "input_size": (1, 100_000), "epochs": (1, 1_000_000),
    "steps": (1, 10**12), "max_minutes": (0, 10**7), "early_stopping_patience": (0, 1_000_000),
    "lr": (0, 1e6), "momentum": (0, 1), "weight_decay": (0, 1e6), "warmup_epochs": (0, 1_000_000),
    "lr_gamma": (0, 1), "lr_patience": (0, 1_000_000), "clip_grad_norm": (0, 1e12),
    "batch_size": (1, 1_000_000), "label_smoothing": (0, 1), "seed": (0, 2**63 - 1),
    "split_seed": (0, 2**63 - 1), "threads": (1, 4096), "cache_fraction": (0, 1),
    "checkpoint_seconds": (0, 10**7), "unfreeze_every": (0, 1_000_000), "backbone_lr_scale": (0, 1),
}  # fmt: skip
"""The smallest and the largest value of each setting that has them."""


def option(name: str) -> str:
    """A setting as the command line has it: `batch_size` is `--batch-size`."""
    return f"--{name.replace('_', '-')}"


def _range(low: float, high: float) -> str:
    return f"{low:g} or more" if high >= 1e9 else f"between {low:g} and {high:g}"


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(typing.cast("tuple[object, ...]", value))
    return str(value) if isinstance(value, Path) else value


def _members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _is_a(value: Any, hint: Any) -> bool:
    for kind in _members(hint):
        if get_origin(kind) is Literal:
            fits = any(value == choice and type(value) is type(choice) for choice in get_args(kind))
        elif get_origin(kind) is tuple:
            fits = isinstance(value, list | tuple) and all(
                _is_a(item, float) for item in typing.cast("list[object]", value)
            )
        elif kind is float:
            fits = isinstance(value, int | float) and not isinstance(value, bool)
        elif kind is int:
            fits = isinstance(value, int) and not isinstance(value, bool)
        else:
            fits = isinstance(value, (str, Path) if kind is Path else kind)
        if fits:
            return True
    return False


def _coerced(value: Any, hint: Any) -> Any:
    if Path in _members(hint) and value is not None:
        return Path(value)
    if isinstance(value, list):
        return tuple(float(item) for item in typing.cast("list[float]", value))
    return float(value) if float in _members(hint) and value is not None else value


def _told(hint: Any) -> str:
    names = {
        int: "a whole number",
        float: "a number",
        str: "text",
        bool: "true or false",
        Path: "a path",
    }
    kinds: list[str] = []
    for kind in _members(hint):
        if get_origin(kind) is Literal:
            kinds.append(" or ".join(repr(choice) for choice in get_args(kind)))
        elif get_origin(kind) is tuple:
            kinds.append("a list of numbers")
        elif kind is not types.NoneType:
            kinds.append(names[kind])
    return " or ".join(kinds)
