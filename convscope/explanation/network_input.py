"""What a network is fed for an image, whatever the image was handed over as."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd as Convolution  # pyright: ignore[reportPrivateUsage]
from torch.nn.parameter import is_lazy

from convscope.card import Card
from convscope.data.depth import note_of, size_of
from convscope.data.images import ImageLike, open_image
from convscope.data.resize import resize_image
from convscope.data.unreadable import UnreadableImage
from convscope.errors import ConvscopeError, RequestError
from convscope.explanation.loading import preprocess
from convscope.forward import like_parameters, network_error
from convscope.models import open_model
from convscope.network_card import card_of
from convscope.recording import ForwardPass, run_once
from convscope.recording.recorder import OnResult, ShouldKeep, ShouldRetain

_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class NetworkInput:
    """One way to feed an image to a network.

    Attributes:
        readings: the batches of one that it may stand for, the likeliest first.
        note: what was assumed of the image; empty if nothing was.
    """

    readings: list[Tensor]
    note: str = ""


def check_module(net: object) -> None:
    """Raise RequestError for anything but a network that can run, and for lazy layers."""
    if not isinstance(net, nn.Module):
        raise RequestError(
            f"record takes a torch.nn.Module, not of type {type(net).__name__}. `explain` takes "
            "names and runs, too."
        )
    for name, tensor in (*net.named_parameters(), *net.named_buffers()):
        if is_lazy(tensor):
            raise RequestError(f"{name} is uninitialized (lazy); run the network once first.")
        if tensor.is_meta:
            raise RequestError(f"{name} is on the meta device, which has no values to record.")


def run_on_image(
    net: nn.Module,
    image: object,
    card: Card | None,
    *,
    should_keep: ShouldKeep,
    should_retain: ShouldRetain = lambda number, tensor: True,
    on_result: OnResult = lambda number, result: None,
    num_classes: int | None = None,
) -> tuple[ForwardPass, str]:
    """The recorded pass on an image, as the network takes it, and what was assumed of the image.

    Raises RequestError for what is no image; NetworkError where the network fails.
    """
    failed: list[tuple[Tensor, Exception]] = []
    for each in network_inputs(net, image, card):
        own: list[tuple[Tensor, Exception]] = []
        for reading in each.readings:
            with torch.inference_mode(mode=False):
                fed = like_parameters(net, reading.detach().clone())
            try:
                done = run_once(
                    net,
                    fed,
                    should_keep=should_keep,
                    should_retain=should_retain,
                    num_classes=num_classes,
                    on_result=on_result,
                )
            except Exception as error:  # noqa: BLE001 -- somebody's network may raise anything
                own.append((reading, error))
            else:
                return done, each.note
        failed = own
    image, error = failed[0]
    raise _failure(net, image, error) from error


def _failure(net: nn.Module, image: Tensor, error: Exception) -> Exception:
    """The network's own failure, if it fails without being recorded, too; else the error itself."""
    if isinstance(error, ConvscopeError):
        return error
    try:
        with torch.inference_mode(mode=False), torch.no_grad(), torch.random.fork_rng(devices=()):
            net = copy.deepcopy(net)  # which the network may change when it runs
            net(like_parameters(net, image.detach().clone()))
    except Exception as own:  # noqa: BLE001 -- somebody's network may raise anything
        shape = "x".join(map(str, image.shape[1:]))
        advice = _remedy(net, image)
        name, doing = type(net).__name__, f"for an image of {shape}"
        return network_error(own, net, name=name, doing=doing, remedy=advice)
    return error


