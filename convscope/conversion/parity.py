"""Whether an exported network answers as PyTorch does, in the engine that will run it."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.boxes.arrays import decode_arrays
from convscope.boxes.suppression import detections
from convscope.card import Card
from convscope.conversion.box_parity import (
    MOST_APART,
    BoxDifferences,
    graph_differences,
    output_differences,
)
from convscope.conversion.image_graph import FITTED, PROBABILITIES
from convscope.conversion.sample_files import Sample
from convscope.engines import Batch, Engine
from convscope.errors import WorkError
from convscope.exported.probabilities import probabilities
from convscope.forward import main_output
from convscope.inference import probabilities as torch_probabilities
from convscope.predictions.decided import certainties, decide

BATCHES = (1, 2, 3)
"""Numbers of images that are computed at once."""

ATOL, RTOL = 1e-5, 1e-4
"""Two implementations in float32 may differ by ATOL + RTOL times the largest number of a batch.

Winograd's convolutions, on which ncnn's speed depends, round about ten times as coarsely as sums of
products; the zoo's networks were seen to differ by at most a few millionths in every engine.
"""

_AS_PYTORCH, _MOST = 3.0, 0.01
"""Some deep networks magnify rounding: ResNet-152 with random weights returns in PyTorch numbers
that are 4e-4 of the largest one off those in float64. Engines may then be off by so many times as
much, though never by more than _MOST.
"""

PROBABILITY_TOLERANCE = 1e-3
"""Of a probability, for the same bytes of an image."""

MOST_LEVELS = 2
"""Of 255, by which the bytes that an image becomes may differ from those of training: PyTorch and
Pillow round otherwise.
"""

_ROUNDING = 0.01  # of a level, in what is normalized

ImageEngine = Callable[[NDArray[np.uint8]], Mapping[str, NDArray[Any]]]
"""Bytes (1, h, w, 3) to the outputs of `image_graph` by name, and to the network's input (1, c,
height, width), FITTED.
"""

_BORDER = 1e-3  # from the threshold of an abstention, where either answer is right


@dataclass(frozen=True, kw_only=True)
class Parity:
    """The largest differences between PyTorch and an exported network, and what they may be.

    Attributes:
        logits: for the same input, relative to the largest number that the network returned.
        probabilities: from image files on, for the bytes that the exported network makes of them.
        levels: how many levels of 255 these bytes are off those of training, for the same decoded
            image: a large JPEG may be decoded at a reduced size, and the graph gets it whole.
        end_to_end: of a probability, from image files on, to `predict` with PyTorch: what a network
            makes of `levels`, which is not limited.
        answers: 1 where the graph that takes images makes another answer of its probabilities than
            the rules of the card, for some file, or a box has none that it belongs to; else 0.
        boxes: of a network that finds objects: the largest 1 - IoU of two boxes that belong
            together. `probabilities` are then scores.
        tolerance: what `logits` may be.
        batches: how many images were computed at once.
        num_files: how many files were read.
        num_boxes: boxes that PyTorch finds in these, of a network that finds objects.
    """

    logits: float
    probabilities: float
    levels: float
    end_to_end: float
    answers: float
    boxes: float
    tolerance: float
    batches: tuple[int, ...] = BATCHES
    num_files: int
    num_boxes: int = 0

    @property
    def holds(self) -> bool:
        of_files = FileDifferences(
            self.probabilities, self.levels, self.end_to_end, self.answers, self.boxes
        )
        return self.logits <= self.tolerance and of_files.hold(self.tolerance)

    def to_dict(self) -> dict[str, Any]:
        """The differences and their limits as values of JSON."""
        limits = {"probability_tolerance": PROBABILITY_TOLERANCE, "most_levels": MOST_LEVELS}
        return {**asdict(self), **limits}


@dataclass(frozen=True)
class FileDifferences:
    """The largest differences from image files on; see `Parity`."""

    probabilities: float = 0.0
    levels: float = 0.0
    end_to_end: float = 0.0
    answers: float = 0.0
    boxes: float = 0.0

    def hold(self, tolerance: float = RTOL) -> bool:
        """Whether they may be; `tolerance` is that of the outputs."""
        return (
            self.probabilities <= max(PROBABILITY_TOLERANCE, tolerance)
            and self.levels <= MOST_LEVELS + _ROUNDING
            and not self.answers
            and self.boxes <= MOST_APART
        )

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    def worst(self, other: "FileDifferences") -> "FileDifferences":
        return FileDifferences(*map(max, astuple(self), astuple(other)))


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What a network answers in PyTorch: computed once, however many engines are compared with it.

    Attributes:
        net: in eval mode, on the CPU.
        batches: of noise and of the samples, normalized, with what the network returns.
        samples: image files, as they are read on the different ways to the network.
        given: the probabilities for the input that an exported network makes of each sample.
        trained: those for the input that training makes of it.
    """

    net: nn.Module
    card: Card
    batches: tuple[tuple[Batch, Batch], ...]
    samples: tuple[Sample, ...]
    given: tuple[NDArray[np.float64], ...]
    trained: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, net: nn.Module, card: Card, samples: Sequence[Sample]) -> "Reference":
        """Run the network on the samples, and on noise."""
        noise = torch.randn(3, card.in_channels, *card.input_size, generator=_generator()).numpy()
        stack = np.concatenate([*(sample.given for sample in samples), noise])
        batches = [
            np.ascontiguousarray(stack[start : start + size])
            for size in BATCHES
            for start in range(0, len(stack) - size + 1, size)
        ]
        count = card.num_outputs
        return cls(
            net=net,
            card=card,
            batches=tuple(
                (batch, outputs_of(net, torch.from_numpy(batch), count).numpy())
                for batch in batches
            ),
            samples=tuple(samples),
            given=tuple(_probabilities_of(net, card, sample.given) for sample in samples),
            trained=tuple(_probabilities_of(net, card, sample.trained) for sample in samples),
        )

    @cached_property
    def rounding(self) -> float:
        """How far PyTorch's own float32 is off float64, as `difference` has it; 0 for a network
        that does not compute in float64.
        """
        exact = copy.deepcopy(self.net).double()
        rounding = 0.0
        for images, found in self.batches:
            try:
                expected = outputs_of(exact, torch.from_numpy(images).double(), found.shape[1])
            except (RuntimeError, TypeError):
                return 0.0
            rounding = max(rounding, difference(found, expected.numpy()))
        return rounding

    @property
    def num_boxes(self) -> int:
        """Boxes that the network finds in the samples, with scores of 1% or more."""
        coding = self.card.boxes
        if coding is None:
            return 0
        return sum(len(detections(outputs, coding)[0]) for outputs in self.given)

    def of_images(self, image_engine: ImageEngine) -> FileDifferences:
        """Compare the graph that takes images of any size: all but what its engine returns for
        inputs that are normalized already.
        """
        worst = FileDifferences()
        for sample, predicted in zip(self.samples, self.trained, strict=True):
            found = image_engine(sample.pixels)
            fed = found[FITTED]
            outputs = outputs_of(self.net, torch.from_numpy(fed), self.card.num_outputs)
            if self.card.boxes is not None:
                height, width = sample.pixels.shape[1:3]
                boxes = graph_differences(
                    found, outputs.numpy(), (width, height), self.card, self.card.boxes
                )
                worst = worst.worst(self._box_differences(sample.whole, fed, boxes))
                continue
            shares = found[PROBABILITIES]
            expected = torch_probabilities(outputs, self.card).numpy()
            one = self._differences(sample.whole, fed, shares, expected, predicted)
            other = _is_other(found, outputs.numpy(), expected, self.card)
            worst = worst.worst(replace(one, answers=float(other)))
        return worst

    def of_files(self, engine: Engine) -> FileDifferences:
        """Compare an engine, which gets the input that an exported network makes of each file."""
        worst = FileDifferences()
        for sample, *answers in zip(self.samples, self.given, self.trained, strict=True):
            if self.card.boxes is not None:
                worst = worst.worst(self._of_boxes(sample, engine(sample.given), *answers))
                continue
            found = probabilities(engine(sample.given), self.card)
            one = self._differences(sample.trained, sample.given, found, *answers)
            worst = worst.worst(one)
        return worst

    def _of_boxes(
        self,
        sample: Sample,
        found: Batch,
        expected: NDArray[np.float64],
        predicted: NDArray[np.float64],
    ) -> FileDifferences:
        assert self.card.boxes is not None
        boxes = output_differences(found, expected.astype(np.float32), self.card.boxes)
        scores = [decode_arrays(one, self.card.boxes).scores for one in (found, predicted)]
        one = self._box_differences(sample.trained, sample.given, boxes)
        return replace(one, end_to_end=float(np.abs(scores[0] - scores[1]).max()))

    def _box_differences(self, usual: Batch, fed: Batch, boxes: BoxDifferences) -> FileDifferences:
        scale = 255 * np.array(self.card.std).reshape(-1, 1, 1)
        levels = float((np.abs(fed - usual) * scale).max())
        return FileDifferences(boxes.scores, levels, 0.0, float(boxes.is_other), boxes.apart)

    def _differences(
        self,
        usual: Batch,
        fed: Batch,
        found: NDArray[Any],
        expected: NDArray[np.float64],
        predicted: NDArray[np.float64],
    ) -> FileDifferences:
        scale = 255 * np.array(self.card.std).reshape(-1, 1, 1)
        return FileDifferences(
            float(np.abs(found - expected).max()),
            float((np.abs(fed - usual) * scale).max()),
            float(np.abs(found - predicted).max()),
        )


