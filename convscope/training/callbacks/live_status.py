"""What a training tells while it goes, and what it is asked: the writer of the run's `live/`."""

import signal
import time
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from convscope.errors import Interrupted, WorkError
from convscope.evaluation.measure import EvaluationOutputs
from convscope.runs.folder import Run
from convscope.runs.live_files import Command, Live
from convscope.runs.step_history import StepHistory
from convscope.training.callbacks.base import Watcher
from convscope.training.callbacks.interrupt import Wish
from convscope.training.callbacks.layer_stats import IMAGES, SHOWN, Looks
from convscope.training.callbacks.snapshots import Filters, most_wrong, plain
from convscope.training.executors.eager import Batch
from convscope.training.optimizer import head_of
from convscope.training.state import Counters

if TYPE_CHECKING:
    from convscope.training.trainer import Training

State = Literal["training", "paused", "evaluating", "testing", "done", "stopped", "failed"]

_POLL = 0.2  # seconds between two looks at what is wished, and at who watches
_TELL = 0.5  # seconds between two tellings
_LOOK = 1.0  # seconds between two looks inside
_SHARE = 0.02  # of the time that looks may take at most, and tellings too
_NAP = 0.1  # seconds after which a pause hears a signal
_RECENT = 10  # tellings over which the throughput is taken
_NOTHING: dict[str, Any] = {
    "description": "", "step": 0, "steps": None, "epoch": 1, "epochs": None, "batches": 0,
    "progress": 0.0,
    "seconds": 0.0, "seconds_left": None, "images_per_second": None, "lr": 0.0, "loss": None,
    "top1": None, "saved_step": 0, "acknowledged": 0,
}  # fmt: skip


