"""Equivariance curves: how far answers and maps of a network move when its images are shifted."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor, nn

from convscope.atomic import write_atomically
from convscope.data.normalize import normalize
from convscope.errors import RequestError
from convscope.evaluation.opening import open_trained
from convscope.evaluation.selection import DataRequest
from convscope.features.image_set import open_images
from convscope.forward import like_parameters
from convscope.inference import inference_mode
from convscope.recording.recorder import run_once
from convscope.strict import checked, parse_json
from convscope.words.json_text import to_json

IMAGES = 300
"""Test images at most."""
_BATCH = 100
_MOST = 8  # pixels
_DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))


class _Form(TypedDict):
    images: int
    answers: list[float]
    maps: list[float]


@dataclass(frozen=True)
class ShiftCurves:
    """What shifts of the test images do to one network; both lists begin at no shift.

    Attributes:
        images: how many were shifted, by 0, 1, 2 ... pixels in each of four directions. What comes
            in at the border repeats it.
        answers: the share of them whose predicted class stays the same.
        maps: the correlation of the last maps for the shifted image with the maps themselves,
            shifted as far, each map without its mean: 1 where they move along, and 0 where they
            have nothing in common. What the shift brings in at the border is left out.
    """

    images: int
    answers: tuple[float, ...]
    maps: tuple[float, ...]


def shift_curves(run: Path, volume: tuple[int, int, int]) -> ShiftCurves:
    """The curves of a trained network, read from the folder beside the run where they are known.

    `volume` (c, h, w) are the units of a dense first layer, where a network has no maps.
    """
    path = run.with_name(f"{run.name}.shifts.json")
    try:
        content = parse_json(path.read_text("utf-8"), where=str(path))
        form = checked(content, _Form, where=str(path))
        return ShiftCurves(form["images"], tuple(form["answers"]), tuple(form["maps"]))
    except (OSError, RequestError):
        pass  # not there, or of another version: it is computed again
    opened = open_trained(run)
    request = DataRequest(split="test", data_dir=None, image_column=None, label_column=None)
    images = open_images(opened, None, request)
    count = len(images.indices)
    places = np.arange(min(IMAGES, count)) * count // min(IMAGES, count)  # spread over all
    batches = np.split(images.indices[places], range(_BATCH, len(places), _BATCH))
    fed = torch.cat(
        [
            like_parameters(opened.net, normalize(pixels, opened.card, channels_last=False))
            for pixels in images.loaded.batch_source.batches(batches)
        ]
    )
    found = measure_shifts(opened.net, fed, volume)
    table = {"images": found.images, "answers": found.answers, "maps": found.maps}
    write_atomically(path, to_json(table) + "\n")
    return found


def measure_shifts(net: nn.Module, images: Tensor, volume: tuple[int, int, int]) -> ShiftCurves:
    """The curves of a network in eval mode over images (n, c, h, w), as it is fed them."""
    most = max(1, min(_MOST, min(images.shape[-2:]) // 4))
    answers, maps = [1.0], [1.0]
    with inference_mode(net), torch.inference_mode(mode=False), torch.no_grad():
        batches = [images[n : n + _BATCH] for n in range(0, len(images), _BATCH)]
        before = [_pass(net, batch, volume) for batch in batches]
        for distance in range(1, most + 1):
            same, sums = 0, torch.zeros(3, dtype=torch.float64)
            for down, right in _DIRECTIONS:
                by = down * distance, right * distance
                for batch, (old_maps, old_answers) in zip(batches, before, strict=True):
                    new_maps, new_answers = _pass(net, shifted(batch, by), volume)
                    same += int((old_answers == new_answers).sum())
                    sums += _moments(old_maps, new_maps, by, images.shape[-2:])
            answers.append(same / (len(_DIRECTIONS) * len(images)))
            maps.append(_correlation(sums))
    return ShiftCurves(len(images), tuple(answers), tuple(maps))


def shifted(images: Tensor, by: tuple[float, float]) -> Tensor:
    """Images or maps (n, c, h, w) moved down and right; the border is repeated.

    Parts of a unit are interpolated between neighbors.
    """
    moved = images
    for axis, distance in zip((-2, -1), by, strict=True):
        size = images.shape[axis]
        places = torch.arange(size, dtype=torch.float64) - distance
        low = places.floor()
        share = (places - low).to(images).reshape((-1, *(1,) * (-1 - axis)))
        first, second = (n.clamp(0, size - 1).long() for n in (low, low + 1))
        lower, upper = moved.index_select(axis, first), moved.index_select(axis, second)
        moved = lower if not bool(share.any()) else lower + share * (upper - lower)
    return moved


def _pass(net: nn.Module, batch: Tensor, volume: tuple[int, int, int]) -> tuple[Tensor, Tensor]:
    """The last maps, or the first layer as a volume, and the predicted classes."""
    maps: list[Tensor] = []
    units: list[Tensor] = []

    def keep(_number: int, result: Tensor) -> None:
        is_map = result.ndim == 4 and min(result.shape[-2:]) > 1
        if is_map:
            maps[:] = [result.detach().clone()]
        elif result.shape[1:].numel() == torch.Size(volume).numel():
            units[:] = [result.detach().clone().reshape(-1, *volume)]
        outputs[:] = [result.detach()]

    outputs: list[Tensor] = []
    run_once(net, batch.clone(), should_keep=lambda module, kind: False, on_result=keep)
    return (maps or units)[0], outputs[0].argmax(1)


def _moments(old: Tensor, new: Tensor, by: tuple[int, int], size: Sequence[int]) -> Tensor:
    """Of each map its spread before and after, and their product, without its own mean: sums."""
    steps = [side / units for side, units in zip(size, old.shape[-2:], strict=True)]
    distances = [n / (round(step) if step >= 1.5 else 1) for n, step in zip(by, steps, strict=True)]
    moved = shifted(old, (distances[0], distances[1]))
    inside = [slice(None), slice(None)]
    for side, distance in zip(old.shape[-2:], distances, strict=True):
        margin = math.ceil(abs(distance))
        inside.append(slice(margin, side - margin) if side > 2 * margin + 1 else slice(None))
    a, b = (each[tuple(inside)].double() for each in (moved, new))
    a, b = (each - each.mean((2, 3), keepdim=True) for each in (a, b))
    return torch.stack([(x * y).mean((1, 2, 3)).sum() for x, y in ((a, a), (b, b), (a, b))])


def _correlation(sums: Tensor) -> float:
    """1 where all maps are constant."""
    before, after, both = (float(each) for each in sums)
    spread = math.sqrt(before * after)
    return min(1.0, both / spread) if spread > 0 else 1.0


def mean_curve(curves: Iterator[tuple[float, ...]]) -> tuple[float, ...]:
    """The mean of several curves, point by point."""
    rows = list(zip(*curves, strict=True))
    return tuple(sum(row) / len(row) for row in rows)
