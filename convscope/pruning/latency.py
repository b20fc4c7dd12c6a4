"""How fast two networks answer by PyTorch, in turn."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.card import Card
from convscope.device import threads_set
from convscope.engines.timing import EngineTimes, time_engines
from convscope.forward import call_network
from convscope.inference import inference_mode

Batch = NDArray[np.float32]


def time_networks(
    before: nn.Module, after: nn.Module, card: Card, *, batch_size: int, threads: int | None
) -> tuple[EngineTimes, EngineTimes]:
    """Seconds per batch of noise on the CPU, in eval mode, in alternating rounds."""

    def engine(net: nn.Module) -> Callable[[Batch], Batch]:
        def answer(images: Batch) -> Batch:
            with torch.inference_mode():
                return call_network(net, torch.from_numpy(images), len(card.classes)).numpy()

        return answer

    with threads_set(threads), inference_mode(before), inference_mode(after):
        engines = {"before": engine(before), "after": engine(after)}
        times = time_engines(engines, card, batch_size=batch_size)
    return times["before"], times["after"]
