"""What `check` returns: the outcomes of all checks, for people, JSON and CSV."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from convscope.atomic import write_atomically
from convscope.checks.inspection import Inspection
from convscope.checks.outcome import SEVERITIES, Finding, Outcome, Severity
from convscope.words.csv_text import to_csv

COLUMNS = (
    "check", "severity", "image", "label", "split", "detail", "value", "suggested_label",
    "other_image", "other_label", "other_split",
)  # fmt: skip
"""Of the CSV; one row per finding."""


@dataclass(frozen=True, eq=False)
class DataReport:
    """What is wrong with a data set.

    Attributes:
        outcomes: of the checks that found something, the worst first.
        skipped: names of the checks that were left out, each with the reason.
        inspection: what was measured of every image.
    """

    outcomes: tuple[Outcome, ...]
    skipped: dict[str, str]
    inspection: Inspection

    @cached_property
    def counts(self) -> dict[Severity, int]:
        """How many checks found something, by severity."""
        counts = Counter(outcome.severity for outcome in self.outcomes)
        return {severity: counts[severity] for severity in SEVERITIES}

    def describe_counts(self) -> str:
        """As in "1 error, 2 warnings"."""
        return ", ".join(
            f"{count} {severity}{'' if count == 1 else 's'}"
            for severity, count in self.counts.items()
            if count
        )

    def __getitem__(self, check: str) -> Outcome:
        """The outcome of a check, by its name. Raises KeyError where it found nothing."""
        for outcome in self.outcomes:
            if outcome.check == check:
                return outcome
        raise KeyError(check)

    def __contains__(self, check: object) -> bool:
        return any(outcome.check == check for outcome in self.outcomes)

    def images(self, check: str) -> list[str]:
        """The images that a check found, by their keys; none where it found nothing."""
        if check not in self:
            return []
        keys = (self.inspection.key(f.images[0]) for f in self[check].findings if f.images)
        return list(dict.fromkeys(keys))

    def to_dict(self) -> dict[str, Any]:
        """The report as values of JSON."""
        dataset = self.inspection.dataset
        return {
            "data": dataset.name,
            "num_images": len(dataset),
            "num_unreadable": len(self.inspection.problems),
            "classes": list(dataset.classes),
            "checks": [
                {
                    "check": outcome.check,
                    "severity": outcome.severity,
                    "summary": outcome.summary,
                    "advice": outcome.advice,
                    "findings": [self._to_dict(finding) for finding in outcome.findings],
                }
                for outcome in self.outcomes
            ],
            "skipped": self.skipped,
        }

    def _to_dict(self, finding: Finding) -> dict[str, Any]:
        return {
            "images": [self._describe(index) for index in finding.images],
            "detail": finding.detail,
            "value": finding.value,
            "suggested_label": finding.suggested,
        }

    def _describe(self, index: int) -> dict[str, str]:
        inspection = self.inspection
        return {
            "image": inspection.key(index),
            "label": inspection.label(index),
            "split": inspection.split(index),
        }

    def to_csv(self) -> str:
        """A row per finding, with the columns COLUMNS, for a spreadsheet or a program."""
        rows = [
            [
                outcome.check,
                outcome.severity,
                *self._cells(finding, 0),
                finding.detail,
                "" if finding.value is None else f"{finding.value:.6g}",
                finding.suggested or "",
                *self._cells(finding, 1),
            ]
            for outcome in self.outcomes
            for finding in outcome.findings
        ]
        return to_csv([COLUMNS, *rows])

    def _cells(self, finding: Finding, place: int) -> list[str]:
        if place >= len(finding.images):
            return ["", "", ""]
        return list(self._describe(finding.images[place]).values())

    def write_csv(self, path: Path) -> None:
        """Write `to_csv` to a file."""
        write_atomically(path, self.to_csv())