class Teller:
    """Tells where a training is and what it sees, and grants what it is asked.

    What it writes may be lost: no disk that refuses stops the training, and nothing that it does
    changes a bit of it. It costs a step a few microseconds; every half second a few files; while
    somebody watches a look inside, which take 2% of the time at most.

    Attributes:
        wish: what stops the training; a wish of the lab becomes one like a signal's.
    """

    def __init__(self, run: Run, wish: Wish, watcher: Watcher) -> None:
        self.run, self.wish, self.watcher = run, wish, watcher
        self.live = Live(run.path)
        self.training: Training | None = None
        self.counters = Counters()
        self.series = StepHistory()
        self._facts = dict(_NOTHING)
        self._state: State = "training"
        self._sentence = ""
        self._heard = self._saved = self._told_step = 0
        self._paused = 0.0  # seconds
        self._poll_at = self._tell_at = self._look_at = 0.0
        self._steps: list[tuple[int, float, int, int, float, float]] = []  # since the last telling
        self._images, self._seconds = 0, 0.0
        self._recent = deque[tuple[int, float]](maxlen=_RECENT)
        self._wrong: tuple[EvaluationOutputs, NDArray[np.int64], int, int] | None = None

    @contextmanager
    def truthful(self) -> Generator["Teller"]:
        """Tell from here on, and at the end how it came; for who holds the run's lock."""
        self._facts |= self.live.read_now() or {}
        self.live.begin()
        left = self.live.read_command()  # where it could not be deleted
        self._heard = self._facts["acknowledged"] = left[0] if left else 0
        try:
            yield self
        except Interrupted:
            by = " from the lab" if self.wish.lab else ""
            after = f"after step {self._saved:,}" if self.training else "before it went on"
            self.end("stopped", f"Stopped{by} {after}; everything is saved.")
            raise
        except KeyboardInterrupt:
            after = f"after step {self._saved:,}" if self.training else "before"
            self.end("stopped", f"Stopped at once; the state {after} is saved.")
            raise
        except Exception as error:
            told = str(error) or type(error).__name__
            self.end("failed", plain(told.replace(str(self.run.path), self.run.path.name)))
            raise

    def begin(self, training: "Training") -> None:
        """Go on with what was told before the step at which the training is."""
        self.training, self.counters, step = training, training.counters, training.counters.step
        self._saved = step
        self.series = self.live.read_step_history() or self.series
        self.filters = Filters(training.net, self.live.read_snapshot("filters"), step=step)
        self.looks: Looks | None = Looks(training.net, self.live.read_snapshot("look"), step=step)
        self._say("training")

    def end(self, state: Literal["done", "stopped", "failed"], sentence: str) -> None:
        """Tell the last words."""
        if self.training is not None:
            self.filters.take(self.counters.step)
        self._say(state, sentence)

    @contextmanager
    def busy(self, state: Literal["evaluating", "testing"], images: int) -> Generator[None]:
        """Tell that the network is measured now on so many images."""
        self._say(state, f"Testing the best weights on {images:,} images." * (state == "testing"))
        yield
        if state == "evaluating":
            self._say("training")

    def clock(self) -> float:
        """Seconds that go on except in a pause."""
        return time.perf_counter() - self._paused

    def stepped(
        self,
        batch: Batch,
        *,
        loss: float,
        hits: int,
        rate: float,
        seconds: float,
    ) -> None:
        """A step was made."""
        step = self.counters.step
        self._steps.append(
            (step, loss, hits, len(batch.indices), rate, seconds)
        )  # all that each costs
        if step >= self.filters.due:
            self.filters.take(step)
        if time.monotonic() >= self._poll_at:
            self.tick()
            if self.looks and time.monotonic() >= self._look_at and self.live.is_watched():
                self._look(self.looks, batch.indices, batch.see(), rate)

    def tick(self) -> None:
        """Hear what is wished, and tell where the training is; both where it is time."""
        now = time.monotonic()
        if now < self._poll_at:
            return
        self._poll_at = now + _POLL
        self._hear()
        if time.monotonic() >= self._tell_at:
            self._tell()

    def saving(self) -> None:
        """Before a state is saved: what was told of the steps before it must not be missing."""
        self._tell_series()

    def saved(self, step: int) -> None:
        """The state after a step was saved."""
        self._saved = step

    def evaluated(self, measured: EvaluationOutputs, indices: NDArray[np.int64]) -> None:
        """The validation images at `indices` were measured; their epoch is not over yet."""
        counters = self.counters
        self._wrong = (measured, indices, counters.step, counters.epoch + 1)
        self.filters.take(counters.step)

    def _training(self) -> "Training":
        if self.training is None:
            raise RuntimeError("a teller tells after begin()")
        return self.training

    def _hear(self) -> None:
        """Grant the latest wish, once."""
        wish = self.live.read_command()
        if wish is None or wish[0] == self._heard:
            return
        self._heard, name = wish
        self._grant(name)

    def _grant(self, name: Command) -> None:
        match name:
            case "stop":
                self.wish.signal, self.wish.lab = signal.SIGTERM, True
            case "save":
                self._training().save()
            case "pause" if self._state != "paused":
                self._pause()
            case "resume" if self._state == "paused":
                self._state, self._sentence = "training", ""
            case _:
                pass
        self._tell()

    def _pause(self) -> None:
        """Wait, with everything saved, until it is to go on or to stop."""
        before, sentence = self._state, self._sentence
        began = time.perf_counter()
        self._training().save()
        step = f"{self.counters.step:,}"
        self._say("paused", f"Paused after step {step}; everything is saved.")
        self.watcher.note(f"Paused from the lab after step {step}.")
        while self._state == "paused" and not self.wish:
            time.sleep(_NAP)
            self.tick()
        self._paused += time.perf_counter() - began
        self._state, self._sentence = before, sentence
        if not self.wish:
            self.watcher.note("Going on.")

    def _say(self, state: State, sentence: str = "") -> None:
        self._state, self._sentence = state, sentence
        self._tell()

    def _tell(self) -> None:
        """Write what is new, where the training is last."""
        began = time.monotonic()
        if self.training is not None:
            self._tell_series()
            self._facts |= self._where(self.training)
            if self.filters.layer and self.filters.changed:
                self.live.write_snapshot("filters", self.filters.stored())
            self._tell_wrong(self.training)
        told = {"state": self._state, "message": self._sentence, "acknowledged": self._heard}
        self.live.write_now({**self._facts, **told})
        self._tell_at = _next(began, _TELL)

    def _tell_series(self) -> None:
        for step, loss, hits, images, rate, seconds in self._steps:
            self.series.add(
                step, loss=loss, num_correct=hits, num_images=images, lr=rate, seconds=seconds
            )
            self._images += images
            self._seconds += seconds
            self._facts["lr"] = rate
        self._steps.clear()
        if self._told_step != self.series.last:
            self._told_step = self.series.last
            self.live.write_step_history(self.series)

    def _where(self, training: "Training") -> dict[str, Any]:
        counters, progress = self.counters, training.progress()
        self._recent.append((self._images, self._seconds))
        images, seconds = self._images - self._recent[0][0], self._seconds - self._recent[0][1]
        left = counters.seconds * (1 - progress) / progress if progress else None
        facts = {
            "description": plain(training.told),
            "step": counters.step,
            "steps": training.steps,
            "epoch": counters.epoch + (not counters.done),
            "epochs": training.steps and -(-training.steps // training.batches),
            "batches": training.batches,
            "progress": progress,
            "seconds": counters.seconds,
            "seconds_left": left,
            "saved_step": self._saved,
        }
        if seconds:
            facts["images_per_second"] = images / seconds
        if seen := counters.seen:
            facts |= {"loss": counters.loss_sum / seen, "top1": counters.hits / seen}
        return facts

    def _tell_wrong(self, training: "Training") -> None:
        if self._wrong is None:
            return
        measured, indices, step, epoch = self._wrong
        self._wrong = None
        try:
            worst = most_wrong(measured, indices, training.loaded, step=step, epoch=epoch)
        except WorkError:  # a file is gone; the next epoch will say so
            return
        self.live.write_snapshot("wrong", worst)

    def _look(self, looks: Looks, indices: NDArray[np.int64], pixels: Tensor, rate: float) -> None:
        training, began = self._training(), time.monotonic()
        settings, head = training.settings, head_of(training.net)

        def rate_of(layer: str) -> float:
            return rate if layer == head else rate * settings.backbone_lr_scale

        labels = training.loaded.dataset.labels[indices[:SHOWN]]
        try:
            seen = looks.look(
                training.images(pixels[:IMAGES]),
                pixels[:SHOWN],
                [plain(training.card.classes[label]) for label in labels],
                step=self.counters.step,
                rate=rate_of if settings.optimizer == "sgd" else None,
            )
        except Exception as error:  # noqa: BLE001 -- no look is worth a training
            self.looks = None
            self.watcher.note(f"The lab cannot look inside this network: {plain(str(error))}")
            return
        self.live.write_snapshot("look", seen)
        self._look_at = _next(began, _LOOK)


def _next(began: float, gap: float) -> float:
    """When to do again what began then, so that it takes no more than its share of the time."""
    now = time.monotonic()
    return now + max(gap, (now - began) / _SHARE)
