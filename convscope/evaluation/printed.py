"""Metrics as people see them: by `print`, in a notebook, in a file."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convscope import synonyms
from convscope.evaluation.tables import (
    LEFT_CELL,
    TABLE_STYLE,
    Rows,
    as_text,
    headline_text,
    html_table,
)
from convscope.words import escape_html
from convscope.words.json_text import to_json


class PrintedMetrics(ABC):
    """Metrics of any task: `print` shows them as tables, and so does a notebook."""

    @abstractmethod
    def headline(self) -> list[tuple[str, str]]:
        """The names and values of the metrics of all images."""

    @abstractmethod
    def class_table(self) -> Rows:
        """A header and a row for each class or label."""

    @abstractmethod
    def confusion_table(self) -> Rows | None:
        """A header and a row for each class that has images; None where there is none to show."""

    @abstractmethod
    def to_dict(self) -> Mapping[str, Any]:
        """The metrics as they are written to JSON."""

    def to_json(self) -> str:
        """The metrics as a file holds them."""
        return to_json(self.to_dict(), indent=1) + "\n"

    if not TYPE_CHECKING:  # type checkers know the attributes, and refuse others

        def __getattr__(self, name: str) -> object:
            raise synonyms.missing_attribute(self, name)

    def __str__(self) -> str:
        return metrics_text(self)

    def _repr_html_(self) -> str:
        return f"<div>{metrics_html(self)}</div>"


def metrics_text(metrics: PrintedMetrics, headline: Sequence[tuple[str, str]] | None = None) -> str:
    """The headline, by default that of the metrics, and the tables as text."""
    lines = headline_text(headline or metrics.headline())
    tables = [metrics.class_table(), metrics.confusion_table()]
    return "\n\n".join([lines, *(as_text(table) for table in tables if table)])


def metrics_html(metrics: PrintedMetrics, headline: Sequence[tuple[str, str]] | None = None) -> str:
    """The headline, by default that of the metrics, and the tables for a notebook."""
    lines = "".join(
        f"<tr><th style='{LEFT_CELL}'>{name}</th>"
        f"<td style='{LEFT_CELL}'>{escape_html(value)}</td></tr>"
        for name, value in headline or metrics.headline()
    )
    confusion = metrics.confusion_table()
    return (
        f"<table {TABLE_STYLE}>{lines}</table>"
        f"<div style='display:flex;flex-wrap:wrap;gap:2em;align-items:flex-start'>"
        f"{html_table(metrics.class_table())}"
        f"{html_table(confusion) if confusion else ''}</div>"
    )
