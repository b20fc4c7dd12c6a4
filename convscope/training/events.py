"""The events that callbacks receive: one frozen record per stage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from convscope.card import Card
from convscope.evaluation.measure import EvaluationOutputs
from convscope.evaluation.multi_label import AnyMetrics
from convscope.training.batches import Batch
from convscope.training.config import TrainConfig
from convscope.training.limits import Limits


@dataclass(frozen=True, slots=True)
class Message:
    """A message for the user: a choice that was made, a warning, a result.

    Attributes:
        text: one or two sentences on one line, without markup and control characters.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of work before the first step.

    Attributes:
        activity: "downloading", in bytes; "decoding", in images; "trying", learning rates.
        name: the file that is downloaded; else empty.
        done: bytes, images or rates so far.
        total: the same in all; None if unknown.
    """

    activity: Literal["downloading", "decoding", "trying"]
    name: str
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class RunStart:
    """The run folder exists and everything is built; training begins or resumes.

    Attributes:
        path: the run folder.
        network: as it will be trained, on its device. Do not change its weights.
        card: the network's preprocessing and classes.
        config: every setting, fully resolved.
        description: what is trained on what, in a sentence.
    """

    path: Path
    network: nn.Module
    card: Card
    config: TrainConfig
    description: str


@dataclass(frozen=True, slots=True)
class FitStart:
    """The loop begins.

    Attributes:
        step: steps that are done already, above 0 when a training is resumed.
        limits: when training ends; `limits.steps` is None if time is the limit.
        batches_per_epoch: steps of one epoch, at least 1.
        save_checkpoint: immediately saves everything that a resume needs. May be called from
            `on_step_end` and `on_evaluation_batch_end`.
    """

    step: int
    limits: Limits
    batches_per_epoch: int
    save_checkpoint: Callable[[], None]


@dataclass(frozen=True, slots=True)
class EpochStart:
    """An epoch starts, or continues after a resume.

    Attributes:
        epoch: from 1.
    """

    epoch: int


@dataclass(frozen=True, slots=True)
class StepEnd:
    """One optimizer step is done; gradients are still in place, but of one that fp16 skipped.

    Attributes:
        step: from 1.
        epoch: from 1.
        batch: the images of the step, their labels and pixels, before mixup or CutMix.
        loss: mean loss of the batch before the step, in nats.
        num_correct: images of the batch whose prediction was correct before the step: the most
            probable class, of several labels all of them; of mixed images, the label with the
            larger share counts.
        lr: the learning rate of the step.
        seconds: the time that the step took, including loading its batch.
    """

    step: int
    epoch: int
    batch: Batch
    loss: float
    num_correct: int
    lr: float
    seconds: float


@dataclass(frozen=True, slots=True)
class EvaluationStart:
    """The network is about to be evaluated.

    Attributes:
        split: "val" after an epoch, with the current weights; "test" once, at the end of the run,
            with the best weights.
        num_images: in the split.
    """

    split: Literal["val", "test"]
    num_images: int


@dataclass(frozen=True, slots=True)
class EvaluationBatchEnd:
    """One batch of an evaluation is done.

    Attributes:
        split: "val" or "test".
        num_images: in this batch.
    """

    split: Literal["val", "test"]
    num_images: int


@dataclass(frozen=True, slots=True)
class ValidationEnd:
    """The validation of an epoch is done; the epoch itself is not.

    Attributes:
        step: steps done.
        epoch: from 1.
        metrics: `loss` (mean cross-entropy in nats), `top1`, `f1` and `balanced` (macro F1 and mean
            recall, from 0 to 1); of several labels `map` and `micro_f1` in place of `balanced`; of
            grades `kappa` and `mae` as well. Those that are not defined are left out.
        outputs: of each validation image, in the order of the validation split; None if the
            validation function does not return them.
    """

    step: int
    epoch: int
    metrics: Mapping[str, float]
    outputs: EvaluationOutputs | None


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """An epoch and its validation are done.

    Attributes:
        epoch: from 1.
        step: steps done.
        metrics: `lr` of the next step, `train_loss`, `train_top1`, `images_per_second`,
            `seconds` and, if there are validation images, `val_loss`, `val_top1`, `val_f1`,
            `val_balanced` and what `ValidationEnd` has for other tasks; and `best`, whether this is
            the best epoch so far. Losses are means in nats, shares from 0 to 1. `top1` is the share
            of images that were predicted right: of several labels, with every label right.
            `lr_changes` says, if the learning rate was set by hand in the epoch, what it became.
    """

    epoch: int
    step: int
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CheckpointEvent:
    """The state is consistent and is saved now; callbacks may save their own files with it.

    Attributes:
        step: steps done.
        epoch: epochs done.
        lr: learning rate of the next step.
    """

    step: int
    epoch: int
    lr: float


@dataclass(frozen=True, slots=True)
class FitEnd:
    """The loop has ended normally; the test follows.

    Attributes:
        step: steps done.
        epoch: epochs done; the last one may be incomplete.
        stop_reason: the reason given by the callback that stopped training; empty otherwise.
    """

    step: int
    epoch: int
    stop_reason: str


@dataclass(frozen=True, slots=True)
class ExceptionEvent:
    """An exception ends the loop; it is raised again afterwards.

    Attributes:
        error: the exception, including KeyboardInterrupt and SystemExit.
    """

    error: BaseException


@dataclass(frozen=True, slots=True)
class RunEnd:
    """The run is complete: tested, with its report.

    Attributes:
        path: the run folder.
        test: the scores of the best weights on the test images.
        seconds: duration of the work of this process.
        outputs: of each test image, in the order of the test split.
    """

    path: Path
    test: AnyMetrics
    seconds: float
    outputs: EvaluationOutputs | None = None
