"""The network of a training for which none is named: one that fits the images, or the weights.

- Weights to start from belong to a network, which is taken.
- Small grayscale images, as of digits, get LeNet-5, the lecture's network.
- Other inputs of up to 64 pixels get the ResNet of 20 layers for CIFAR, larger ones ResNet-18.
  Small images keep their own size and are augmented as in the paper of both: He et al., 2015,
  section 4.2. Of photographs, windows of at least a third of their area are shown.
- The size for photographs is 224, as in the paper; on a CPU, the largest with which the training
  takes about ten minutes, by the multiply-adds that a core does in a second. Where even the
  smallest takes longer, there are fewer epochs.

What a person sets is kept.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from convscope.data.dataset import Dataset
from convscope.errors import RequestError
from convscope.runs.folder import Run
from convscope.runs.network import model_source
from convscope.runs.own_code import is_own_code
from convscope.training.callbacks.base import CallbackList
from convscope.training.callbacks.time_estimate import TimeEstimate, in_words
from convscope.training.config import TrainConfig
from convscope.training.image_sample import ImageSample
from convscope.training.setting import settings_of
from convscope.weights.source import Weights
from convscope.weights.torchvision_releases import releases
from convscope.zoo.entries import ZOO

PRETRAINED = "resnet18"
"""The network that starts from published weights where none is named."""

SMALL_DETECTOR = "yolo_small"
"""The network for images with boxes where none is named."""

_DETECTED = 128  # pixels: the largest side of its input
_LECTURE = 32  # pixels: the largest side of grayscale images for LeNet-5
_SMALL = 64  # pixels: the shorter side up to which images are not photographs
_LEAST = 16  # pixels: the smallest side of an input
_SIDES = (224, 192, 160, 128, 96, _SMALL)  # of windows of photographs
_WINDOWS = (0.35, 1.0)  # their area, as fractions of the image's
_TIME = 600.0  # seconds that a training on a CPU should take
_LEAST_EPOCHS = 5
_PASSES = 15  # over the images, where their number is not set, but the time is
_RESNET18 = 1.82e9 / 224**2  # multiply-adds for a pixel of the input
_RESNET20 = 40.6e6 / 32**2
_SPEED = 6e9  # multiply-adds of forward passes in a second of training on one core, by PyTorch
_COMPILED = 3  # times as many by the compiled engine
_COMPILED_AREA = 38**2  # pixels up to which it takes ResNet-20
_COMPILES = 40.0  # seconds of PyTorch up to which compiling saves no time
_PASS = 3  # times as long as the evaluation of an image is a step with it
_FEW = 5000  # training photographs, up to which pretrained weights are recommended


@dataclass(frozen=True)
class DefaultNetwork:
    """A network that was chosen, with what goes with it.

    Attributes:
        model: its name.
        settings: that go with it, of those that a person has not set.
        reason: what was chosen and why, in a few sentences; "" where there is nothing to say.
    """

    model: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    reason: str = ""

    def applied(self, config: TrainConfig) -> TrainConfig:
        """The settings with the network and what goes with it."""
        return replace(config, model=self.model, **self.settings)

    def announced(self, user: CallbackList, dataset: Dataset) -> CallbackList:
        """Tell the user the reason; the callbacks then tell how long the training will take."""
        if not self.reason:
            return user
        user.message(self.reason)
        share = len(dataset.indices("val")) / max(1, _PASS * len(dataset.indices("train")))
        shorter = " (`epochs` and `max_minutes` limit that)"
        return CallbackList(
            [*user.callbacks, TimeEstimate(user.message, share=share, shorter=shorter)]
        )


def choose_network(
    dataset: Dataset,
    sample: ImageSample,
    config: TrainConfig,
    *,
    given: Collection[str] = (),
    weights: Weights | None,
    device: torch.device,
) -> DefaultNetwork:
    """The network that fits the weights, or else the images; `given` are settings of a person.

    Raises RequestError for weights that do not say of which network they are.
    """
    fields = settings_of(TrainConfig)

    def is_open(name: str) -> bool:
        return name not in given and getattr(config, name) == fields[name].default

    count = len(dataset.indices("train"))
    if weights is not None:
        return _of_weights(weights, count, config, device, is_open)
    if config.task == "detection":
        return _of_boxes(sample, config, is_open)
    smallest = _LECTURE if config.input_size is None else min(_pair(config.input_size))
    if sample.all_gray and max(sample.typical_size) <= _LECTURE <= smallest:
        return DefaultNetwork("lenet5")
    return _for_images(count, sample, config, device, is_open)


def _of_boxes(
    sample: ImageSample, config: TrainConfig, is_open: Callable[[str], bool]
) -> DefaultNetwork:
    """The small network that finds boxes, at the size of small images, else at 128 pixels."""
    height, width = sample.typical_size
    largest = max(height, width)
    size = (height, width) if sample.is_uniform and largest <= _DETECTED else (_DETECTED, _DETECTED)
    size = size if config.input_size is None else _pair(config.input_size)
    settings: dict[str, Any] = {
        "input_size": size[0] if size[0] == size[1] else size,
        "in_channels": 1 if sample.all_gray else 3,
        "augment": "crop",
        "crop_padding": max(1, min(size) // 8),
    }
    if config.optimizer in (None, "adamw"):  # sums over boxes, whose gradients differ much in size
        settings |= {"optimizer": "adamw", "lr": 0.002}
    if not sample.is_uniform:
        settings["resize_mode"] = "letterbox"
    open_ones = {name: value for name, value in settings.items() if is_open(name)}
    reason = (
        f"No network was named (`model`), so {SMALL_DETECTOR}, a small network that finds boxes, "
        f"is trained on {_text(size)} pixels."
    )
    return DefaultNetwork(SMALL_DETECTOR, open_ones, reason)


def _for_images(
    count: int,
    sample: ImageSample,
    config: TrainConfig,
    device: torch.device,
    is_open: Callable[[str], bool],
) -> DefaultNetwork:
    sizes = [_pair(config.input_size)] if config.input_size else _sizes(sample)
    size, epochs, limit = sizes[0], config.epochs, ""
    if device.type == "cpu":
        size, epochs, limit = _in_time(sizes, count, config, has_epochs=not is_open("epochs"))
    settings: dict[str, Any] = {
        "input_size": size[0] if size[0] == size[1] else size,
        "in_channels": 1 if sample.all_gray else 3,
        "epochs": epochs,
    }
    if device.type == "cpu" and _is_soon_done(size, count, config):
        settings["engine"] = "torch"
    kind = "grayscale" if sample.all_gray else "color"
    reason = (
        f"No network was named (`model`), so {_network(size)} is trained on {_text(size)} pixels: "
        f"there are {count:,} {kind} images of about {_text(sample.typical_size)} to train "
        f"on{limit}."
    )
    if is_open("augment"):
        augmentation, shown = _augmentation(sample, size)
        settings |= augmentation
        reason += f" {shown}"
    if count <= _FEW and _is_of_photographs(sample) and not sample.all_gray:
        reason += " With so few, published weights give better results (`pretrained`)."
    open_ones = {name: value for name, value in settings.items() if is_open(name)}
    return DefaultNetwork(_network(size), open_ones, reason)


def _in_time(
    sizes: Sequence[tuple[int, int]], count: int, config: TrainConfig, *, has_epochs: bool
) -> tuple[tuple[int, int], int, str]:
    """The size and the epochs for which a CPU takes the time that there is, and what it forbids."""
    time = _TIME if config.max_minutes is None else 60 * config.max_minutes
    size = next((each for each in sizes if _seconds(each, count, config) <= time), sizes[-1])
    epochs = config.epochs
    if not has_epochs and config.steps is None and config.max_minutes is None:
        fitting = int(epochs * time / _seconds(size, count, config))
        epochs = min(epochs, max(_LEAST_EPOCHS, fitting))
    limits = ["larger inputs (`input_size`)"] if size != sizes[0] else []
    limits += [f"more epochs than {epochs} (`epochs`)"] if epochs < config.epochs else []
    if not limits:
        return size, epochs, ""
    limit = f", and {' or '.join(limits)} would take this CPU more than {in_words(time)}"
    return size, epochs, limit


def _sizes(sample: ImageSample) -> list[tuple[int, int]]:
    """The (height, width) that inputs may have, the best first."""
    height, width = sample.typical_size
    shorter = min(height, width)
    if _is_of_photographs(sample):
        return [(side, side) for side in _SIDES if side <= shorter] or [(_SMALL, _SMALL)]
    if sample.is_uniform and max(height, width) <= 2 * _SMALL:
        return [(max(_LEAST, height), max(_LEAST, width))]
    return [_pair(max(_LEAST, 8 * round(shorter / 8)))]


def _is_of_photographs(sample: ImageSample) -> bool:
    return min(sample.typical_size) > _SMALL


def _network(size: tuple[int, int]) -> str:
    return "resnet20_cifar" if min(size) <= _SMALL else "resnet18"


def _augmentation(sample: ImageSample, size: tuple[int, int]) -> tuple[dict[str, Any], str]:
    """Its settings, and what they do."""
    if _is_of_photographs(sample):
        return {"augment": "resized-crop-flip", "crop_scale": _WINDOWS}, (
            "Windows of them are shown, half of them mirrored (`augment`)."
        )
    return {"augment": "crop-flip", "crop_padding": max(1, min(size) // 8)}, (
        "They are shifted, and half of them mirrored (`augment='crop'` mirrors none, which suits "
        "letters and digits)."
    )


def _seconds(size: tuple[int, int], count: int, config: TrainConfig) -> float:
    """How long a CPU will train on inputs of this size."""
    faster = _COMPILED if _is_compiled(size, config) else 1
    return _torch_seconds(size, count, config) / faster


def _torch_seconds(size: tuple[int, int], count: int, config: TrainConfig) -> float:
    if config.max_minutes is not None:
        images = _PASSES * count
    elif config.steps is not None:
        images = config.steps * (config.batch_size or 64)
    else:
        images = config.epochs * count
    work = (_RESNET20 if _network(size) == "resnet20_cifar" else _RESNET18) * size[0] * size[1]
    return torch_seconds(max(1, images) * work, config.threads)


def torch_seconds(multiply_adds: float, threads: int | None = None) -> float:
    """About how long PyTorch trains on a CPU, by the multiply-adds of all its forward passes."""
    return multiply_adds / (_SPEED * (threads or torch.get_num_threads()))


def _is_compiled(size: tuple[int, int], config: TrainConfig) -> bool:
    is_possible = size[0] * size[1] <= _COMPILED_AREA and find_spec("llvmlite") is not None
    return is_possible and config.engine != "torch"


def _is_soon_done(size: tuple[int, int], count: int, config: TrainConfig) -> bool:
    """Whether PyTorch is done before the engine would be compiled."""
    return _is_compiled(size, config) and _torch_seconds(size, count, config) < _COMPILES


def _text(size: tuple[int, int]) -> str:
    height, width = size
    return f"{width}x{height}"


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _of_weights(
    weights: Weights,
    count: int,
    config: TrainConfig,
    device: torch.device,
    is_open: Callable[[str], bool],
) -> DefaultNetwork:
    """The network of weights; fine-tuning has an augmentation of its own."""
    model, card = _named_by(weights), weights.card
    settings: dict[str, Any] = {}
    limit = ""
    if (
        card is not None and model == PRETRAINED and device.type == "cpu"
    ):  # others take unknown time
        sizes = [_pair(config.input_size or card.input_size)]
        has_epochs = not is_open("epochs")
        _, settings["epochs"], limit = _in_time(sizes, count, config, has_epochs=has_epochs)
    reason = f"No network was named, so {model} is trained, of which the weights are{limit}."
    open_ones = {name: value for name, value in settings.items() if is_open(name)}
    return DefaultNetwork(model, open_ones, reason)


def _named_by(weights: Weights) -> str:
    """The network of weights: that of a run, of a library's name, or that which their card names.

    Code of a person is not imported because a run names it.
    """
    source = weights.source
    library, _, name = source.partition("#")[0].partition(":")
    if library in ("torchvision", "timm") and name:
        plain = name.partition("/")[0].partition(".")[0].lower()
        known = ZOO.get(plain)
        return plain if known and known.torchvision_names else f"{library}:{plain}"
    path = Path(source).expanduser()
    path = path.parent if path.name == "model.safetensors" else path
    if (path / "config.toml").is_file():
        run = Run.open(path)
        model = model_source(run, str(run.read_config()["model"]))
    else:
        released = (row.network for row in releases() if weights.sha256.startswith(row.sha256))
        stated = "" if weights.card is None else weights.card.provenance.get("network", "")
        model = next(released, stated)
    if not model or is_own_code(model):
        of = f" is of {model}, code of your own, so" if model else " does not say of which network,"
        raise RequestError(f"`weights={source}`{of} name the network with `model`.")
    return model
