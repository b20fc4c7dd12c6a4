"""A LeNet-5 that is trained on digits in the background, when a lesson first needs it."""

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
from convscope.training.callbacks.base import Callback
from convscope.training.config import TrainConfig
from convscope.training.events import FitStart, StepEnd
from convscope.training.start import train_run
from convscope.training.state import TrainState

DATA, EPOCHS = "digits", 16
"""The data set, and the number of epochs."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network with its data: images (n, height, width) and labels.

    `train` are those it was trained on, `test` those it has never seen.
    """

    net: nn.Module
    card: Card
    train: tuple[Bytes, NDArray[np.int64]]
    test: tuple[Bytes, NDArray[np.int64]]


class BackgroundTraining:
    """A training that starts on the first request, in its own thread.

    `prepare` is called with the trained network before it is returned to anyone.

    Attributes:
        step, steps: the number of steps done, and in total; 0 of 0 before the first.
    """

    def __init__(self, prepare: Callable[[Trained], None] = lambda trained: None) -> None:
        self.step = self.steps = 0
        self._prepare = prepare
        self._thread: threading.Thread | None = None
        self._trained: Trained | None = None
        self._fault = ""
        self._asking = threading.Lock()

    def trained(self) -> Trained | None:
        """Return the network once it is trained; None while it is being trained.

        Raises WorkError for a training that failed; the next call starts another.
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
        except Exception as error:  # noqa: BLE001 -- nothing else would report it
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
    """Load the network of a run on digits, with its data."""
    net, card = load_network(run)
    dataset = apply_splits(open_source(DATA), run.read("splits.csv"))
    images = [dataset.images.image(index, card) for index in range(len(dataset))]
    pixels = np.stack([resize_image(image, card)[..., 0] for image in images])
    splits = [dataset.indices(split) for split in ("train", "test")]
    train, test = ((pixels[split], dataset.labels[split]) for split in splits)
    return Trained(net, card, train, test)
