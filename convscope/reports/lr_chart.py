"""The picture of a learning rate range test: loss against learning rate, which is logarithmic."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from convscope.reports.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, y_axis
from convscope.words import escape_html

_ROOM = 0.3  # of the fall of the loss, above where it began; what is higher is left out


@dataclass(frozen=True)
class LearningRateChart:
    """Smoothed losses as a line, those of single batches as dots; the end of the rise is left out.

    Attributes:
        lrs: learning rates, rising; one for each loss.
        marks: by name, rates at which a vertical line is drawn.
    """

    lrs: Sequence[float]
    losses: Sequence[float]
    smoothed_losses: Sequence[float]
    marks: Mapping[str, float] = field(default_factory=dict[str, float])
    title: str = "Loss by learning rate"

    @property
    def label(self) -> str:
        return f"{self.title}: {len(self.lrs)} rates from {self.lrs[0]:.3g} to {self.lrs[-1]:.3g}"

    def draw(self) -> str:
        if len(self.lrs) < 2:
            return ""
        smoothed = self._shown(self.smoothed_losses)
        raw = self._shown(self.losses)
        values = [value for _, value in (*smoothed, *raw)]
        y, grid = y_axis(min(values), max(values))
        first, last = math.log10(self.lrs[0]), math.log10(self.lrs[-1])

        def x(lr: float) -> float:
            return LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(lr) - first) / (last - first)

        line = " ".join(f"{x(lr):.1f},{y(v):.1f}" for lr, v in smoothed)
        dots = "".join(f'<circle cx="{x(lr):.1f}" cy="{y(v):.1f}" r="1.5"/>' for lr, v in raw)
        at, end = smoothed[-1]
        below = "".join(
            f'<text x="{x(lr):.1f}" y="{HEIGHT - 12}" text-anchor="middle">{lr:.0e}</text>'.replace(
                "e-0", "e-"
            ).replace("e+0", "e+")
            for lr in _powers(first, last)
        )
        inside = [(n, lr) for n, lr in self.marks.items() if self.lrs[0] <= lr <= self.lrs[-1]]
        marks = "".join(
            f'<g class="mark"><line x1="{x(lr):.1f}" x2="{x(lr):.1f}" y1="{TOP}" '
            f'y2="{HEIGHT - BOTTOM}"/><text x="{x(lr) - 5:.1f}" y="{TOP + 12 + 15 * number}" '
            f'text-anchor="end">{escape_html(name)} {lr:.2g}</text></g>'
            for number, (name, lr) in enumerate(inside)
        )
        return (
            f'{grid}{below}<g class="raw">{dots}</g>{marks}<g class="s0">'
            f'<polyline points="{line}"/><text x="{x(at) + 6:.1f}" y="{y(end) + 4:.1f}">smoothed'
            "</text></g>"
        )

    def _shown(self, losses: Sequence[float]) -> list[tuple[float, float]]:
        """Rates with losses up to a little more than the loss before it rises."""
        lowest = self.smoothed_losses.index(min(self.smoothed_losses))
        top = max(self.smoothed_losses[: lowest + 1])
        high = top + _ROOM * (top - min(self.losses)) + 1e-9 * abs(top)
        return [(lr, loss) for lr, loss in zip(self.lrs, losses, strict=True) if loss <= high]


def _powers(first: float, last: float) -> list[float]:
    """The powers of ten from exponent `first` to `last`, in steps so large that nine fit."""
    exponents = range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)
    return [10.0**exponent for exponent in exponents[:: -(-len(exponents) // 9) or 1]]
