"""The settings of a training: each one's type, default, range and help."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from convscope import synonyms
from convscope.data.augment_kinds import Sampling
from convscope.data.cache.modes import CacheMode
from convscope.data.windows import parse_window
from convscope.device import Precision, parse_device
from convscope.errors import RequestError, nearest
from convscope.evaluation.metrics import MetricName
from convscope.strict import shown
from convscope.training.augmentation_settings import AugmentationSettings
from convscope.training.data_settings import LARGEST_SEED, DataSettings
from convscope.training.fine_tuning import (
    FINE_TUNING,
    FROM_SCRATCH,
    SMALLEST_BATCH,
    fine_tuning_lr,
)
from convscope.training.loggers.choice import parse_loggers
from convscope.training.setting import figure, setting, settings_of

Optimizer = Literal["sgd", "adamw", "rmsprop"]
ScheduleName = Literal["plateau", "step", "cosine", "linear", "one-cycle", "constant"]

NETWORK = "Network"
LENGTH = "Length"
OPTIMIZER = "Optimizer and learning rate"
LOSS = "Loss and sampling"
MACHINE = "Machine"

AUTO = "auto"
"""The model that is chosen by the weights, or by the images; see `default_network`."""

TABLES = ("augmentation", "dataset", "lengthened", "machine", "network", "versions")
"""Tables of a run's config.toml that describe the run and set nothing."""

_MANY = 1_000_000  # a limit that only catches typing errors

# fmt: off


