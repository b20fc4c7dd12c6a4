"""How fast networks answer on this machine, in turn: one busy moment shall not decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch

from convscope.inference import inference_mode
from convscope.models import OpenedModel

ROUNDS = 5
_SECONDS = 0.1  # of a network in a round
BATCH = 8


@dataclass(frozen=True)
class Speed:
    """Images per second in batches of 8, on the CPU: the median, the slowest and fastest round."""

    median: float
    slowest: float
    fastest: float


def measure_speed(networks: Sequence[OpenedModel]) -> list[Speed]:
    """The speed of each network on random images of its own size."""
    images = [
        torch.rand(BATCH, opened.card.in_channels, *opened.card.input_size) for opened in networks
    ]
    for opened, batch in zip(networks, images, strict=True):
        _rate(opened, batch, 0.0)
    rates = [
        [_rate(opened, batch, _SECONDS) for opened, batch in zip(networks, images, strict=True)]
        for _ in range(ROUNDS)
    ]
    return [
        Speed(float(np.median(rounds)), min(rounds), max(rounds))
        for rounds in zip(*rates, strict=True)
    ]


def _rate(opened: OpenedModel, images: torch.Tensor, seconds: float) -> float:
    times: list[float] = []
    with inference_mode(opened.net):
        while not times or sum(times) < seconds:
            began = perf_counter()
            opened.net(images)
            times.append(perf_counter() - began)
    return len(images) / float(np.median(times))
