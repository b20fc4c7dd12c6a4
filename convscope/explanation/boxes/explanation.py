"""How one box comes about, number by number, and what suppression made of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from convscope.explanation.explanation import Explanation
from convscope.explanation.recording import Recording
from convscope.explanation.rendering.blocks import Block, Paragraph, Table
from convscope.explanation.rendering.html import to_html
from convscope.explanation.rendering.layout import substituted
from convscope.explanation.rendering.text import to_text
from convscope.terms import Identity, json_number, number

Edges = tuple[float, ...]
EDGES = ("left", "top", "right", "bottom")
_SHOWN = 8  # comparisons


@dataclass(frozen=True, kw_only=True)
class BoxComparison:
    """Two boxes, and what suppression made of them.

    Attributes:
        names: of the one with the higher score, and of the other.
        labels, scores: of both.
        boxes: left, top, right, bottom in pixels of the network's input.
        iou: intersection over union.
        max_overlap: above which the other one is suppressed.
        was_made: whether they were compared: of two classes, or where one of them was suppressed
            before, they are not.
        is_suppressed: whether the other one is not kept for that.
    """

    names: tuple[str, str]
    labels: tuple[str, str]
    scores: tuple[float, float]
    boxes: tuple[Edges, ...]
    iou: float
    max_overlap: float
    was_made: bool
    is_suppressed: bool

    @property
    def verdict(self) -> str:
        """What followed, in words."""
        one, other = self.names
        if self.is_suppressed:
            return f"{one} suppressed {other}"
        if self.was_made:
            return "both were left"
        if self.labels[0] != self.labels[1]:
            return "not compared: two classes"
        return "not compared: one was suppressed before"

    @property
    def short(self) -> str:
        """Names, classes, scores and the verdict on one line."""
        names, labels = " and ".join(self.names), ", ".join(dict.fromkeys(self.labels))
        scores = ", ".join(number(score, digits=3) for score in self.scores)
        return f"{names} (class {labels}, scores {scores}): {self.verdict}"

    @property
    def arithmetic(self) -> list[str]:
        """The IoU with its numbers, in pixels of the network's input."""
        (a, b, c, d), (e, f, g, h) = self.boxes
        width, height = max(min(c, g) - max(a, e), 0.0), max(min(d, h) - max(b, f), 0.0)
        areas = [(r - p) * (s - q) for p, q, r, s in self.boxes]
        common = width * height
        limit = f"{'above' if self.iou > self.max_overlap else 'not above'} {self.max_overlap:g}"
        widths = f"min({number(c)}, {number(g)}) − max({number(a)}, {number(e)})"
        heights = f"min({number(d)}, {number(h)}) − max({number(b)}, {number(f)})"
        sizes = " + ".join(map(number, areas))
        return [
            f"common width {widths} = {number(width)}" + ("" if width else ", at least 0"),
            f"common height {heights} = {number(height)}" + ("" if height else ", at least 0"),
            f"intersection {number(width)}·{number(height)} = {number(common)}",
            f"union {sizes} − {number(common)} = {number(sum(areas) - common)}",
            f"IoU {number(common)} / {number(sum(areas) - common)} = {number(self.iou)}, {limit}",
        ]

    def __str__(self) -> str:
        one, other = (
            f"{name} (class {label}, score {number(score, digits=4)})"
            for name, label, score in zip(self.names, self.labels, self.scores, strict=True)
        )
        return "\n".join([f"{one} and {other}: {self.verdict}.", *self.arithmetic]) + "\n"

    def to_dict(self) -> dict[str, Any]:
        return {
            "boxes": [*self.names],
            "classes": [*self.labels],
            "scores": [*self.scores],
            "iou": self.iou,
            "max_overlap": self.max_overlap,
            "compared": self.was_made,
            "suppressed": self.is_suppressed,
            "verdict": self.verdict,
            "arithmetic": self.arithmetic,
        }


