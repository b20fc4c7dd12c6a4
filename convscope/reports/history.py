"""`history`: the winners of ILSVRC by year, beside a figure of one's own."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from convscope.atomic import write_atomically
from convscope.errors import RequestError
from convscope.evaluation.metrics import wilson_interval
from convscope.published import IlsvrcHistory, ilsvrc_history
from convscope.regular_files import read_regular
from convscope.reports.history_picture import Bar, history_page, history_png, history_svg
from convscope.runs.folder import Run
from convscope.words import visible

ENDINGS = (".svg", ".png", ".html")
_CLASSES = 1000  # of ILSVRC


@dataclass(frozen=True)
class OwnFigure:
    """The top-5 error of a network of the user's, a share, with its 95% interval.

    Attributes:
        name: of the run, or of the network that was evaluated.
        note: what is not as in the challenge; "" for ImageNet's 1,000 classes.
    """

    name: str
    error: float
    interval: tuple[float, float]
    images: int
    note: str


@dataclass(frozen=True)
class History:
    """The top-5 errors of the winners, and one's own beside them. `save` draws them."""

    published: IlsvrcHistory
    own: OwnFigure | None = None

    @property
    def bars(self) -> list[Bar]:
        """What is drawn: a bar for each winner, and one's own."""
        bars = [
            Bar(str(one.year), one.network or one.team, one.error) for one in self.published.winners
        ]
        if self.own is not None:
            bars.append(Bar("own", self.own.name, self.own.error, self.own.interval))
        return bars

    @property
    def lines(self) -> list[str]:
        """The rows as text, then what is to be said of one's own figure."""
        longest = max(bar.error for bar in self.bars)
        rows = [("year", "winner", "top-5 error", "")]
        for bar, label in zip(self.bars, self._labels(), strict=True):
            drawn = "█" * max(1, round(_COLUMNS * bar.error / longest))
            shown = f"{bar.error:.2%}"
            if bar.interval is not None:
                shown += f" ({bar.interval[0]:.2%} to {bar.interval[1]:.2%})"
            rows.append((bar.label, label, shown, drawn))
        human = self.published
        rows.append(("", "a person", f"{human.human_error:.1%}", ""))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [
            f"{year:{widths[0]}}  {name:{widths[1]}}  {error:{widths[2]}}  {bar}".rstrip()
            for year, name, error, bar in rows
        ]
        return [*lines, "", *self.notes]

    @property
    def notes(self) -> list[str]:
        """What the figures are of."""
        human = self.published
        winners = (
            "Winners: on the test images of the challenge; from 2012 on convolutional networks, "
            "mostly several together over several crops."
        )
        person = f"A person: one trained annotator on {human.human_images:,} images."
        told = [winners, person]
        if self.own is not None:
            told.append(f"Own: {visible(self.own.name)}, {self.own.images:,} images.")
            told += [self.own.note] if self.own.note else []
        return told

    def save(self, path: str | Path) -> None:
        """Draw the chart to an .svg, .png or .html file. Raises RequestError for other endings."""
        target = Path(path).expanduser()
        check_ending(target)
        title = "ILSVRC: top-5 error of the winners"
        human = self.published.human_error
        if target.suffix.lower() == ".png":
            write_atomically(target, history_png(title, self.bars, human))
        elif target.suffix.lower() == ".svg":
            write_atomically(target, history_svg(title, self.bars, human))
        else:
            sources = [(str(one.year), one.error, one.source) for one in self.published.winners]
            sources.append(("a person", human, self.published.human_source))
            write_atomically(target, history_page(title, self.bars, human, self.notes, sources))

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON: errors are shares."""
        return {
            "winners": [vars(one) for one in self.published.winners],
            "human": {
                "error": self.published.human_error,
                "images": self.published.human_images,
                "source": self.published.human_source,
            },
            **({} if self.own is None else {"own": vars(self.own)}),
        }

    def __str__(self) -> str:
        return "\n".join(self.lines)

    def _repr_html_(self) -> str:
        return history_svg("ILSVRC: top-5 error of the winners", self.bars,
                           self.published.human_error)  # fmt: skip

    def _labels(self) -> list[str]:
        labels = [
            one.team if one.network in ("", one.team) else f"{one.team} ({one.network})"
            for one in self.published.winners
        ]
        return labels if self.own is None else [*labels, visible(self.own.name)]


_COLUMNS = 40  # of the longest bar


def history(challenge: str = "ilsvrc", *, run: str | Path | Run | None = None) -> History:
    """The top-5 errors of ILSVRC's winners by year, beside that of `run` if it is given.

    `run` is a run, whose test at the end of its training counts, or a file of what `convscope
    evaluate --json` printed, or `evaluate(...).to_dict()` as JSON. Only ILSVRC is known.

    Raises RequestError for another challenge, and for a figure without a top-5 error.
    """
    if challenge.strip().lower() not in ("ilsvrc", "imagenet"):
        raise RequestError(f"There is no history of {challenge!r}. `history` knows ilsvrc.")
    return History(ilsvrc_history(), None if run is None else _own_figure(run))


def check_ending(path: Path) -> None:
    """Raise RequestError for a file that `History.save` does not write."""
    if path.suffix.lower() not in ENDINGS:
        raise RequestError(
            f"{path}: the chart is written as {', '.join(ENDINGS)}; name such a file."
        )


def _own_figure(run: str | Path | Run) -> OwnFigure:
    if not isinstance(run, Run) and Path(run).expanduser().is_file():
        path = Path(run).expanduser()
        try:
            held: Any = json.loads(read_regular(path))
        except (OSError, ValueError) as error:
            raise RequestError(
                f"{path} is no evaluation in JSON ({error}). Write one: `convscope evaluate RUN "
                "DATA --json > FILE`."
            ) from error
        values = cast("dict[str, Any]", held) if isinstance(held, dict) else {}
        return _figure(values, str(values.get("run", path.stem)), path)
    opened = run if isinstance(run, Run) else Run.open(Path(run).expanduser())
    try:
        values = opened.read_scores("test.json")
    except RequestError as error:
        raise RequestError(
            f"{opened.path} was not tested yet. Evaluate it: `convscope evaluate {opened.path} "
            "--json > FILE`, and name that file in place of the run."
        ) from error
    return _figure(values, opened.path.name, opened.path)


def _figure(values: Mapping[str, Any], name: str, where: Path) -> OwnFigure:
    classes, images, top5 = values.get("classes"), values.get("images"), values.get("top5")
    if not isinstance(classes, list) or not isinstance(images, int):
        raise RequestError(f"{where} has no figures of an evaluation.")
    count = len(cast("list[object]", classes))
    if not isinstance(top5, float | int):
        raise RequestError(
            f"{where} has no top-5 error: with {count} classes, of which five may be named, it "
            "would say little."
        )
    low, high = values.get("top5_interval") or wilson_interval(round(top5 * images), images)
    note = "" if count == _CLASSES else (
        f"It has {count} classes and other images than ILSVRC with its {_CLASSES:,}: the figures "
        "stand side by side, and cannot be compared."
    )  # fmt: skip
    return OwnFigure(name, 1 - top5, (1 - high, 1 - low), images, note)
