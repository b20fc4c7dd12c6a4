"""Saving everything that a resume needs, and restoring it."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import torch
from torch import Tensor, nn

from convscope.card import Card
from convscope.distributed.group import ALONE
from convscope.distributed.local import write_whole
from convscope.errors import WorkError
from convscope.runs.folder import Run
from convscope.runs.network import load_state
from convscope.runs.tensor_file import TensorFile
from convscope.runs.weight_values import infinite_buffers
from convscope.strict import checked, shown
from convscope.training.callbacks.base import Callback
from convscope.training.callbacks.interrupt import StopRequest
from convscope.training.events import CheckpointEvent, EpochEnd, FitEnd, FitStart, StepEnd
from convscope.training.executors.fsdp import ShardedNetwork
from convscope.training.loss_scaler import LossScaler
from convscope.training.made_with import KEY, made_with
from convscope.training.nonfinite import check_finite
from convscope.training.optimizer import Optimizer
from convscope.training.state import SavedState, TrainState
from convscope.training.weight_average import WeightAverage, trained_weights

VERSION = 2


class Checkpoint(Callback):
    """Saves weights, optimizer, counters and random state into the run's folder `last`.

    At the start, every `seconds` between two steps, whenever another callback asks for it, and at
    the end; with the weights that are trained, their average, too. Weights and buffers that are not
    finite are never saved: StepError.

    Where the network is divided among processes, every one of them has this callback. They save
    together, when rank 0 finds it due; another callback has to wait for the end of the step, unless
    all of them stop. Rank 0 writes.
    """

    def __init__(
        self,
        run: Run,
        network: nn.Module,
        optimizer: Optimizer,
        card: Card,
        *,
        seconds: float,
        average: WeightAverage | None = None,
        scaler: LossScaler | None = None,
        sharded: ShardedNetwork | None = None,
        request: StopRequest | None = None,
    ) -> None:
        self.run, self.network, self.optimizer = run, network, optimizer
        self.card, self.seconds, self.average = card, seconds, average
        self.scaler, self.sharded, self.request = scaler, sharded, request
        self._is_wanted = self._is_together = False
        self._infinite = infinite_buffers(network)  # as they were built
        self._start: FitStart | None = None
        self._made_with: Mapping[str, Any] = {}
        self._saved_at = 0.0
        self._last: tuple[int, int, bool] | None = None

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        self._start, self._made_with = event, made_with(self.run)
        self._save()

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        group = ALONE if self.sharded is None else self.sharded.group
        if group.decided(self._is_due, f"after step {state.step}"):
            self._save()

    def _is_due(self) -> bool:
        return self._is_wanted or time.monotonic() - self._saved_at >= self.seconds

    def on_fit_end(self, state: TrainState, event: FitEnd) -> None:
        self._save()

    def on_checkpoint(self, state: TrainState, event: CheckpointEvent) -> None:
        now = state.step, state.epoch, state.done
        if now == self._last:  # after the end the network holds the best weights, to be tested
            return
        is_stop = self.request is not None and self.request.is_due
        if self.sharded is not None and not (self._is_together or is_stop):
            self._is_wanted = True
            return
        with trained_weights(self.average):
            check_finite(self.network, self._infinite, state=state, lr=event.lr)
            stored = pack(
                self.network,
                self.optimizer,
                state,
                self.average,
                self.scaler,
                made_with=self._made_with,
            )
            if self.sharded is not None:
                doing = f"at the checkpoint of step {state.step}"
                stored = replace(stored, tensors=self.sharded.on_first(stored.tensors, doing))
            if self.sharded is None or self.sharded.group.is_first:
                self.run.write_state(state.step, stored, self.card)
        state.saved_step, self._last = state.step, now
        self._saved_at, self._is_wanted = time.monotonic(), False

    def _save(self) -> None:
        if self._start is not None:
            self._is_together = True
            self._start.save_checkpoint()
            self._is_together = False


class MetricsLog(Callback):
    """Writes metrics.jsonl, one line per epoch."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def on_epoch_end(self, state: TrainState, event: EpochEnd) -> None:
        self.run.write_metrics(state.history)


