"""Pictures of a training: the first filters as they form, the largest losses, what is confused."""

import math
import time
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.data.loading import LoadedDataset
from convscope.errors import WorkError
from convscope.evaluation.measure import EvaluationOutputs
from convscope.evaluation.metrics import Metrics
from convscope.runs.live_files import Live
from convscope.runs.tensor_file import TensorFile
from convscope.training.callbacks.base import Callback
from convscope.training.callbacks.throttle import Throttle
from convscope.training.events import (
    ExceptionEvent,
    FitEnd,
    FitStart,
    StepEnd,
    ValidationEnd,
)
from convscope.training.state import TrainState

STEPS = 8  # at which filters are kept
FILTERS = 96  # of a layer that are kept
TOP_LOSSES = 12  # images
CONFUSION_CLASSES = 40  # of a confusion matrix at most

_SECONDS = 0.5  # between two writes


class SnapshotWriter(Callback):
    """Writes the snapshots filters, wrong and confusion of the folder `live` as they change."""

    def __init__(self, live: Live, network: nn.Module, loaded: LoadedDataset) -> None:
        self.live, self.network, self.loaded = live, network, loaded
        self.filters: FilterSnapshots | None = None
        self._validation: ValidationEnd | None = None
        self._throttle = Throttle(_SECONDS)

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        before = self.live.read_snapshot("filters")
        self.filters = FilterSnapshots(self.network, before, step=state.step)

    def on_step_end(self, state: TrainState, event: StepEnd) -> None:
        if self.filters is not None and event.step >= self.filters.due:
            self.filters.take(event.step)
        if self._throttle.is_due():
            self._write()

    def on_validation_end(self, state: TrainState, event: ValidationEnd) -> None:
        self._validation = event
        if self.filters is not None:
            self.filters.take(state.step)

    def on_fit_end(self, state: TrainState, event: FitEnd) -> None:
        self._finish(state)

    def on_exception(self, state: TrainState, event: ExceptionEvent) -> None:
        if isinstance(event.error, Exception | KeyboardInterrupt):
            self._finish(state)

    def _finish(self, state: TrainState) -> None:
        if self.filters is not None:
            self.filters.take(state.step)
        self._write()

    def _write(self) -> None:
        began = time.monotonic()
        if self.filters is not None and self.filters.layer and self.filters.changed:
            self.live.write_snapshot("filters", self.filters.stored())
        validation, self._validation = self._validation, None
        if validation is not None and validation.outputs is not None:
            self._write_top_losses(validation, validation.outputs)
            self._write_confusion(validation, validation.outputs)
        self._throttle.done(began)

    def _write_top_losses(self, validation: ValidationEnd, outputs: EvaluationOutputs) -> None:
        indices = self.loaded.dataset.indices("val")
        step, epoch = validation.step, validation.epoch
        try:
            images = top_losses(outputs, indices, self.loaded, step=step, epoch=epoch)
        except WorkError:  # a file is gone; the next epoch will say so
            return
        self.live.write_snapshot("wrong", images)

    def _write_confusion(self, validation: ValidationEnd, outputs: EvaluationOutputs) -> None:
        metrics = outputs.metrics
        if not isinstance(metrics, Metrics) or len(metrics.classes) > CONFUSION_CLASSES:
            return
        counts = torch.from_numpy(metrics.confusion.astype(np.int64))[None, None]
        told = {"step": validation.step, "epoch": validation.epoch, "classes": [*metrics.classes]}
        self.live.write_snapshot("confusion", TensorFile({"counts": counts}, told))


class FilterSnapshots:
    """The filters of a network's first convolution at a few steps, evenly spread on a log scale.

    Attributes:
        kept: by step, ascending, at most STEPS times the filters (k, c, h, w).
        due: the step from which they should be taken again.
        changed: whether they were, since the last call of `stored`.
    """

    def __init__(self, network: nn.Module, before: TensorFile | None, *, step: int) -> None:
        layers = dict[str, nn.Module](network.named_modules())
        self.name, self.layer = next(
            ((name, layer) for name, layer in layers.items() if isinstance(layer, nn.Conv2d)),
            ("", None),
        )
        self.kept: dict[int, Tensor] = {}
        self.changed = False
        if before is not None and self.layer and before.metadata.get("layer") == self.name:
            saved = {int(name): filters for name, filters in before.tensors.items()}
            shape = self.layer.weight[:FILTERS].shape
            self.kept = {
                at: saved[at] for at in sorted(saved) if at <= step and saved[at].shape == shape
            }
        self.take(step)

    def take(self, step: int) -> None:
        """Keep the filters as they are; those of the least informative step give way."""
        self.due = step + max(1, step // 2)
        if self.layer is None or step in self.kept:
            return
        weight = self.layer.weight.detach()[:FILTERS]
        self.kept[step] = weight.to("cpu", torch.float32, copy=True).contiguous()
        self.changed = True
        if len(self.kept) > STEPS:
            steps = list(self.kept)
            del self.kept[steps[least_informative([math.log1p(step) for step in steps])]]

    def stored(self) -> TensorFile:
        self.changed = False
        tensors = {str(step): filters for step, filters in self.kept.items()}
        return TensorFile(tensors, {"layer": self.name, "steps": list(self.kept)})


def least_informative(positions: Sequence[float]) -> int:
    """The index of the ascending position whose neighbors are closest; never the first or last."""
    inner = range(1, len(positions) - 1)
    return min(inner, key=lambda index: positions[index + 1] - positions[index - 1])


def top_losses(
    outputs: EvaluationOutputs,
    indices: NDArray[np.int64],
    loaded: LoadedDataset,
    *,
    step: int,
    epoch: int,
) -> TensorFile:
    """The images with the largest losses, the largest first, as bytes (n, h, w, c).

    `outputs` belong to the images at `indices`.
    """
    worst = np.argsort(-outputs.losses, kind="stable")[:TOP_LOSSES]
    [pixels] = loaded.batch_source.batches([indices[worst]])
    dataset = loaded.dataset
    images = [
        {
            "index": int(indices[row]),
            "name": dataset.images.key(int(indices[row])),
            "is": dataset.label_text(int(indices[row])),
            "said": outputs.answer(int(row)),
            "probability": float(outputs.confidence[row]),
            "loss": float(outputs.losses[row]),
        }
        for row in worst
    ]
    return TensorFile({"pixels": pixels}, {"step": step, "epoch": epoch, "images": images})
