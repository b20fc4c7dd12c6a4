"""The boxes of a recorded image by name: `box1`, `box2`, and those that these suppressed."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from convscope.boxes.coding import BoxCoding
from convscope.boxes.comparisons import Suppression, suppression
from convscope.data.fit import fit_axes, in_pixels
from convscope.errors import RequestError, nearest
from convscope.explanation.boxes.explanation import EDGES, BoxComparison, BoxExplanation
from convscope.explanation.boxes.operations import Placement, with_box
from convscope.explanation.recorded_image import RecordedImage
from convscope.explanation.rendering.blocks import Block, Table
from convscope.explanation.rendering.html import to_html
from convscope.explanation.rendering.text import to_text
from convscope.terms import fixed

NAME = re.compile(r"(?P<box>box\d+(?:\.\d+)?)(?:\.(?P<number>[a-z]\w*))?")
"""`box2`, the first box that it suppressed, `box2.1`, and one of its numbers, `box2.1.left`."""

NO_BOX = "No box has a score of 1% or more."


@dataclass(frozen=True)
class RecordedBoxes:
    """The boxes that a network found in a recorded image.

    `box1` is the first one that `predict` has, `box2` the next; `box1.1` is the first of those that
    it suppressed. Those with scores below what `predict` shows are here, too.

    Attributes:
        recorded: the network's pass.
        coding: what its outputs mean.
        suppression: which boxes were kept, and why.
    """

    recorded: RecordedImage
    coding: BoxCoding
    suppression: Suppression

    @classmethod
    def of(cls, recorded: RecordedImage) -> "RecordedBoxes | None":
        """None for a network that finds no boxes."""
        coding = recorded.card.boxes
        if coding is None:
            return None
        outputs = recorded.recording[recorded.recording.output].tensor
        if outputs.shape != (1, coding.num_outputs):
            return None
        return cls(recorded, coding, suppression(outputs[0].detach().float().cpu().numpy(), coding))

    def __len__(self) -> int:
        """Boxes that are kept."""
        return len(self.kept)

    def __getitem__(self, box: int | str) -> BoxExplanation:
        """A box by its name, or a kept one by its place in the order of scores, from 0."""
        return self.explain(box if isinstance(box, str) else self.kept[box])

    def __iter__(self) -> Iterator[BoxExplanation]:
        return map(self.explain, self.kept)

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number of each box among the candidates of suppression, by its name."""
        names: dict[str, int] = {}
        for kept in self.suppression.kept:
            left, top, right, bottom = self.edges(kept)
            if right <= left or bottom <= top:
                continue  # in the black bars around the image: no one is shown it
            name = f"box{1 + sum(name.count('.') == 0 for name in names)}"
            names[name] = kept
            for rank, other in enumerate(self.suppression.suppressed_by(kept), start=1):
                names[f"{name}.{rank}"] = other
        return names

    @property
    def kept(self) -> list[str]:
        """The names of the boxes that are kept, by falling score."""
        return [name for name in self.numbers if "." not in name]

    def edges(self, number: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of a candidate in pixels of the image."""
        boxes = self.suppression.candidates.boxes[number : number + 1]
        size, card = self.recorded.image_size, self.recorded.card
        if size is None:
            height, width = card.input_size
            left, top, right, bottom = (boxes * (width, height, width, height))[0].tolist()
        else:
            left, top, right, bottom = in_pixels(boxes, size, card)[0].tolist()
        return left, top, right, bottom

    @cached_property
    def placements(self) -> tuple[Placement, Placement]:
        """How shares of the network's input become pixels of the image, along x and y.

        Of a tensor that was fed as it is, pixels of the input.
        """
        size, card = self.recorded.image_size, self.recorded.card
        sides = card.input_size[::-1]
        if size is None:
            return Placement(sides[0], 0.0, sides[0]), Placement(sides[1], 0.0, sides[1])
        x, y = (
            Placement(axis.input_side * axis.factor, axis.begin, float(axis.image_side))
            for axis in fit_axes(size, card)
        )
        return x, y

    def number(self, name: str) -> int:
        """The number of a box among the candidates. Raises RequestError for an unknown name."""
        if name in self.numbers:
            return self.numbers[name]
        count = len(self.kept)
        if not count:
            raise RequestError(f"There is no {name} in this image. {NO_BOX}")
        last = f"box1 to box{count}" if count > 1 else "box1"
        raise RequestError(
            f"There is no {name} in this image.{nearest(name, self.numbers)} Boxes that are kept: "
            f"{last}; box1.1 is the first that box1 suppressed."
        )

    def with_box(self, name: str) -> RecordedImage:
        """The recorded image with the operations that lead to a box."""
        number, found = self.number(name), self.suppression.candidates
        row, column, box = found.cells[number].tolist()
        recording = with_box(
            self.recorded.recording,
            self.coding,
            name,
            cell=(row, column, box),
            label=int(found.labels[number]),
            placements=self.placements,
        )
        return replace(self.recorded, recording=recording)

    def explain(self, name: str) -> BoxExplanation:
        """How a box comes about, and the comparisons in which it took part.

        Raises RequestError for an unknown name.
        """
        number, found = self.number(name), self.suppression.candidates
        row, column, box = found.cells[number].tolist()
        recording = self.with_box(name).recording
        names = {of: each for each, of in self.numbers.items()}
        comparisons = [
            self.compare(names[one.better], names[one.other])
            for one in self.suppression.of(number)
            if one.better in names and one.other in names
        ]
        same = {of for each in self.suppression.of(number) for of in (each.better, each.other)}
        others = [
            self.compare(name, other)
            for other in self.kept
            if self.numbers[other] not in {number, *same}
            and self.suppression.overlap(number, self.numbers[other]) > 0
        ]
        return BoxExplanation(
            name=name,
            label=self.recorded.card.classes[int(found.labels[number])],
            label_index=int(found.labels[number]),
            score=float(found.scores[number]),
            edges=self.edges(number),
            cell=(row, column, box),
            recording=recording,
            comparisons=tuple(comparisons),
            others=tuple(others),
            is_in_image=self.recorded.image_size is not None,
        )

    def compare(self, one: str, other: str) -> BoxComparison:
        """What suppression made of two boxes.

        Raises RequestError for an unknown name, and for a box and itself.
        """
        first, second = sorted((self.number(one), self.number(other)))
        if first == second:
            raise RequestError(f"{one} is compared with another box, not with itself.")
        names = {self.number(one): one, self.number(other): other}
        found, made = self.suppression.candidates, self.suppression.comparisons
        asked = [each for each in made if (each.better, each.other) == (first, second)]
        classes = self.recorded.card.classes
        height, width = self.recorded.card.input_size
        return BoxComparison(
            names=(names[first], names[second]),
            labels=(classes[int(found.labels[first])], classes[int(found.labels[second])]),
            scores=(float(found.scores[first]), float(found.scores[second])),
            boxes=tuple(
                tuple((found.boxes[n] * (width, height, width, height)).tolist())
                for n in (first, second)
            ),
            iou=self.suppression.overlap(first, second),
            max_overlap=self.suppression.max_overlap,
            was_made=bool(asked),
            is_suppressed=any(each.is_suppressed for each in asked),
        )

    def above(self, score: float) -> list[str]:
        """The names of those kept boxes that have at least this score."""
        scores = self.suppression.candidates.scores
        return [name for name in self.kept if scores[self.numbers[name]] >= score]

    def blocks(self, names: Sequence[str]) -> list[Block]:
        """The boxes of some names as a table, the suppressed ones counted."""
        found, classes = self.suppression.candidates, self.recorded.card.classes
        rows: list[tuple[str, ...]] = []
        for name in names:
            number = self.numbers[name]
            edges = (fixed(edge, 1) for edge in self.edges(number))
            row, column, box = found.cells[number].tolist()
            gone = len(self.suppression.suppressed_by(number))
            score = f"{found.scores[number]:.1%}"
            label = classes[int(found.labels[number])]
            rows.append((name, label, score, f"{row},{column},{box}", *edges, str(gone)))
        header = ("box", "class", "score", "cell", *EDGES, "suppressed")
        return [Table(header, tuple(rows))]

    def __str__(self) -> str:
        return to_text(self.blocks(self.kept))

    def _repr_html_(self) -> str:
        return to_html(self.blocks(self.kept))

    def to_dict(self) -> dict[str, Any]:
        found, classes = self.suppression.candidates, self.recorded.card.classes
        return {
            "boxes": [
                {
                    "name": name,
                    "class": classes[int(found.labels[number])],
                    "score": float(found.scores[number]),
                    **dict(zip(EDGES, self.edges(number), strict=True)),
                    "cell": found.cells[number].tolist(),
                    "kept": "." not in name,
                }
                for name, number in self.numbers.items()
            ],
            "comparisons": [
                self.compare(names[one.better], names[one.other]).to_dict()
                for names in ({of: each for each, of in self.numbers.items()},)
                for one in self.suppression.comparisons
                if one.better in names and one.other in names
            ],
        }


def split_name(text: str) -> tuple[str, str] | None:
    """The box and the number of `box1.left`, or `box1` and nothing; None for what is no box."""
    match = NAME.fullmatch(text.partition("[")[0].strip())
    return None if match is None else (match["box"], match["number"] or "")


def with_named_boxes(recorded: RecordedImage, *texts: object) -> RecordedImage:
    """The recorded image with the operations of the boxes that texts name: `box1.left`.

    Where a network finds no boxes, or no box is named, nothing is added. Raises RequestError for a
    box that is not there.
    """
    found = [split_name(text) for text in texts if isinstance(text, str)]
    named = [name for name, _ in filter(None, found) if f"{name}.score" not in recorded.recording]
    if not named or (boxes := RecordedBoxes.of(recorded)) is None:
        return recorded
    for name in named:
        boxes = replace(boxes, recorded=boxes.with_box(name))
    return boxes.recorded


def first_score(recorded: RecordedImage) -> str | None:
    """The score of the first box; None for a network that finds no boxes.

    Raises RequestError where it finds none in this image.
    """
    boxes = RecordedBoxes.of(recorded)
    if boxes is None:
        return None
    if not boxes.kept:
        raise RequestError(f"{NO_BOX} Name a unit with `at`.")
    return f"{boxes.kept[0]}.score"