@dataclass(frozen=True, kw_only=True)
class TrainConfig(AugmentationSettings, DataSettings):
    """How a network is trained. Momentum and weight decay default to those of the AlexNet paper.

    A setting that is None is open until `resolve` decides it. Raises RequestError for a value out
    of range and for settings that contradict each other.
    """

    recipe: str | None = setting(None, NETWORK,
        help="A paper's recipe, such as resnet-cifar10: a preset of settings, over which those "
        "that are given win; convscope recipes lists them. The run ends with its result beside "
        "the paper's.")
    model: str = setting(AUTO, NETWORK,
        help="A network's name, a layer table such as net.toml, a file of Keras or "
        "ConvNetJS with its weights, or your own code as module:attr; auto takes that of the "
        "weights, or one that fits the images.")
    input_size: int | tuple[int, int] | None = setting(None, NETWORK, low=1, high=100_000,
        help="Input size in pixels, one number or HEIGHTxWIDTH; by default the network's own.")
    in_channels: Literal[1, 3] | None = setting(None, NETWORK,
        help="Input channels, 1 for grayscale or 3 for color; by default the network's own.")
    weights: str | None = setting(None, NETWORK,
        help="Pretrained weights: a file, a URL, a run folder, torchvision:NAME, timm:NAME or "
        "hf://USER/NAME; FILE#PLACE for one of several sets of weights in a file. Images are "
        "preprocessed as they were for these weights, unless you set it otherwise.")
    weights_layers: str | None = setting(None, NETWORK,
        help="Layers that take their weights, with commas between the names; the others keep their "
        "initialization, and the training is one from scratch: as a deeper VGG begins with layers "
        "of a trained VGG-11. By default all, for fine-tuning.")
    pretrained: bool = setting(False, NETWORK,  # noqa: FBT003
        help="Start from the network's published weights: those of timm:NAME or torchvision:NAME, "
        "or torchvision's for a network of the zoo. Of a network of your own: the weights that it "
        "brings along are trained.")
    class_names: str | None = setting(None, NETWORK,
        help="Class names of the weights' outputs, in order, where the weights have none: names "
        "with commas, a text or JSON file, or imagenet. The head is matched by class name. Without "
        "weights, in Python: of the integer labels of data that are not named.")
    mean: tuple[float, ...] | None = setting(None, NETWORK,
        help="Mean per channel of pixels scaled to 0..1, which is subtracted; by default that of "
        "the weights, or of the training images.")
    std: tuple[float, ...] | None = setting(None, NETWORK,
        help="Standard deviation per channel, by which pixels are divided; by default that of the "
        "weights, or of the training images.")
    freeze: str | None = setting(None, NETWORK,
        help="Freeze all layers up to and including this one; body for all but the last.")
    freeze_bn: bool | None = setting(None, NETWORK,
        help="Keep the running mean and variance of batch norm as they are and compute with them, "
        "as in evaluation; by default with weights.")
    unfreeze_every: int = setting(0, NETWORK, low=0, high=_MANY,
        help="Unfreeze one more of the frozen layers after this many epochs, the last one first; "
        "0 for never.")

    epochs: int = setting(30, LENGTH, low=1, high=_MANY,
        only_if={"steps": (None,), "max_minutes": (None,)},
        help="Passes over the training images.")
    steps: int | None = setting(None, LENGTH, low=1, high=10**12,
        help="Number of batches to train on, instead of epochs.")
    max_minutes: float | None = setting(None, LENGTH, above=0, high=10**7,
        help="Minutes to train for, instead of epochs; without warm-up and not reproducible bit "
        "for bit.")
    early_stopping_patience: int = setting(0, LENGTH, low=0, high=_MANY,
        help="Stop after this many epochs without improvement; 0 for never.")
    restore_best_weights: bool | None = setting(None, LENGTH,
        help="Keep and test the weights of the epoch that is best in validation, else those of the "
        "last epoch; by default the last with weights, as long as the learning rate falls.")
    metric: MetricName | None = setting(None, LENGTH,
        help="Validation metric by which the best weights are chosen; by default top1 (accuracy), "
        "map (mean average precision) for multi-label, kappa (quadratic weighted) for ordinal, "
        "ap50 (average precision at IoU 0.5) for detection.")

    optimizer: Optimizer | None = setting(None, OPTIMIZER,
        help="SGD with momentum, AdamW, or RMSprop as MobileNetV3 and EfficientNet have it: with "
        "momentum, alpha 0.9, eps 0.0316. By default sgd, with weights adamw.")
    lr: float | None = setting(None, OPTIMIZER, above=0, high=1e6,
        help="Peak learning rate. By default the network's own (0.05 for most) at a batch size of "
        "64, or 0.004 for rmsprop, scaled with the images per step; 0.001 for adamw, 0.003 with "
        "weights.")
    backbone_lr_scale: float | None = setting(None, OPTIMIZER, low=0, high=1,
        help="Scale of the learning rate for all layers but the last; by default 0.1 with weights, "
        "else 1.")
    momentum: float = setting(0.9, OPTIMIZER, low=0, high=1,
        only_if={"optimizer": ("sgd", "rmsprop")},
        help="Momentum of SGD and RMSprop.")
    nesterov: bool = setting(False, OPTIMIZER,  # noqa: FBT003
        only_if={"optimizer": ("sgd",)},
        help="Nesterov's momentum: the step goes on along the momentum after the gradient is "
        "added to it.")
    weight_decay: float = setting(0.0005, OPTIMIZER, low=0, high=1e6,
        help="Weight decay: an L2 penalty for sgd and rmsprop, decoupled for adamw.")
    lr_schedule: ScheduleName | None = setting(None, OPTIMIZER,
        help="Learning rate schedule, by default cosine, or one-cycle with weights; plateau lowers "
        "the rate when the validation loss stalls.")
    warmup_epochs: float | None = setting(None, OPTIMIZER, low=0, high=_MANY,
        only_if={"max_minutes": (None,),
            "lr_schedule": ("plateau", "step", "cosine", "linear", "constant")},
        off=0,
        help="Epochs in which the learning rate rises linearly from 0 to its peak; by default 1, "
        "or a fifth of a training of less than 5 epochs. one-cycle has a rise of its own.")
    lr_gamma: float = setting(0.1, OPTIMIZER, above=0, high=1,
        only_if={"lr_schedule": ("step", "plateau")},
        help="Factor by which the schedules step and plateau multiply the learning rate.")
    lr_milestones: tuple[float, ...] = setting((0.5, 0.75), OPTIMIZER,
        only_if={"lr_schedule": ("step",)},
        help="Fractions of the training after which the schedule step lowers the learning rate.")
    lr_patience: int = setting(3, OPTIMIZER, low=0, high=_MANY,
        only_if={"lr_schedule": ("plateau",)},
        help="Epochs without a better validation loss that the schedule plateau waits for.")
    clip_grad_norm: float | None = setting(None, OPTIMIZER, low=0, high=1e12,
        help="Largest norm of the gradient of all weights together, 0 for no clipping; by default "
        "1 with weights, else 0.")
    ema: float = setting(0.0, OPTIMIZER, low=0, high=1,
        help="Decay of an exponential moving average of the weights, such as 0.999: the average is "
        "validated, kept and tested in place of the weights themselves; 0 for no average.")
    swa_start: float = setting(0.0, OPTIMIZER, low=0, high=1,
        help="Fraction of the training, such as 0.75, from which on the weights after each epoch "
        "are averaged (stochastic weight averaging), and their mean is validated, kept and tested; "
        "0 for never.")
    swa_lr: float | None = setting(None, OPTIMIZER, above=0, high=1e6,
        help="Learning rate from swa_start on; by default it stays what the schedule has there.")

    batch_size: int | None = setting(None, LOSS, low=1, high=_MANY,
        help="Images per step; by default 64, or fewer if an epoch would have under 20 steps.")
    accumulate: int = setting(1, LOSS, low=1, high=_MANY,
        help="Batches whose gradients are added up before the weights are changed, so that a step "
        "takes batch_size times as many images in the memory of one batch.")
    label_smoothing: float = setting(0.0, LOSS, low=0, high=1,
        help="Fraction of each target that is spread evenly over all classes.")
    mixup: float = setting(0.0, LOSS, low=0, high=1000,
        help="Mix each batch with itself, images and labels alike, in shares of lambda and 1 - "
        "lambda; this is alpha of Beta(alpha, alpha), from which lambda is drawn: 0.2 for example; "
        "0 for never.")
    cutmix: float = setting(0.0, LOSS, low=0, high=1000,
        help="Paste a box of one image of a batch into another, and mix their labels by its area; "
        "this is alpha as for mixup: 1 for example; 0 for never. With both, each batch has one of "
        "them, with equal probability.")
    class_weights: Literal["none", "balanced"] = setting("none", LOSS,
        help="With balanced, the loss of a class is weighted by the inverse of its frequency; of "
        "several labels, that of the images which have one by how many times more have it not.")
    sampling: Sampling = setting("shuffle", LOSS,
        help="With balanced, all classes are shown equally often.")

    seed: int = setting(0, MACHINE, low=0, high=LARGEST_SEED,
        help="Random seed of initial weights, image order, augmentation and dropout.")
    device: str = setting("auto", MACHINE,
        help="Where to compute: cpu, cuda, mps, or a GPU's number, as cuda:1; auto takes cuda, "
        "else mps, else cpu.")
    threads: int | None = setting(None, MACHINE, low=1, high=4096,
        help="CPU threads; by default one per core.")
    cache: CacheMode = setting("auto", MACHINE,
        help="Where decoded images are kept: ram, in memory, if they fit; disk, in the user's "
        "cache, for other trainings too; auto, in memory if they fit, else on disk if there is "
        "room; or none: they are decoded again in every epoch, as those that fit nowhere.")
    cache_fraction: float = setting(0.5, MACHINE, low=0, high=1,
        only_if={"cache": ("auto", "ram", "disk")},
        help="Fraction of the free memory that decoded images may take.")
    cache_size: float | None = setting(None, MACHINE, low=0.001, high=10**6,
        only_if={"cache": ("auto", "disk")},
        help="GB that decoded images of all data sets may take on disk, the longest unused are "
        "removed for new ones; by default half of what the disk has free for them.")
    checkpoint_seconds: float = setting(30.0, MACHINE, low=0, high=10**7,
        help="Seconds between checkpoints, from which an interrupted training is resumed.")
    engine: Literal["auto", "torch", "lanes"] = setting("auto", MACHINE,
        help="What runs the training steps: torch; lanes, which compiles small networks for the "
        "CPU; or auto, which times both on the first batch.")
    simd_width: Literal[4, 8, 16] | None = setting(None, MACHINE,
        only_if={"engine": ("auto", "lanes")},
        help="Float32 numbers in a SIMD vector of the engine lanes, which computes as many images "
        "at once; by default the faster one that the CPU has.")
    precision: Precision = setting("float32", MACHINE,
        help="Numbers that training steps compute in: float32; or bf16, mixed precision with "
        "float32 weights, which is faster on a GPU and on a CPU with instructions for it; or fp16, "
        "the same with a scaled loss, for GPUs without bf16.")
    log: str | None = setting(None, MACHINE,
        help="Where else metrics are logged: csv, which is results.csv in the run folder; "
        "tensorboard, mlflow, wandb, each an extra of that name; several with commas.")
    fsdp: bool = setting(False, MACHINE,  # noqa: FBT003
        help="Divide weights, gradients and the optimizer's state among the processes of torchrun "
        "(FSDP2), for a network that does not fit into one device.")
    compile: bool = setting(False, MACHINE,  # noqa: FBT003
        help="Use torch.compile; needs a C++ compiler, and half a minute before the first step.")

    # fmt: on

    def __post_init__(self) -> None:
        parse_device(self.device)
        parse_loggers(self.log)
        if self.window is not None:
            parse_window(self.window)
        for name, field in settings_of(TrainConfig).items():
            for number in field.numbers(getattr(self, name)):
                if not field.setting.allows(number):
                    limits = field.setting.range
                    raise RequestError(f"`{name}` must be {limits}, not {figure(number)}.")
        if not all(0 < milestone < 1 for milestone in self.lr_milestones):
            given = ", ".join(map(figure, self.lr_milestones))
            raise RequestError(f"`lr_milestones` must be between 0 and 1, not {given}.")
        self.check_augmentation()
        self._check_weights()
        self._check_together()

    def _check_weights(self) -> None:
        """Raise RequestError for settings of the first weights that contradict each other."""
        if self.pretrained and self.weights is not None:
            raise RequestError(
                "`pretrained` and `weights` exclude each other: `pretrained` takes the published "
                "weights of `model`, `weights` those that it names."
            )
        if self.weights_layers is not None:
            parse_layers(self.weights_layers)
            if self.weights is None:
                raise RequestError("`weights_layers` needs `weights`, from which they are taken.")

    def _check_together(self) -> None:
        """Raise RequestError for settings that contradict each other."""
        if self.steps is not None and self.max_minutes is not None:
            raise RequestError("`steps` and `max_minutes` exclude each other; choose one.")
        if self.unfreeze_every and self.freeze is None:
            raise RequestError("`unfreeze_every` needs `freeze`, the last of the frozen layers.")
        if self.ema and self.swa_start:
            raise RequestError("`ema` and `swa_start` are two averages of the weights; choose one.")
        if self.swa_lr is not None and not self.swa_start:
            raise RequestError("`swa_lr` needs `swa_start`, from when on the rate holds.")
        if self.nesterov and not self.momentum and self.optimizer in (None, "sgd"):
            raise RequestError("`nesterov` needs a momentum; set `momentum=0.9`, or leave it out.")
        if self.engine == "lanes" and self.precision != "float32":
            raise RequestError(
                "`engine='lanes'` computes in float32 only. Choose `engine='torch'`, or "
                "`precision='float32'`."
            )
        excluded = {
            "compile": self.compile,
            "unfreeze_every": self.unfreeze_every,
            "engine='lanes'": self.engine == "lanes",
            "precision='fp16'": self.precision == "fp16",
        }
        other = next((name for name, is_set in excluded.items() if is_set), None)
        if self.fsdp and other:
            raise RequestError(
                f"`fsdp` and `{other}` exclude each other: weights that are divided among "
                "processes are trained by PyTorch, uncompiled, in float32 or bf16, and all from "
                "the start or never."
            )
        if self.class_weights == "balanced" and self.sampling == "balanced":
            raise RequestError(
                "`class_weights='balanced'` and `sampling='balanced'` together would count rare "
                "classes twice; choose one."
            )

    @property
    def fine_tunes(self) -> bool:
        """Whether training starts from trained weights, in all layers."""
        return (self.weights is not None or self.pretrained) and self.weights_layers is None

    def with_defaults(self) -> "TrainConfig":
        """Decide what was left open and depends on no data: the optimizer and what belongs to it.

        With weights it is a recipe for fine-tuning. What is set is kept.
        """
        recipe = FINE_TUNING if self.fine_tunes else FROM_SCRATCH
        if self.lr_schedule in ("constant", "plateau") or self.early_stopping_patience:
            recipe = {**recipe, "restore_best_weights": True}
        return replace(
            self, **{name: value for name, value in recipe.items() if getattr(self, name) is None}
        )

    def resolve(self, num_train_images: int, *, default_lr: float = 0.05) -> "TrainConfig":
        """Decide what is still open: batch size, learning rate, warm-up, augmentation, the recipe.

        `default_lr` is the network's own learning rate for SGD with 64 images per step; it is
        scaled in proportion: Goyal et al., 2017, "Accurate, large minibatch SGD", section 2.1. So
        is RMSprop's, with which EfficientNet (0.256 for 4096 images) and torchvision's MobileNetV3
        (0.064 for 1024) are trained.
        """
        config = self.with_defaults()
        smallest = SMALLEST_BATCH if self.fine_tunes else 8
        small = max(smallest, 2 ** int(math.log2(max(1, num_train_images / 20 / self.accumulate))))
        batch_size = self.batch_size or min(64, small)
        images = batch_size * self.accumulate
        if config.optimizer == "adamw":
            scale = decided(config.backbone_lr_scale)
            lr = fine_tuning_lr(images, backbone_lr_scale=scale) if self.fine_tunes else 0.001
        else:
            lr = (0.004 if config.optimizer == "rmsprop" else default_lr) * images / 64
        epochs = self.epochs if self.steps is None else self.steps * images / num_train_images
        if config.lr_schedule == "one-cycle" or self.max_minutes is not None:
            warmup_epochs = 0.0
        else:
            warmup_epochs = min(1.0, epochs / 5)
        return replace(
            config,
            batch_size=batch_size,
            lr=lr if self.lr is None else self.lr,
            **config.augmentation_decided(),
            warmup_epochs=warmup_epochs if self.warmup_epochs is None else self.warmup_epochs,
        )

    @property
    def images_per_step(self) -> int:
        """Images after which the weights are changed. Raises ValueError before `resolve`."""
        return decided(self.batch_size) * self.accumulate

    @property
    def mixes(self) -> bool:
        """Whether training images are mixed with others, and their labels with them."""
        return bool(self.mixup or self.cutmix)

    def to_dict(self) -> dict[str, Any]:
        """The settings as TOML writes them: lists for tuples, no paths; None is left out."""
        values = {name: _to_toml(value) for name, value in asdict(self).items()}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, source: str = "") -> "TrainConfig":
        """Settings by name, as a call in Python or a TOML file has them.

        Errors name `source`, the file or form that the values come from.

        Names and values of other programs are taken, too: see `convscope.synonyms`.

        Raises RequestError for an unknown name, with the nearest known one, and for a value of the
        wrong type.
        """
        try:
            values, _ = synonyms.translate(values, settings_of(TrainConfig))
            return cls(**{name: _converted(name, value) for name, value in values.items()})
        except RequestError as error:
            if not source:
                raise
            raise RequestError(f"{source}: {str(error).replace('`', '')}") from error


