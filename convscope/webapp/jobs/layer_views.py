"""Views of a run's layers for the page: of the training as it goes, and of its kept epochs."""

import struct
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from convscope.card import Card
from convscope.data.normalize import normalize
from convscope.errors import RequestError
from convscope.explanation.loading import read_pixels
from convscope.runs import index
from convscope.runs.folder import Run
from convscope.runs.live_files import Live
from convscope.runs.network import load_state, rebuild
from convscope.runs.own_code import Consent
from convscope.runs.tensor_file import TensorFile
from convscope.training.callbacks.layer_views import example_at, example_view
from convscope.training.epoch_weights import EPOCHS, FEWEST, KEPT_BYTES, EpochWeights
from convscope.training.layer_view import CHANNELS, LAYERS, SIDE, TILES
from convscope.words.json_text import to_json

NOTE = (
    f"At most {LAYERS} layers; of each the first {TILES} maps and filters, {CHANNELS} channels of "
    f"a filter; of maps larger than {SIDE}×{SIDE} every second value, or fewer. After up to "
    f"{EPOCHS} epochs the weights are kept, in at most {KEPT_BYTES // 1_000_000} MB; those of "
    f"networks above {KEPT_BYTES // FEWEST // 4:,} parameters in half precision, above "
    f"{KEPT_BYTES // FEWEST // 2:,} not at all."
)
"""What is shown of a network, and what is kept."""

_HELD = 4  # networks that were built


class LayerViews:
    """What layers hold for an example, which the page has chosen for each run."""

    def __init__(self) -> None:
        self._networks: dict[Path, tuple[nn.Module, Card]] = {}
        self._chosen: dict[Path, TensorFile] = {}
        self._computing = threading.Lock()

    def epochs(self, path: Path) -> list[dict[str, int]]:
        """The steps of which the run keeps weights, with their epochs."""
        metrics = {line["step"]: line["epoch"] for line in index.read_metrics(path)}
        steps = EpochWeights(path).steps()
        return [{"step": step, "epoch": metrics.get(step, 0)} for step in steps]

    def choose(self, path: Path, number: int) -> Mapping[str, Any]:
        """Show one of the run's examples. Raises RequestError for one that is not there."""
        examples = index.read_snapshot(path, "examples")
        if examples is None or not 0 <= number < len(examples.metadata["images"]):
            raise RequestError(f"{path.name} has no example {number}.")
        return self._choose(path, example_at(examples, number))

    def give(self, path: Path, title: str, content: bytes) -> Mapping[str, Any]:
        """Show an image of the user's own: a file's bytes. Raises RequestError for no image."""
        pixels = torch.from_numpy(read_pixels(content, Run.open(path).read_card())[None].copy())
        return self._choose(
            path, TensorFile({"pixels": pixels}, {"name": title, "label": None, "truth": ""})
        )

    def _choose(self, path: Path, example: TensorFile) -> Mapping[str, Any]:
        self._chosen[path] = example
        Live(path).write_snapshot("example", example)
        return example.metadata

    def live(self, path: Path) -> bytes:
        """The layers as they were at the last look of the training. Raises RequestError."""
        view = index.read_snapshot(path, "layers")
        if view is None:
            raise RequestError("There is no view of the layers yet; it comes while they are shown.")
        return packed(view)

    def of_step(self, path: Path, step: int, consent: Consent) -> bytes:
        """The layers with the weights that were kept after a step. Raises RequestError."""
        stored = EpochWeights(path).read(step)
        if stored is None:
            raise RequestError(f"{path.name} keeps no weights of step {step:,}.")
        example = self._example(path)
        with self._computing:
            net, card = self._network(path, consent)
            load_state(net, stored.tensors, where=f"step {step:,}", card=card)
            epoch = stored.metadata["epoch"]
            normalized = partial(normalize, card=card, channels_last=False)
            return packed(example_view(net, example, normalized, card, step=step, epoch=epoch))

    def _example(self, path: Path) -> TensorFile:
        chosen = self._chosen.get(path) or index.read_snapshot(path, "example")
        examples = index.read_snapshot(path, "examples")
        if chosen is not None:
            return chosen
        if examples is None:
            raise RequestError(f"{path.name} has no image to show; draw one or choose a file.")
        return example_at(examples, 0)

    def _network(self, path: Path, consent: Consent) -> tuple[nn.Module, Card]:
        if path not in self._networks:
            run = Run.open(path)
            card = run.read_card()
            net, _ = rebuild(run, run.read_config(), card, consent)
            self._networks[path] = net.eval(), card
            while len(self._networks) > _HELD:
                del self._networks[next(iter(self._networks))]
        return self._networks[path]


def packed(view: TensorFile) -> bytes:
    """A view as bytes: a header's length, the header, then the values one after the other.

    The header has the view's metadata, and in `tensors` of each part its `name`, `shape` and
    `offset` in bytes.
    """
    tensors: list[dict[str, Any]] = []
    body = bytearray()
    for name, values in view.tensors.items():
        tensors.append({"name": name, "shape": [*values.shape], "offset": len(body)})
        body += np.ascontiguousarray(values.numpy()).tobytes()
    header = to_json({**view.metadata, "tensors": tensors}).encode()
    return struct.pack("<I", len(header)) + header + bytes(body)