@dataclass(frozen=True, kw_only=True, repr=False)
class BoxExplanation:
    """A box with the arithmetic of each of its numbers.

    Attributes:
        name: `box1`, or `box1.1` for the first that it suppressed.
        label, label_index: its class.
        score: the probability of the class times the confidence.
        edges: left, top, right, bottom, in pixels of the image.
        cell: row and column of the cell, and which of its boxes.
        recording: the network's pass, with the operations that lead to the box: `recording.explain(
            "box1.left")` and so on.
        comparisons: those of non-maximum suppression in which it took part.
        others: boxes that are kept and lie on it, but were not compared with it.
        is_in_image: whether pixels are those of the image; else of the network's input.
    """

    name: str
    label: str
    label_index: int
    score: float
    edges: Edges
    cell: tuple[int, int, int]
    recording: Recording
    comparisons: tuple[BoxComparison, ...]
    others: tuple[BoxComparison, ...]
    is_in_image: bool

    @property
    def names(self) -> list[str]:
        """The names of its numbers, in the order in which they are computed."""
        return [each for each in self.recording.names if each.startswith(f"{self.name}.")]

    def explain(self, number: str) -> Explanation:
        """The arithmetic of one of its numbers: `left`, `confidence`, `x`."""
        full = f"{self.name}.{number}"
        several = self.recording[full].value.ndim  # one for each class
        return self.recording.explain(full, (self.label_index,) if several else ())

    @property
    def steps(self) -> Iterator[tuple[str, str, float]]:
        """Each number: its name, the arithmetic, and the value."""
        for full in self.names:
            short = full.removeprefix(f"{self.name}.")
            if short in ("classes", "probability"):
                continue  # of the softmax, whose line has both
            found = self.explain(short)
            text = substituted(found.decomposition)
            if isinstance(found.decomposition, Identity):
                text = self.origin(found)
            yield short, text, found.model_value

    def origin(self, found: Explanation) -> str:
        """The unit that an output is copied from: `boxes[0,4,1]`."""
        location = found.location
        while isinstance(found.decomposition, Identity) and len(found.terms):
            location = found.terms[0].location or location
            found = self.recording.explain(location.source, location.at)
        return str(location)

    @property
    def suppressor(self) -> BoxComparison | None:
        """The comparison in which it was suppressed; None for a box that is kept."""
        lost = (c for c in self.comparisons if c.is_suppressed and c.names[1] == self.name)
        return next(lost, None)

    def blocks(self) -> list[Block]:
        row, column, box = self.cell
        edges = ", ".join(
            f"{edge} {number(value)}" for edge, value in zip(EDGES, self.edges, strict=True)
        )
        whose = "the image" if self.is_in_image else "the network's input"
        lost = self.suppressor
        blocks: list[Block] = [
            Paragraph(
                f"{self.name}: class {self.label}, score {number(self.score)}; box {box} of the "
                f"cell in row {row}, column {column}"
                + ("" if lost is None else f"; suppressed by {lost.names[0]}")
            ),
            Paragraph(f"{edges} (pixels of {whose})"),
            Table((), tuple((f"{name} = {text}", number(v)) for name, text, v in self.steps)),
        ]
        return [*blocks, *self._suppression()]

    def _suppression(self) -> list[Block]:
        both = sorted(self.comparisons, key=lambda one: -one.iou)
        both += sorted(self.others, key=lambda one: -one.iou)
        if not both:
            return [Paragraph("Suppression compared it with no other box.")]
        listed = tuple((one.short, number(one.iou, digits=4)) for one in both[:_SHOWN])
        rest = len(both) - _SHOWN
        more = [Paragraph(f"... and {rest:,} more with less")] if rest > 0 else []
        limit = f"{both[0].max_overlap:g}"
        return [
            Paragraph(f"Suppression: the other box of a class goes where the IoU is above {limit}"),
            Table(("boxes", "IoU"), listed),
            *more,
        ]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "class": self.label,
            "score": self.score,
            **dict(zip(EDGES, self.edges, strict=True)),
            "cell": self.cell,
            "steps": [
                {"name": name, "arithmetic": text, "value": json_number(value)}
                for name, text, value in self.steps
            ],
            "comparisons": [one.to_dict() for one in self.comparisons],
            "others": [one.to_dict() for one in self.others],
        }

    def __str__(self) -> str:
        return to_text(self.blocks())

    def __repr__(self) -> str:
        return f"<BoxExplanation of {self.name}: {self.label}, score {number(self.score)}>"

    def _repr_html_(self) -> str:
        return to_html(self.blocks())