def measure_parity(
    reference: Reference,
    engine: Engine,
    *,
    of_images: FileDifferences | None = None,
    tolerance: float | None = None,
) -> Parity:
    """Compare an exported network with its reference, on files and on noise.

    Args:
        of_images: the differences of the graph that takes images of any size, if there is one.
        tolerance: what `Parity.logits` may be; by default RTOL, and more for a network of which
            PyTorch's own float32 is far off.
    """
    logits = max(difference(engine(batch), expected) for batch, expected in reference.batches)
    if tolerance is None:
        tolerance = RTOL
        if RTOL < logits <= _MOST:  # else float64 need not be asked
            tolerance = min(max(RTOL, _AS_PYTORCH * reference.rounding), _MOST)
    worst = reference.of_files(engine).worst(of_images or FileDifferences())
    return Parity(
        logits=logits,
        **asdict(worst),
        tolerance=tolerance,
        num_files=len(reference.samples),
        num_boxes=reference.num_boxes,
    )


def compared(title: str, reference: Reference, engine: Engine) -> Parity:
    """`measure_parity` of the file `title`. Raises WorkError where it does not hold."""
    parity = measure_parity(reference, engine)
    if not parity.holds:
        raise WorkError(
            f"{title} answers differently than the network: by {parity.logits:.1e} of its largest "
            f"output (allowed: {parity.tolerance:.0e}). Nothing was written."
        )
    return parity


