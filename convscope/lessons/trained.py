"""A LeNet-5 that is trained on digits once, in the background, when a lesson first asks for it."""

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from convscope.card import Card
from convscope.data.resize import resize_image
from convscope.data.source import open_source
from convscope.data.split import apply_splits
from convscope.errors import ConvscopeError, WorkError
from convscope.runs.folder import Run
from convscope.runs.network import load_network
from convscope.training.api import train_run
from convscope.training.callbacks.base import Callback
from convscope.training.config import TrainConfig
from convscope.training.events import FitStart, StepEnd
from convscope.training.state import TrainState

DATA, EPOCHS = "digits", 16
"""What is learned, and how often it is gone through."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network, and the pictures (n, height, width) with their labels that it knows.

    `train` are those that it learned from, `test` those that it never saw.
    """

    net: nn.Module
    card: Card
    train: tuple[Bytes, NDArray[np.int64]]
    test: tuple[Bytes, NDArray[np.int64]]


class BackgroundTraining:
    """A training that begins when it is first asked for, in a thread of its own.

    `prepare` is done with the network before anybody gets it.

    Attributes:
        step, steps: how many steps are done, and of how many; 0 of 0 before the first.
    """

    def __init__(self, prepare: Callable[[Trained], None] = lambda trained: None) -> None:
        self.step = self.steps = 0
        self._prepare = prepare
        self._thread: threading.Thread | None = None
        self._trained: Trained | None = None
        self._fault = ""
        self._asking = threading.Lock()

    def trained(self) -> Trained | None:
        """The network once it is trained; None while it is being trained.

        Raises WorkError for a training that failed; the next call begins another.
        """
        with self._asking:
            if self._fault:
                fault, self._fault, self._thread = self._fault, "", None
                raise WorkError(f"The small network could not be trained: {fault}")
            if self._thread is None and self._trained is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
            return self._trained

    def _work(self) -> None:
        try:
            with tempfile.TemporaryDirectory(prefix="convscope-") as folder:
                trained = trained_in(Path(folder) / "run", self)
            self._prepare(trained)
            self._trained = trained
        except ConvscopeError as error:
            self._fault = str(error)
        except Exception as error:  # noqa: BLE001 -- nobody else would hear of it
            self._fault = f"{type(error).__name__}: {error}."


class _Progress(Callback):
    def __init__(self, training: BackgroundTraining) -> None:
        self.training = training

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        del state
        self.training.step, self.training.steps = 0, event.limits.steps or 0

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        del state
        self.training.step = event.step


def trained_in(folder: Path, trainee: BackgroundTraining, *, epochs: int = EPOCHS) -> Trained:
    """Train in a new run folder, which is not needed afterwards."""
    settings = TrainConfig(model="lenet5", epochs=epochs, threads=1, device="cpu")
    train_run(DATA, settings, out=folder, callbacks=[_Progress(trainee)])
    return opened(Run.open(folder))


def opened(run: Run) -> Trained:
    """What a run on digits has learned, and from what."""
    net, card = load_network(run)
    dataset = apply_splits(open_source(DATA), run.read("splits.csv"))
    pixels = np.stack(
        [resize_image(dataset.images.image(place), card)[..., 0] for place in range(len(dataset))]
    )
    parts = [dataset.indices(split) for split in ("train", "test")]
    learned, unseen = ((pixels[part], dataset.labels[part]) for part in parts)
    return Trained(net, card, learned, unseen)
