"""What engines answer for labeled images, beside what PyTorch does."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.conversion.calibration import CalibrationImages
from convscope.conversion.draft import Draft
from convscope.conversion.parity import outputs_of
from convscope.engines import Batch, Engine
from convscope.evaluation.measure import EvaluationOutputs, compute_metrics
from convscope.evaluation.paired import PairedAccuracy
from convscope.exported.pixels import normalize

_AT_ONCE = 32


@dataclass(frozen=True)
class ImageAnswers:
    """Images with what PyTorch answers for them, in float32.

    Attributes:
        draft: the network.
        images: of which those that are measured are asked for.
        expected: PyTorch's answers.
    """

    draft: Draft
    images: CalibrationImages
    expected: EvaluationOutputs

    @classmethod
    def of(cls, draft: Draft, images: CalibrationImages) -> "ImageAnswers":
        """Ask PyTorch."""
        count = len(draft.card.classes)

        def run(batch: Batch) -> Batch:
            return outputs_of(draft.net, torch.from_numpy(batch), count).numpy()

        return cls(draft, images, _answers(draft, images, run))

    def of_engine(self, run: Engine) -> EvaluationOutputs:
        """What an engine answers for the images."""
        return _answers(self.draft, self.images, run)

    def accuracy(self, found: EvaluationOutputs) -> PairedAccuracy:
        return PairedAccuracy.of(self.expected.is_correct, found.is_correct)

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


def _answers(draft: Draft, images: CalibrationImages, run: Engine) -> EvaluationOutputs:
    outputs = np.concatenate([run(batch) for batch in normalized(images.measured, draft)])
    return compute_metrics(torch.from_numpy(outputs), images.truth, draft.card)