def network_inputs(net: nn.Module, image: object, card: Card | None) -> Iterator[NetworkInput]:
    """The ways to feed an image to a network, in the order in which they are tried.

    A tensor, or an array with channels first, is what the network is fed, as it is; one of bytes,
    which the network does not take, is an image. So is everything else: it is prepared as the
    card says, see `convscope.models.open_model`.

    Raises RequestError for what is no image, and for several.
    """
    values = _as_tensor(image)
    if values is None:
        yield _prepared(net, image, card)
        return
    readings = read_tensor(values)
    if not readings or not values.numel():
        raise RequestError(_no_image(values))
    yield NetworkInput(readings)
    if values.dtype == torch.uint8:
        yield _prepared(net, readings[0][0], card)


def _as_tensor(image: object) -> Tensor | None:
    """A tensor, or an array that has channels first, as a tensor; None for anything else."""
    if isinstance(image, Tensor):
        return image
    if isinstance(image, str | bytes | list | tuple) or not hasattr(image, "__array__"):
        return None
    array: Any = np.asarray(image)
    if array.dtype.kind not in "biufc" or hasattr(image, "getbands"):  # an image of PIL's
        return None
    is_first = array.ndim == 3 and array.shape[0] in _CHANNELS and array.shape[2] not in _CHANNELS
    if array.ndim == 4 and len(array) == 1 and array.shape[1] not in _CHANNELS:
        return None
    if not is_first and array.ndim < 4 and array.dtype.kind != "c":
        return None
    return torch.from_numpy(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))))


def read_tensor(image: Tensor) -> list[Tensor]:
    """The batches of one that a tensor may stand for, an image first; none for a batch of many."""
    as_image = image.reshape(1, *(1,) * (3 - image.ndim), *image.shape)
    if image.ndim == 2:
        return [as_image, image[None], *([image] if len(image) == 1 else [])]
    if image.ndim == 3:
        return [as_image, *([image] if len(image) == 1 else [])]
    return [image] if image.ndim > 3 and len(image) == 1 else []


def _no_image(values: Tensor) -> str:
    shape = tuple(values.shape)
    said = f"The image has the shape {shape}; record takes one image, (c, h, w) or (1, c, h, w)."
    if values.ndim == 4 and len(values) > 1:
        return f"{said} Of a batch, pass one: images[0]."
    return said


def _prepared(net: nn.Module, image: object, card: Card | None) -> NetworkInput:
    """An image as the card of the network says."""
    if isinstance(image, list | tuple):
        several = cast("list[object]", image)
        raise RequestError(
            f"The image is a {type(image).__name__} of {len(several)}; record takes one image. "
            "Pass one of them, or numbers as an array: numpy.array(image)."
        )
    if isinstance(image, np.ndarray) and image.ndim == 4:
        image = image[0]
    try:
        decoded = open_image(cast("ImageLike", image), card or card_of(net))
    except UnreadableImage as error:
        named = str(image) if isinstance(image, str | PathLike) else "The image"
        raise RequestError(f"{named} {str(error).rstrip('.')}.") from error
    width, height = size_of(decoded)
    opened = open_model(net, card=card, image_size=(height, width))
    pixels = resize_image(decoded, opened.card)
    seen = f"The image {note}." if (note := note_of(decoded)) else ""
    notes = " ".join(filter(None, (opened.note, seen)))
    return NetworkInput([preprocess(pixels, opened.card)], notes)


def _remedy(net: nn.Module, image: Tensor) -> str:
    """What to do about an image that a network refuses; empty where nothing is known."""
    if not image.is_floating_point() and not image.is_complex():
        kind = str(image.dtype).removeprefix("torch.")
        return f"The image has integers ({kind}); give floats, `image.float() / 255`, or uint8."
    first = next((layer for layer in net.modules() if isinstance(layer, Convolution)), None)
    shape = tuple(image.shape)
    if first is None or len(shape) < 3 or first.in_channels in (0, shape[-3]):
        return ""
    if first.in_channels == shape[-1]:
        return (
            f"The image has the shape {shape[1:]}, and the network takes {first.in_channels} "
            "channels, which come first: `image.permute(2, 0, 1)`."
        )
    return f"The network takes {first.in_channels} channels, and the image has {shape[-3]}."
