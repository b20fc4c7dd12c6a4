"""Networks of timm and torchvision: `timm:resnet18`, `torchvision:resnet18`.

They are built without weights, which come by `weights` alone. What a library states of the images
that a network was trained on, its size, mean and standard deviation, becomes the card's default.
"""

import importlib
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from convscope.card import Interpolation
from convscope.errors import NetworkError, RequestError, nearest
from convscope.forward import first_line

LIBRARIES = ("timm", "torchvision")


@dataclass(frozen=True)
class Preprocessing:
    """What a library states of a network's images.

    Attributes:
        in_channels: channels of the images.
        input_size: (height, width).
        resize_size: the shorter side before the center is cropped.
        mean: per channel, of bytes scaled to 0..1.
        std: per channel.
    """

    in_channels: int
    input_size: tuple[int, int]
    resize_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: Interpolation


def library_of(name: str) -> tuple[str, str] | None:
    """("timm", "resnet18") of `timm:resnet18`, and of timm's builder `timm.models:resnet18`."""
    module, colon, rest = name.partition(":")
    package, _, inside = module.partition(".")
    if not colon or package not in LIBRARIES:
        return None
    if not inside or (inside.partition(".")[0] == "models" and _defines(package, rest)):
        return package, rest
    return None


def build_from_library(
    library: str,
    name: str,
    *,
    num_classes: int | None,
    in_channels: int | None,
    input_size: tuple[int, int] | None,
) -> nn.Module:
    """Build a network of a library without weights; None leaves an argument to the library.

    Raises RequestError if the library is missing or broken, has no such network, or cannot build
    it for this image.
    """
    check_library_model(library, name)
    build = _build_timm if library == "timm" else _build_torchvision
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of how weights will be initialized
            return build(name, num_classes, in_channels, input_size)
    except RequestError:
        raise
    except Exception as error:
        raise NetworkError(
            f"{library}:{name} failed while building with num_classes={num_classes}, "
            f"in_channels={in_channels} and input_size={input_size}: {type(error).__name__}: "
            f"{first_line(error)}. The error is in {library}'s own code."
        ) from error


def _build_timm(
    name: str, num_classes: int | None, in_channels: int | None, size: tuple[int, int] | None
) -> nn.Module:
    timm = import_library("timm")
    stated = library_preprocessing("timm", name)
    arguments: dict[str, Any] = {"num_classes": num_classes, "in_chans": in_channels}
    if size is not None and stated is not None and size != stated.input_size:
        arguments["img_size"] = size
    arguments = {key: value for key, value in arguments.items() if value is not None}
    try:
        return timm.create_model(name, pretrained=False, **arguments)
    except TypeError as error:
        if "'img_size'" not in str(error):  # which those that take any size do not have
            raise
        del arguments["img_size"]
        return timm.create_model(name, pretrained=False, **arguments)


def _build_torchvision(
    name: str, num_classes: int | None, in_channels: int | None, size: tuple[int, int] | None
) -> nn.Module:
    models = import_library("torchvision").models
    if in_channels not in (None, 3):
        raise RequestError(
            f"torchvision's networks take 3 channels, not {in_channels}. Leave out `in_channels`: "
            f"gray images are repeated three times; or take timm:{name}, if timm has it."
        )
    arguments: dict[str, Any] = {} if num_classes is None else {"num_classes": num_classes}
    if name in ("googlenet", "inception_v3"):
        arguments["init_weights"] = True
    if name.startswith("vit_") and size is not None and size[0] == size[1]:
        arguments["image_size"] = size[0]
    return models.get_model(name, weights=None, **arguments)


def library_preprocessing(
    library: str, name: str, weights: str | None = None
) -> Preprocessing | None:
    """What a library states of a network's images; None where it states nothing.

    `weights` names one of torchvision's for the network; by default its first.
    """
    if library == "timm":
        timm = import_library("timm")
        config = timm.models.get_pretrained_cfg(name, allow_unregistered=True)
        return timm_preprocessing(config.to_dict() if config else {})
    models = import_library("torchvision").models
    known = models.get_model_weights(name)
    if not list(known):
        return None
    steps = (known[weights] if weights else next(iter(known))).transforms()
    return Preprocessing(
        in_channels=3,
        input_size=(steps.crop_size[0], steps.crop_size[0]),
        resize_size=max(steps.resize_size[0], steps.crop_size[0]),
        mean=tuple(steps.mean),
        std=tuple(steps.std),
        interpolation=_interpolation(steps.interpolation.value),
    )


def timm_preprocessing(config: object) -> Preprocessing | None:
    """The same from a configuration of timm's, the `pretrained_cfg` of a network of its own."""
    if not isinstance(config, Mapping):
        return None
    stated = cast("Mapping[str, Any]", config)
    try:
        channels, height, width = map(int, stated["input_size"])
        crop = float(stated.get("crop_pct") or 1)
        return Preprocessing(
            in_channels=channels,
            input_size=(height, width),
            resize_size=max(height, width, int(max(height, width) / crop)),
            mean=tuple(map(float, stated["mean"])),
            std=tuple(map(float, stated["std"])),
            interpolation=_interpolation(stated.get("interpolation", "bicubic")),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _interpolation(name: str) -> Interpolation:
    return "bilinear" if name == "bilinear" else "bicubic"


def check_library_model(library: str, name: str) -> None:
    """Raise RequestError if a library is missing or broken, or has no network of this name."""
    if library == "timm":
        models = import_library("timm").models
        if name and models.is_model(name) and ":" not in name:
            return
        known: Callable[[], list[str]] = models.list_models
    else:
        models = import_library("torchvision").models
        known = lambda: models.list_models(module=models)  # noqa: E731
        if name in known():
            return
    raise RequestError(
        f"{library} {_version(library)} has no network {name!r} for images."
        f"{nearest(f'{library}:{name}', [f'{library}:{each}' for each in known()])}"
    )


@cache
def import_library(library: str) -> Any:
    """Import timm or torchvision. Raises RequestError, with what to do, where that fails."""
    if find_spec(library) is None:
        raise RequestError(f'{library} is not installed: `pip install "convscope[{library}]"`.')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return importlib.import_module(library)
    except Exception as error:
        raise RequestError(_broken(library, error)) from error


def _broken(library: str, error: Exception) -> str:
    """What is wrong with a library that does not import: mostly, its torchvision is another's."""
    cause = "torchvision" if "torchvision" in f"{error}{find_spec('torchvision')}" else library
    builds = f"torch {torch.__version__}, {cause} {_version(cause)}"
    return (
        f"{library} {_version(library)} is installed, but does not import: "
        f"{type(error).__name__}: {first_line(error)}. {builds}: these builds do not belong "
        f"together. Install matching ones: `pip install --force-reinstall torch {cause}`, both "
        "from the same index."
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of an unknown version"


def libraries_with(name: str) -> list[str]:
    """The installed libraries that have a network of this name, found without importing them."""
    return [library for library in LIBRARIES if _defines(library, name)]


def _defines(library: str, name: str) -> bool:
    """Whether a library's source defines a builder; timm takes seconds to import."""
    pattern = re.compile(rf"^def {re.escape(name.partition('.')[0])}\(", re.MULTILINE)
    return any(pattern.search(text) for text in _sources(library))


@cache
def _sources(library: str) -> tuple[str, ...]:
    spec = find_spec(library)
    folders = spec.submodule_search_locations if spec else None
    files = [file for folder in folders or () for file in Path(folder, "models").glob("*.py")]
    return tuple(file.read_text("utf-8", "replace") for file in files)
