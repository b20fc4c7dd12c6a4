"""ROC curves and reliability as SVG, in the manner of the charts of a training."""

from collections.abc import Sequence
from dataclasses import dataclass

from convscope.evaluation.box_details import BoxDetails
from convscope.evaluation.calibration import Reliability
from convscope.evaluation.curves import Curve
from convscope.evaluation.details import Details
from convscope.reports.chart import BOTTOM, HEIGHT, LEFT, TOP
from convscope.words import escape_html

_TOP = TOP + 10  # below the name of the upward axis
_SIDE = HEIGHT - _TOP - BOTTOM
_RIGHT = LEFT + _SIDE
_MOST = 6  # classes with a line each
_POINTS = 200
_NAME = 20  # letters of a class and its area beside its line

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class UnitSquare:
    """Lines over 0..1 x 0..1, each with its name beside the square, and points with intervals.

    Attributes:
        lines: name and points of each.
        bars: x, y, and the lower and the upper end of an interval of y.
        x, y: what the axes are.
    """

    title: str
    x: str
    y: str
    lines: Sequence[tuple[str, Points]] = ()
    bars: Sequence[tuple[float, float, float, float]] = ()
    diagonal: bool = True

    @property
    def label(self) -> str:
        named = ", ".join(name for name, _ in self.lines)
        return f"{self.title}: {self.y} by {self.x.lower()}{f' of {named}' if named else ''}"

    def draw(self) -> str:
        if not self.lines and not self.bars:
            return ""
        return "".join(
            [
                _axes(self.x, self.y),
                _polyline([(0, 0), (1, 1)], "diagonal") if self.diagonal else "",
                *(_line(number, name, points) for number, (name, points) in enumerate(self.lines)),
                *(_bar(*bar) for bar in self.bars),
            ]
        )


def roc(details: Details) -> UnitSquare:
    """The ROC curves of the classes, of many classes those with the least areas."""
    curves = _shown(details)
    lines = [
        (
            f"{name} {area:.3f}",
            list(zip((1 - curve.specificity).tolist(), curve.sensitivity.tolist(), strict=True)),
        )
        for name, area, curve in curves
    ]
    return UnitSquare("ROC, one class against the rest", "1 - specificity", "Sensitivity", lines)


def precision_recall(details: Details) -> UnitSquare:
    """The precision-recall curves of the same classes."""
    values = {row["name"]: row["average_precision"].value for row in details.per_class}
    lines = [
        (
            f"{name} {values[name]:.3f}",
            list(zip(curve.sensitivity.tolist(), curve.precision.tolist(), strict=True)),
        )
        for name, _, curve in _shown(details)
    ]
    return UnitSquare("Precision by recall", "Recall", "Precision", lines, diagonal=False)


def boxes_by_recall(details: BoxDetails) -> UnitSquare:
    """Precision by recall of boxes at IoU 0.5; of many classes those with the least AP."""
    worst = sorted(details.curves, key=lambda name: details.ap50[name][0])[:_MOST]
    lines = [(f"{name} {details.ap50[name][0]:.3f}", details.curves[name].points())
             for name in worst]  # fmt: skip
    return UnitSquare("Precision by recall, IoU 0.5", "Recall", "Precision", lines, diagonal=False)


def reliability_chart(found: Reliability, title: str) -> UnitSquare:
    """How often answers of a probability are right, with 95% intervals."""
    rows = found.to_dict()["reliability"]
    bars = [(row["confidence"], row["accuracy"], *row["interval"]) for row in rows]
    return UnitSquare(title, "Probability", "Right", bars=bars)


def accuracy_by_coverage(details: Details) -> UnitSquare:
    """The accuracy of the most certain images, for every share of them."""
    lines = [(f"by {name}", found.points()) for name, found in details.selective.items()]
    title = "Accuracy of the most certain images"
    return UnitSquare(title, "Answered", "Right", lines, diagonal=False)


def is_shortened(details: Details) -> bool:
    """Whether not every class has a line."""
    return sum(row["auc"].is_defined for row in details.per_class) > _MOST


def _shown(details: Details) -> list[tuple[str, float, Curve]]:
    """Name, area and curve of each class that is drawn."""
    rows = [row for row in details.per_class if row["auc"].is_defined]
    worst = sorted(rows, key=lambda row: row["auc"].value)[:_MOST]
    found = [(row["name"], row["auc"].value, details.curve(row["name"])) for row in worst]
    return [
        (name, area, curve.thinned(_POINTS)) for name, area, curve in found if curve is not None
    ]


def _x(value: float) -> float:
    return LEFT + _SIDE * value


def _y(value: float) -> float:
    return _TOP + _SIDE * (1 - value)


def _axes(x: str, y: str) -> str:
    ticks = (0.0, 0.25, 0.5, 0.75, 1.0)
    grid = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{_RIGHT}" y1="{_y(t):.1f}" y2="{_y(t):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{_y(t) + 4:.1f}" text-anchor="end">{t:.0%}</text>'
        for t in ticks
    )
    below = "".join(
        f'<text x="{_x(t):.1f}" y="{HEIGHT - 18}" text-anchor="middle">{t:.0%}</text>'
        for t in (0.0, 0.5, 1.0)
    )
    return (
        f'{grid}{below}<text x="{_x(0.5):.1f}" y="{HEIGHT - 3}" text-anchor="middle">'
        f'{escape_html(x)}</text><text x="{LEFT}" y="{_TOP - 9}">{escape_html(y)}</text>'
    )


def _polyline(points: Points, name: str) -> str:
    at = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in points)
    return f'<g class="{name}"><polyline points="{at}"/></g>'


def _line(number: int, name: str, points: Points) -> str:
    at = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in points)
    row, left = _TOP + 14 + 20 * number, _RIGHT + 12
    said = name if len(name) <= _NAME else f"{name[: _NAME - 7]}… {name[-5:]}"
    return (
        f'<g class="s{number}"><polyline points="{at}"/>'
        f'<polyline points="{left},{row - 4} {left + 14},{row - 4}"/>'
        f'<text x="{left + 20}" y="{row}"><title>{escape_html(name)}</title>'
        f"{escape_html(said)}</text></g>"
    )


def _bar(x: float, y: float, low: float, high: float) -> str:
    at = f"{_x(x):.1f}"
    return (
        f'<g class="s0"><polyline points="{at},{_y(low):.1f} {at},{_y(high):.1f}"/>'
        f'<circle cx="{at}" cy="{_y(y):.1f}" r="3.5"/></g>'
    )