def pack(
    network: nn.Module,
    optimizer: Optimizer,
    state: TrainState,
    average: WeightAverage | None = None,
    scaler: LossScaler | None = None,
    *,
    made_with: Mapping[str, Any],
) -> TensorFile:
    """Everything that decides the next step's bits, and what it was made with."""
    tensors: dict[str, Tensor] = {f"model/{k}": v for k, v in network.state_dict().items()}
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_initialized():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    for name, values in optimizer.state.items():
        tensors |= {f"optimizer/{index}/{name}": value for index, value in enumerate(values)}
    if average is not None:
        tensors |= average.state_dict()
    if scaler is not None:
        tensors |= scaler.state_dict()
    metadata = {"version": VERSION, "state": state.state_dict(), KEY: made_with}
    return TensorFile(tensors, metadata)


class _Settings(TypedDict, total=False):
    dataset: dict[str, Any]
    machine: dict[str, Any]


class _MadeWith(TypedDict):
    config: _Settings
    files: dict[str, str]


class _Saved(TypedDict):
    version: int
    state: SavedState
    made_with: NotRequired[_MadeWith]


def check_metadata(stored: TensorFile, *, where: str) -> None:
    """Check that a checkpoint is of this version and has the counters that a resume needs.

    Raises WorkError for another version, RequestError, naming `where` and key, for other counters.
    """
    _check_version(stored, where)
    checked(dict(stored.metadata), _Saved, where=where)


def _check_version(stored: TensorFile, where: str) -> None:
    version = stored.metadata.get("version")
    if version != VERSION:
        raise WorkError(
            f"{where} has version {shown(version)}; this convscope reads {VERSION}. Resume with "
            "the convscope that config.toml names."
        )


def unpack(
    stored: TensorFile, network: nn.Module, optimizer: Optimizer, *, where: Path, card: Card
) -> TrainState:
    """Put everything back where `pack` took it from, in the memory layout that it had.

    Of what is stored, the weights are in memory at a time, then one tensor of the optimizer.

    Raises WorkError for a state of another version or optimizer, or that lacks anything;
    RequestError for weights of another network and for values that are no weights, by name.
    `where` is the file.
    """
    _check_version(stored, str(where))
    load_state(network, _weights_in(stored), where=str(where), card=card)
    _restore_optimizer(optimizer, stored.tensors, where)
    _restore_random(stored.tensors, where)
    state = TrainState()
    try:
        state.load_state_dict(stored.metadata["state"])
    except KeyError as error:
        raise WorkError(f"{where} is incomplete: it has no {error}.") from error
    state.saved_step = state.step
    return state


def _weights_in(stored: TensorFile) -> dict[str, Tensor]:
    names = [name for name in stored.tensors if name.startswith("model/")]
    return {name.removeprefix("model/"): stored.tensors[name] for name in names}


def _restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor], where: Path) -> None:
    own = {
        f"optimizer/{index}/{name}": value
        for name, values in optimizer.state.items()
        for index, value in enumerate(values)
    }
    names = {name for name in tensors if name.startswith("optimizer/")}
    for name in sorted(own.keys() | names):
        value, saved = own.get(name), tensors[name] if name in names else None
        if value is None or saved is None or _form(value) != _form(saved):
            raise WorkError(
                f"{where} is of another optimizer: {name} is {_form(saved)} in the file, not "
                f"{_form(value)}. Restore the run's config.toml."
            )
        write_whole(value, saved)


def _form(tensor: Tensor | None) -> str:
    return "missing" if tensor is None else f"{tuple(tensor.shape)} of {tensor.dtype}"


def _restore_random(tensors: Mapping[str, Tensor], where: Path) -> None:
    try:
        torch.set_rng_state(tensors["random/cpu"])
        if "random/cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["random/cuda"])
    except (KeyError, RuntimeError, TypeError) as error:
        raise WorkError(f"{where} has no random state that can be restored ({error}).") from error
