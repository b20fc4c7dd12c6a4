"""What callbacks are told: one frozen record per stage."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from convscope.card import Card
from convscope.evaluation.measure import EvaluationOutputs
from convscope.evaluation.metrics import Metrics
from convscope.training.batches import Batch
from convscope.training.config import TrainConfig
from convscope.training.limits import Limits


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence for people: a choice that was made, a warning, what happened.

    Attributes:
        text: one or two sentences, or several lines; no markup.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Work before the first step has come some way.

    Attributes:
        activity: "downloading", in bytes, or "decoding", in images.
        name: the file that is downloaded; empty for decoding.
        done: bytes or images so far.
        total: bytes or images in all; None where a server does not say.
    """

    activity: Literal["downloading", "decoding"]
    name: str
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class RunStart:
    """The run folder exists and everything is built; training begins or resumes.

    Attributes:
        path: the run folder.
        network: as it will be trained, on its device. Do not change its weights.
        card: what the network is fed, and its classes.
        config: every setting; nothing is left open.
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
        limits: when training ends; `limits.steps` is None where time decides.
        batches_per_epoch: steps of one epoch, at least 1.
        save_checkpoint: saves everything that a resume needs, at once. May be called from
            `on_step_end` and `on_evaluation_batch_end`.
    """

    step: int
    limits: Limits
    batches_per_epoch: int
    save_checkpoint: Callable[[], None]


@dataclass(frozen=True, slots=True)
class EpochStart:
    """An epoch begins, or goes on after a resume.

    Attributes:
        epoch: from 1.
    """

    epoch: int


@dataclass(frozen=True, slots=True)
class StepEnd:
    """One optimizer step is done; gradients are still in place.

    Attributes:
        step: from 1.
        epoch: from 1.
        batch: the images of the step, their labels and pixels.
        loss: mean loss of the batch before the step, in nats.
        num_correct: images of the batch whose top-1 prediction was right before the step.
        lr: the learning rate of the step.
        seconds: the time that the step took, with loading its batch.
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
        split: "val" after an epoch, with the weights as they are; "test" once, at the end of the
            run, with the best weights.
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
            recall, from 0 to 1).
        outputs: what each validation image got, in the order of the validation split; None where
            the validation function does not say.
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
        metrics: `lr` of the step to come, `train_loss`, `train_top1`, `images_per_second`,
            `seconds` and, where images are set aside for it, `val_loss`, `val_top1`, `val_f1`,
            `val_balanced`; and `best`, whether no epoch before was better. Losses are means in
            nats, the others from 0 to 1.
    """

    epoch: int
    step: int
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CheckpointEvent:
    """The state is consistent and is saved now; the place to save what a callback adds to it.

    Attributes:
        step: steps done.
        epoch: epochs done.
        lr: learning rate of the step to come.
    """

    step: int
    epoch: int
    lr: float


@dataclass(frozen=True, slots=True)
class FitEnd:
    """The loop has ended as it should; the test is still to come.

    Attributes:
        step: steps done.
        epoch: epochs done, the last one perhaps in part.
        stop_reason: what the callback said that asked to stop; empty otherwise.
    """

    step: int
    epoch: int
    stop_reason: str


@dataclass(frozen=True, slots=True)
class ExceptionEvent:
    """The loop is left by an exception, which is raised again afterwards.

    Attributes:
        error: KeyboardInterrupt and SystemExit too.
    """

    error: BaseException


@dataclass(frozen=True, slots=True)
class RunEnd:
    """The run is complete: tested, with its report.

    Attributes:
        path: the run folder.
        test: the scores of the best weights on the test images.
        seconds: from the start of this process's work to its end.
    """

    path: Path
    test: Metrics
    seconds: float