def _weights_in_text(value: object) -> object:
    from convscope.weights.source import path_in_text  # noqa: PLC0415 -- imports torch

    return path_in_text(value)


def _names_in_text(value: object) -> object:
    from convscope.weights.class_names import to_text  # noqa: PLC0415 -- imports torch

    return to_text(value)


def _columns_in_text(value: object) -> object:
    if isinstance(value, list | tuple) and len(cast("list[object]", value)) == 1:
        [value] = cast("list[object]", value)  # of class names there would be two or more
    return value if isinstance(value, str) else _names_in_text(value)


def _as_list(value: object) -> object:
    return [value] if isinstance(value, int | float) else value


_IN_PYTHON: dict[str, Callable[[object], object]] = {
    "weights": _weights_in_text,
    "class_names": _names_in_text,
    "grades": _names_in_text,
    "label_column": _columns_in_text,
    "log": _columns_in_text,
    "weights_layers": _columns_in_text,
    "mean": _as_list,
    "std": _as_list,
}
"""Settings that Python takes in more forms than a file: each as a file has it."""


def _converted(name: str, value: object) -> Any:
    known = settings_of(TrainConfig)
    if name not in known:
        raise RequestError(f"Unknown setting {name!r}.{nearest(name, known)}")
    if value is not None and name in _IN_PYTHON:
        value = _IN_PYTHON[name](value)
    if not known[name].accepts(value):
        raise RequestError(f"`{name}` must be {known[name].type_name}, not {shown(value)}.")
    return known[name].convert(value)


def parse_layers(text: str) -> tuple[str, ...]:
    """The layers of `weights_layers`.

    Raises RequestError for an empty name.

    >>> parse_layers("conv1_1, fc1")
    ('conv1_1', 'fc1')
    """
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise RequestError(
            f"`weights_layers={text!r}` has an empty name. Give names of layers with commas."
        )
    return names


_T = TypeVar("_T")


def decided(value: _T | None) -> _T:
    """A setting that `TrainConfig.resolve` decides. Raises ValueError for None."""
    if value is None:
        raise ValueError("a setting is still open; call TrainConfig.resolve first")
    return value


def _to_toml(value: object) -> object:
    if isinstance(value, tuple):
        return list(cast("tuple[object, ...]", value))
    return str(value) if isinstance(value, Path) else value
