"""What engines answer for images, beside what PyTorch does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.card import Card
from convscope.conversion.calibration import CalibrationImages
from convscope.conversion.draft import Draft
from convscope.conversion.parity import outputs_of
from convscope.engines import Batch, Engine
from convscope.evaluation.measure import EvaluationOutputs, compute_metrics
from convscope.evaluation.paired import PairedAccuracy
from convscope.evaluation.paired_precision import PairedPrecision
from convscope.exported.pixels import normalize
from convscope.exported.probabilities import probabilities
from convscope.predictions.decided import predicted_classes

_AT_ONCE = 32


@dataclass(frozen=True)
class Cost:
    """What lower precision costs on images.

    Attributes:
        accuracy: before and after; of boxes average precision. Where classes are not known, an
            answer is right if it is PyTorch's in float32, so that all are before.
        is_labeled: whether classes are known.
    """

    accuracy: PairedAccuracy | PairedPrecision
    is_labeled: bool

    @property
    def points(self) -> float:
        """By how much accuracy drops; of answers of which truth is not known, how many change, of
        100: accuracy drops by no more.
        """
        return -100 * self.accuracy.change

    def problem(self, bits: int, max_drop: float, engine: str = "") -> str:
        """A sentence if it is more than `max_drop` points; else nothing."""
        if self.points <= max_drop:
            return ""
        what = "cost too much accuracy" if self.is_labeled else "change too many answers"
        where = f"In {engine} " if engine else ""
        return f"{where}{bits} bits {what} ({self}; `max_drop` is {max_drop:g})."

    def __str__(self) -> str:
        if self.is_labeled:
            return str(self.accuracy)
        changed = round(self.points / 100 * self.accuracy.num_images)
        return f"{changed:,} of {self.accuracy.num_images:,}, {self.points:.2f}%"


@dataclass(frozen=True)
class ImageAnswers:
    """Images with what PyTorch answers for them, in float32.

    Attributes:
        draft: the network.
        images: of which those that are measured are asked for.
        truth: the classes of these; PyTorch's answers where they are not known.
        expected: PyTorch's answers.
    """

    draft: Draft
    images: CalibrationImages
    truth: NDArray[Any]
    expected: EvaluationOutputs

    @classmethod
    def of(cls, draft: Draft, images: CalibrationImages) -> "ImageAnswers":
        """Ask PyTorch."""
        count = draft.card.num_outputs

        def run(batch: Batch) -> Batch:
            return outputs_of(draft.net, torch.from_numpy(batch), count).numpy()

        outputs = _outputs(draft, images, run)
        truth = _classes(outputs, draft.card) if images.truth is None else images.truth
        return cls(draft, images, truth, _answers(outputs, truth, draft.card))

    def of_engine(self, run: Engine) -> EvaluationOutputs:
        """What an engine answers for the images."""
        outputs = _outputs(self.draft, self.images, run)
        return _answers(outputs, self.truth, self.draft.card)

    def cost(self, found: EvaluationOutputs) -> Cost:
        if found.matches:
            return Cost(PairedPrecision((self.expected.matches, found.matches)), is_labeled=True)
        accuracy = PairedAccuracy.of(self.expected.is_correct, found.is_correct)
        return Cost(accuracy, self.images.truth is not None)

    def agreement(self, found: EvaluationOutputs) -> float:
        """The share of images with the same answer."""
        is_same = found.predicted == self.expected.predicted
        return float((is_same if is_same.ndim == 1 else is_same.all(1)).mean())

    def worst(self, found: EvaluationOutputs) -> float:
        """The largest difference of a probability."""
        return float(np.abs(found.probabilities - self.expected.probabilities).max())


def normalized(pixels: NDArray[np.uint8], draft: Draft) -> Iterator[Batch]:
    """Images (n, h, w, c) as batches of the network's input."""
    for start in range(0, len(pixels), _AT_ONCE):
        yield normalize(pixels[start : start + _AT_ONCE], draft.card)


def _outputs(draft: Draft, images: CalibrationImages, run: Engine) -> Batch:
    return np.concatenate([run(batch) for batch in normalized(images.measured, draft)])


def _classes(outputs: Batch, card: Card) -> NDArray[Any]:
    """The classes that a network gives, as `CalibrationImages.truth` has them."""
    return predicted_classes(probabilities(outputs, card), card).astype(np.int64)


def _answers(outputs: Batch, truth: NDArray[Any], card: Card) -> EvaluationOutputs:
    return compute_metrics(torch.from_numpy(outputs), truth, card)
