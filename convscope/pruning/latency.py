"""How fast two networks answer, in turn: by PyTorch, and by the engines that export uses."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from convscope.card import Card
from convscope.conversion.network_graph import exportable, network_graph
from convscope.device import threads_set
from convscope.engines import Engine, EngineName, is_installed, open_engine
from convscope.engines.timing import EngineTimes, time_engines
from convscope.errors import ConvscopeError
from convscope.forward import call_network
from convscope.inference import inference_mode

Batch = NDArray[np.float32]
Times = Mapping[str, Mapping[int, tuple[EngineTimes, EngineTimes]]]
"""Of two networks, by what computes, "torch" first, and by the images of a batch."""

_BATCHES = (1, 32)
_FROM_ONNX: tuple[EngineName, ...] = ("onnxruntime", "openvino")


def time_networks(
    before: nn.Module, after: nn.Module, card: Card, *, threads: int | None
) -> tuple[Times, list[str]]:
    """Seconds per batch of noise on the CPU, in eval mode, in alternating rounds; and notes.

    Each engine that is installed and opens ONNX is timed too; where both networks cannot be
    exported, a note says why.
    """
    pair = {"before": before, "after": after}
    notes: list[str] = []
    found: dict[str, dict[int, tuple[EngineTimes, EngineTimes]]] = {}
    with threads_set(threads), inference_mode(before), inference_mode(after):
        by_torch = {name: _by_torch(net, card) for name, net in pair.items()}
        found["torch"] = {size: _timed(by_torch, card, size) for size in _BATCHES}
        for engine in filter(is_installed, _FROM_ONNX):
            try:
                found[engine] = _by_engine(engine, pair, card)
            except ConvscopeError as error:
                notes.append(f"Not timed in {engine}: {error}")
    return found, notes


def _by_engine(
    name: EngineName, pair: Mapping[str, nn.Module], card: Card
) -> dict[int, tuple[EngineTimes, EngineTimes]]:
    shape = (card.in_channels, *card.input_size)
    with torch.inference_mode(mode=False):
        files = {
            each: network_graph(exportable(net), shape, len(card.classes)).SerializeToString()
            for each, net in pair.items()
        }
    found: dict[int, tuple[EngineTimes, EngineTimes]] = {}
    for size in _BATCHES:
        engines = {
            each: open_engine(name, file, threads=torch.get_num_threads(), batch_size=size)
            for each, file in files.items()
        }
        found[size] = _timed(engines, card, size)
    return found


def _by_torch(net: nn.Module, card: Card) -> Callable[[Batch], Batch]:
    def answer(images: Batch) -> Batch:
        with torch.inference_mode():
            return call_network(net, torch.from_numpy(images), len(card.classes)).numpy()

    return answer


def _timed(engines: Mapping[str, Engine], card: Card, size: int) -> tuple[EngineTimes, EngineTimes]:
    times = time_engines(engines, card, batch_size=size)
    return times["before"], times["after"]