def _probabilities_of(net: nn.Module, card: Card, fed: NDArray[np.float32]) -> NDArray[np.float64]:
    """What PyTorch answers; of a network that finds objects its outputs."""
    output = outputs_of(net, torch.from_numpy(fed), card.num_outputs)
    if card.boxes is not None:
        return output.double().numpy()
    return torch_probabilities(output, card).numpy()


def _is_other(
    found: Mapping[str, NDArray[Any]],
    outputs: NDArray[Any],
    expected: NDArray[np.float64],
    card: Card,
) -> bool:
    """Whether a graph answers otherwise than the rules of the card, for PyTorch's probabilities
    and for its own, which may lie on two sides of a threshold.
    """
    sides = [
        decide(outputs, shares, card)
        for shares in (expected, found[PROBABILITIES].astype(np.float64))
    ]
    for name in {"label", "labels", "is_sure", "set"} & found.keys():
        attribute = {"is_sure": "is_sure", "set": "sets"}.get(name, "predicted")
        if not any(np.array_equal(found[name], getattr(side, attribute)) for side in sides):
            certainty = certainties(outputs, expected, card)
            rule = card.abstention
            if name == "is_sure" and rule is not None:
                distance = np.abs(certainty[rule.by] - rule.threshold).max()
                if distance <= _BORDER * max(1.0, abs(rule.threshold)):
                    continue
            return True
    return False


def difference(found: NDArray[np.float32], expected: NDArray[Any]) -> float:
    """The largest difference, relative to the largest expected number; infinite for other shapes
    and for what is not finite.
    """
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    largest = float(np.abs(expected).max()) + ATOL / RTOL
    return float(np.abs(found - expected).max()) / largest


@torch.inference_mode()
def outputs_of(net: nn.Module, images: Tensor, num_classes: int) -> Tensor:
    """What the network returns for the classes, (n, classes)."""
    output = main_output(net(images), num_classes)
    assert output is not None  # it was exported
    return output


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)
