"""What a training returns: the run, its history, and its scores."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from convscope import synonyms
from convscope.evaluation.multi_label import AnyMetrics, metrics_from_dict, right_word
from convscope.recipes.outcome import Outcome
from convscope.reports.chart import STYLE, Chart, Charts
from convscope.reports.page import lead
from convscope.reports.sections import OF_TASKS
from convscope.runs.folder import Run
from convscope.training.recipe import outcome_of
from convscope.words import escape_html, visible

_SHOWN = (
    "epoch", "lr", "train_loss", "train_top1", "val_loss", "val_top1",
    "val_map", "val_kappa", "val_mae",
)  # fmt: skip
_FRACTIONS = ("train_top1", "val_top1", "val_map")
_ROWS = 12  # of a history that is shown; of a longer one the first and the last


class History(Sequence[Mapping[str, Any]]):
    """One row of metrics per epoch: `history[-1]` is the last, `history["val_loss"]` a column.

    `pandas.DataFrame(history)` takes it as it is. The columns are those of `metrics.jsonl`: see
    `convscope.training.events.EpochEnd`.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = [dict(row) for row in rows]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    @overload
    def __getitem__(self, index: str) -> list[Any]: ...
    def __getitem__(self, index: int | slice | str) -> Any:
        if not isinstance(index, str):
            return self._rows[index]
        if index not in self.columns:
            known = f"{synonyms.of_result(self, index)} The columns are {', '.join(self.columns)}."
            raise KeyError(f"There is no {index!r}.{known}")
        return [row.get(index) for row in self._rows]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._rows)

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in order."""
        return list(dict.fromkeys(name for row in self._rows for name in row))

    @property
    def best(self) -> dict[str, Any] | None:
        """The row of the epoch whose weights were kept; None before the first epoch."""
        return next((row for row in reversed(self._rows) if row.get("best")), None)

    def to_dict(self) -> dict[str, list[Any]]:
        """The columns by name, each with a value per epoch."""
        return {name: self[name] for name in self.columns}

    def __repr__(self) -> str:
        if not self._rows:
            return "no epochs yet"
        lines = [self._names(), *([*map(_cell, row)] if row else ["..."] for row in self._table())]
        widths = [
            max(len(line[i]) for line in lines if len(line) > i) for i in range(len(lines[0]))
        ]
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=False))
            for line in lines
        )

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in self._names())
        body = "".join(
            f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>"
            if row
            else "<tr><td>...</td></tr>"
            for row in self._table()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _names(self) -> list[str]:
        return [*(name for name in _SHOWN if name in self.columns), ""]

    def _table(self) -> list[list[tuple[str, Any]]]:
        """The cells that are shown, with their columns; an empty row for those left out."""
        names = self._names()[:-1]
        rows = [
            [*((name, row.get(name)) for name in names), ("", "best" if row.get("best") else "")]
            for row in self._rows
        ]
        half = _ROWS // 2
        return rows if len(rows) <= _ROWS else [*rows[:half], [], *rows[-half:]]


def _cell(cell: tuple[str, Any]) -> str:
    name, value = cell
    if not isinstance(value, float):
        return "" if value is None else str(value)
    if name in _FRACTIONS:
        return f"{value:.2%}"
    return f"{value:.3g}" if name == "lr" else f"{value:.4f}"


@dataclass(frozen=True, repr=False)
class TrainingResult:
    """What a training leaves.

    Attributes:
        run: the run folder, which every verb takes.
        test: the scores of the best weights on the test images.
        seconds: from the start of this call to its end.
        history: one row of metrics per epoch.
        validation: the scores of the best weights on the validation images; None without any.
        recipe: the result beside the paper's; None without `recipe`.
    """

    run: Path
    test: AnyMetrics
    seconds: float
    history: History
    validation: AnyMetrics | None
    recipe: Outcome | None = None

    @classmethod
    def read(cls, run: Run, *, seconds: float) -> "TrainingResult":
        """The result of a finished run, from its folder."""
        test = _read_metrics(run, "test.json")
        if test is None:
            raise FileNotFoundError(run.path / "test.json")
        history = History(run.read_metrics())
        validation = _read_metrics(run, "validation.json")
        outcome = outcome_of(run, test, epochs=len(history))
        return cls(run.path, test, seconds, history, validation, outcome)

    def plot(self) -> Charts:
        """Loss, accuracy and learning rate over the epochs; see `Charts`."""
        columns = self.history.to_dict()

        def lines(**names: str) -> dict[str, list[float]]:
            return {label: columns.get(name, []) for label, name in names.items()}

        return Charts(
            Chart("Loss", lines(training="train_loss", validation="val_loss")),
            Chart(
                right_word(self.test.task).capitalize(),
                lines(training="train_top1", validation="val_top1"),
                percent=True,
            ),
            *(
                Chart(title, lines(validation=name))
                for name, title in OF_TASKS.items()
                if name in columns
            ),
            Chart("Learning rate", lines(rate="lr")),
        )

    if not TYPE_CHECKING:  # type checkers know the attributes, and refuse others

        def __getattr__(self, name: str) -> object:
            raise synonyms.missing_attribute(self, name)

    def __fspath__(self) -> str:
        """The run folder: a result is taken wherever a path is."""
        return str(self.run)

    def __repr__(self) -> str:
        test, best = self.test, self.history.best
        epochs = f"{len(self.history)} epochs" if len(self.history) != 1 else "1 epoch"
        kept = f", the best is epoch {best['epoch']}" if best and len(self.history) > 1 else ""
        beside = f". {self.recipe.describe()}" if self.recipe else ""
        return f"{visible(self.run)}: test {test.describe()}; {epochs}{kept}{beside}"

    def _repr_html_(self) -> str:
        test, best = self.test, self.history.best
        kept = f" The weights of epoch {best['epoch']} were kept." if best else ""
        beside = f"<br>{escape_html(self.recipe.describe())}" if self.recipe else ""
        rows = "".join(
            f"<tr><th>{escape_html(name)}</th><td>{images}</td><td>{precision:.3f}</td>"
            f"<td>{recall:.3f}</td><td>{f1:.3f}</td></tr>"
            for name, images, precision, recall, f1 in zip(
                test.classes, test.support, test.precision, test.recall, test.f1, strict=True
            )
        )
        return (
            f'<div class="convscope-result"><style>{STYLE}</style>'
            f"<p>{lead(test)}; loss {test.loss:.4f}.{kept}{beside}<br>"
            f"<code>{escape_html(str(self.run))}</code></p>{self.plot().html}"
            "<details><summary>Scores per class</summary><table><thead><tr><th>class</th>"
            "<th>images</th><th>precision</th><th>recall</th><th>F1</th></tr></thead>"
            f"<tbody>{rows}</tbody></table></details></div>"
        )


def _read_metrics(run: Run, name: Literal["test.json", "validation.json"]) -> AnyMetrics | None:
    if not (run.path / name).exists():
        return None
    return metrics_from_dict(run.read_scores(name))
