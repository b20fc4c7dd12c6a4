"""The loop: steps, evaluations, saves; the same bits however often it was stopped."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from convscope.card import Card
from convscope.data.dataset import Split
from convscope.data.loading import LoadedDataset
from convscope.data.normalize import normalize
from convscope.errors import Interrupted
from convscope.evaluation.measure import EvaluationOutputs, compute_metrics
from convscope.evaluation.metrics import is_better
from convscope.runs.folder import Run
from convscope.runs.tensor_file import TensorFile
from convscope.training.batches import slices, total_steps
from convscope.training.callbacks.base import Watcher
from convscope.training.callbacks.freeze import Frozen
from convscope.training.callbacks.interrupt import Wish
from convscope.training.callbacks.live_status import Teller
from convscope.training.config import TrainConfig, decided
from convscope.training.executors.compiled import choose_stepper
from convscope.training.executors.eager import Stepper, TorchStepper
from convscope.training.loss import class_weights
from convscope.training.metrics import trained_line, validated_line
from convscope.training.nonfinite import no_number
from convscope.training.optimizer import Optimizer
from convscope.training.schedule import Schedule
from convscope.training.state import Counters, pack, unpack


class _Stop(Exception):
    """A wish to stop, heard in the middle of an evaluation."""


@dataclass
class Training:
    """One training of one network in one run folder.

    Attributes:
        net: on `device`, its weights as training left them.
        channels_last: whether images lie in memory as n, h, w, c, which most networks can read.
        facts: what goes beside the weights into model.safetensors.
        told: what is trained on what, in a sentence.
    """

    net: nn.Module
    loaded: LoadedDataset
    card: Card
    settings: TrainConfig
    run: Run
    device: torch.device
    channels_last: bool
    watcher: Watcher
    wish: Wish
    teller: Teller
    facts: Mapping[str, Any]
    told: str

    def __post_init__(self) -> None:
        settings, dataset = self.settings, self.loaded.dataset
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        self.net.to(self.device, memory_format=layout)  # pyright: ignore[reportCallIssue]
        self.forward = torch.compile(self.net) if settings.compile else self.net
        self.frozen = Frozen(self.net, settings.freeze, every=settings.unfreeze_every)
        if not settings.unfreeze_every:  # then the optimizer keeps nothing for what is held
            self.frozen.hold(epoch=0)
        self.optimizer = Optimizer(self.net, settings)
        pictures = len(dataset.indices("train"))
        self.labels = torch.from_numpy(dataset.labels)
        self.weights = class_weights(dataset.counts("train"), settings, self.device)
        self.batches = len(slices(pictures, decided(settings.batch_size)))
        self.steps = total_steps(settings, self.batches)
        epochs = settings.warmup_epochs * self.batches / self.steps if self.steps else 0.0
        self.schedule = Schedule(
            name=settings.lr_schedule,
            peak=decided(settings.lr),
            warmup=min(1.0, epochs),
            gamma=settings.lr_gamma,
            milestones=settings.lr_milestones,
        )
        self.counters = Counters()
        self.stepper: Stepper = TorchStepper()
        self.saved_at = -math.inf

    def choose_engine(self) -> None:
        """Decide who computes the steps, see `choose_stepper`; before `train`, after `restore`."""
        self.stepper = choose_stepper(self)
        self.counters.engine = self.stepper.name

    def restore(self, stored: TensorFile) -> None:
        """Go back to a saved state."""
        self.counters = unpack(stored, self.net, self.optimizer)

    def train(self) -> None:
        """Train to the end, from wherever the counters are.

        Raises Interrupted, after saving, when a signal asked for the end; WorkError for a loss that
        is no number, for memory that is not there, and where the state cannot be saved.
        """
        counters = self.counters
        self.save()
        self.wish.patient = True
        self.teller.begin(self)
        begun = f"Going on after step {counters.step:,}. " if counters.step else ""
        self.watcher.started(
            {
                "run": str(self.run.path),
                "step": counters.step,
                "steps": self.steps,
                "batches": self.batches,
                "told": f"{begun}{self.told}",
            }
        )
        while not counters.done:
            if counters.batch < self.batches and not self._ended():
                self._steps_of_epoch()
            self._stop_if_wished()
            try:
                self._end_of_epoch()
            except _Stop:
                self._stop_if_wished()
        self.save()

    def _ended(self) -> bool:
        counters = self.counters
        if self.settings.max_minutes is not None:
            return counters.seconds >= 60 * self.settings.max_minutes
        return self.steps is not None and counters.step >= self.steps

    def progress(self) -> float:
        """How far it has come: 0 before the first step, 1 after the last."""
        if self.settings.max_minutes is not None:
            return min(1.0, self.counters.seconds / (60 * self.settings.max_minutes))
        return self.counters.step / (self.steps or 1)

    def _rate(self) -> float:
        return self.schedule.rate(self.progress(), drops=self.counters.plateau.drops)

    def _steps_of_epoch(self) -> None:
        counters = self.counters
        self.frozen.hold(counters.epoch)
        began = self.teller.clock()
        for batch in self.stepper.batches(self):
            rate, indices = self._rate(), batch.indices
            loss, hits = self.stepper.step(self, batch, rate)
            counters.step += 1
            counters.batch += 1
            counters.seen += len(indices)
            counters.hits += hits
            counters.loss_sum += loss * len(indices)
            spent = self.teller.clock() - began
            counters.seconds += spent
            counters.epoch_seconds += spent
            self.watcher.stepped(
                {
                    "step": counters.step,
                    "epoch": counters.epoch + 1,
                    "images": len(indices),
                    "loss": counters.loss_sum / counters.seen,
                    "top1": counters.hits / counters.seen,
                    "lr": rate,
                }
            )
            self.teller.stepped(batch, loss=loss, hits=hits, rate=rate, seconds=spent)
            self._stop_if_wished()
            if time.monotonic() - self.saved_at >= self.settings.checkpoint_seconds:
                self.save()
            if self._ended():
                return
            began = self.teller.clock()

    def images(self, pixels: Tensor) -> Tensor:
        """What the network is fed for bytes (n, h, w, c)."""
        moved = pixels.to(self.device, non_blocking=True)
        return normalize(moved, self.card, channels_last=self.channels_last)

    def refuse(self, what: str, rate: float, images: Tensor | None = None) -> None:
        """Raise WorkError for what became no number."""
        raise no_number(what, self.net, images, at=self.counters, rate=rate, run=self.run.path)

    def measure(self, split: Split) -> EvaluationOutputs:
        """Evaluate the network as it is on the pictures of one split.

        PyTorch tests, whoever makes the steps: `convscope evaluate` has to find the same bits.
        """
        stepper = TorchStepper() if split == "test" else self.stepper

        def tick(_done: int) -> None:
            self.teller.tick()
            if self.wish:
                raise _Stop

        indices = self.loaded.dataset.indices(split)
        with self.teller.busy("testing" if split == "test" else "evaluating", len(indices)):
            logits = stepper.logits(self, indices, tick)
        return compute_metrics(logits, self.loaded.dataset.labels[indices], self.card)

    def measure_or_stop(self, split: Split) -> EvaluationOutputs:
        """`measure`, with a wish to stop granted in its midst. Raises Interrupted."""
        try:
            return self.measure(split)
        except _Stop:
            self._stop_if_wished()
            raise

    def _end_of_epoch(self) -> None:
        """Evaluate, keep the best weights, write the line, and begin the next epoch."""
        counters, settings = self.counters, self.settings
        began = self.teller.clock()
        line = trained_line(counters, self._rate())
        indices = self.loaded.dataset.indices("val")
        if len(indices):
            measured = self.measure("val")
            scores = measured.metrics
            if not math.isfinite(scores.loss):
                self.refuse("The validation loss became no number", line["lr"])
            self.teller.evaluated(measured, indices)
            value = (scores.value(settings.metric), scores.loss)
            line |= validated_line(scores)
            best = counters.best is None or is_better(value, counters.best, settings.metric)
            counters.plateau.see(scores.loss, patience=settings.lr_patience)
        else:
            value, best = (line["train_top1"], line["train_loss"]), True
        line["best"] = best
        counters.seconds += self.teller.clock() - began
        if best:
            counters.best, counters.stale = value, 0
            weights = dict(self.net.state_dict())
            facts = {**self.facts, "step": counters.step, "epoch": counters.epoch + 1}
            self.run.write_weights(TensorFile(weights, facts))
        else:
            counters.stale += 1
        counters.metrics.append(line)
        counters.epoch += 1
        counters.batch = counters.seen = counters.hits = 0
        counters.loss_sum = counters.epoch_seconds = 0.0
        tired = (
            bool(settings.early_stopping_patience)
            and counters.stale >= settings.early_stopping_patience
        )
        counters.done = tired or self._ended()
        self.run.write_metrics(counters.metrics)
        self.watcher.evaluated(line)
        if tired and not self._ended():
            self.watcher.note(
                f"Stopped early: no better {settings.metric} for {counters.stale} epochs."
            )

    def _stop_if_wished(self) -> None:
        if self.wish.signal is not None:
            self.save()
            raise Interrupted(
                f"Stopped{' from the lab' if self.wish.lab else ''} after step "
                f"{self.counters.step}; everything is saved in {self.run.path}. "
                f"Go on with `convscope resume {self.run.path}`.",
                signal=self.wish.signal,
            )

    def save(self) -> None:
        """Save what resume needs, unless the weights have stopped being numbers."""
        if not all(bool(weight.isfinite().all()) for weight in self.net.parameters()):
            self.refuse("A weight became no number", self._rate())
        self.teller.saving()
        self.run.write_state(self.counters.step, pack(self.net, self.optimizer, self.counters))
        self.teller.saved(self.counters.step)
        self.saved_at = time.monotonic()
