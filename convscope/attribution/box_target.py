"""A number of a detected box as what is explained: which pixels moved its left edge."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from convscope.boxes.coding import BoxCoding
from convscope.boxes.decode import boxes_of, cells
from convscope.card import Card
from convscope.errors import RequestError, nearest
from convscope.explanation.boxes.operations import Placement
from convscope.explanation.boxes.recorded_boxes import RecordedBoxes, split_name

BoxNumber = Literal[
    "left", "top", "right", "bottom", "width", "height", "center_x", "center_y", "confidence",
    "probability", "score",
]  # fmt: skip
"""What can be explained of a box.

Edges, sides and the center are in pixels of the image, edges where they are not yet cut off at its
border. `probability` is that of its class, `score` that times the confidence.
"""

NUMBERS: tuple[BoxNumber, ...] = get_args(BoxNumber)
_PLACED = {
    "left": (0, 1, -0.5), "right": (0, 1, 0.5), "width": (0, 0, 1), "center_x": (0, 1, 0),
    "top": (1, 1, -0.5), "bottom": (1, 1, 0.5), "height": (1, 0, 1), "center_y": (1, 1, 0),
}  # fmt: skip
"""Of numbers in pixels: the axis, and how often the center and the side count."""

_SHARES = ("confidence", "probability", "score")


@dataclass(frozen=True)
class BoxTarget:
    """One number of one box.

    Attributes:
        box: its name, `box1`.
        number: which of its numbers.
        cell: row, column and number in the cell.
        index: of its class.
        names: of all classes.
        placements: how shares of the network's input become pixels.
    """

    box: str
    number: BoxNumber
    cell: tuple[int, int, int]
    index: int
    names: tuple[str, ...]
    coding: BoxCoding
    placements: tuple[Placement, Placement]

    other = None
    other_name = None

    @property
    def name(self) -> str:
        return f"{self.box}.{self.number}"

    def __str__(self) -> str:
        return self.name

    @property
    def probability_name(self) -> str:
        return self.name

    @property
    def is_share(self) -> bool:
        """Whether it is a number from 0 to 1 that falls where the box is lost."""
        return self.number in _SHARES and self.coding.name == "anchors"

    @property
    def unit(self) -> str:
        """As it stands behind the number."""
        return " pixels" if self.number in _PLACED else ""

    def score(self, logits: Tensor) -> Tensor:
        """The number for each image (n,), given a network's outputs (n, num_outputs)."""
        row, column, box = self.cell
        at = slice(None), row, column, box
        found = boxes_of(cells(logits, self.coding), self.coding)
        if self.number == "confidence":
            return found.confidence[at]
        if self.number == "probability":
            return found.probabilities[at][:, self.index]
        if self.number == "score":
            return found.scores[at][:, self.index]
        axis, of_center, of_side = _PLACED[self.number]
        share = of_center * found.centered[at][:, axis] + of_side * found.centered[at][:, 2 + axis]
        placement = self.placements[axis]
        return share * placement.scale + placement.offset * of_center

    def probability(self, logits: Tensor, card: Card) -> Tensor:  # noqa: ARG002 -- as for classes
        return self.score(logits.double())

    def probabilities(self, logits: Tensor, card: Card) -> Tensor:  # noqa: ARG002
        """Of all classes (n, classes), if the box has an object."""
        row, column, box = self.cell
        found = boxes_of(cells(logits.double(), self.coding), self.coding)
        return found.probabilities[:, row, column, box]

    def seed(self, shape: Sequence[int], like: Tensor) -> Tensor:
        """The gradient of the number by a network's outputs, where these are `like`."""
        with torch.inference_mode(mode=False), torch.enable_grad():
            leaf = like.detach().clone().double().requires_grad_()
            (found,) = torch.autograd.grad(self.score(leaf.reshape(1, -1)).sum(), leaf)
        return found.reshape(*shape).to(like)

    def constant(self, like: Tensor) -> float:
        """What the number is beside gradient times outputs: for decoding is no straight line."""
        values = like.detach().double().reshape(1, -1)
        seed = self.seed(values.shape, values)
        return float(self.score(values)[0]) - float((seed * values).sum())


def box_target(boxes: RecordedBoxes, text: str) -> BoxTarget:
    """The target that `box1.left` names; of `box1` alone its score.

    Raises RequestError for a box that is not there, and for another number.
    """
    found = split_name(text)
    if found is None:
        raise RequestError(
            f"{text!r} is no number of a box. Give one as box1.left; a box has "
            f"{', '.join(NUMBERS)}."
        )
    name, asked = found
    wanted = asked or "score"
    number: BoxNumber | None = next((each for each in NUMBERS if each == wanted), None)
    if number is None:
        raise RequestError(
            f"There is no {asked!r} of {name} here.{nearest(asked, NUMBERS)} Choose of "
            f"{', '.join(NUMBERS)}."
        )
    of, candidates = boxes.number(name), boxes.suppression.candidates
    row, column, box = candidates.cells[of].tolist()
    return BoxTarget(
        box=name,
        number=number,
        cell=(row, column, box),
        index=int(candidates.labels[of]),
        names=boxes.recorded.card.classes,
        coding=boxes.coding,
        placements=boxes.placements,
    )
