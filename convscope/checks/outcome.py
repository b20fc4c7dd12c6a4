"""What a check found: an outcome per check, with a finding per image or pair of images."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
"""An error makes measured accuracies wrong; a warning is to be looked at; a note is to be known."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The worst first."""


@dataclass(frozen=True)
class Finding:
    """One image that a check found, or several that belong together.

    Attributes:
        images: indices; the first is the one to look at, the others what it was compared with.
        detail: what was found, in a few words.
        value: the figure by which it was found, if there is one.
        suggested: the class that the image may have instead, for likely wrong labels.
    """

    images: tuple[int, ...]
    detail: str
    value: float | None = None
    suggested: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What one check found.

    Attributes:
        check: its name, as "near-duplicates".
        title: the same for people.
        severity: of its findings.
        summary: what was found, in a sentence.
        advice: what to do, in a sentence or two; "" where nothing is to be done.
        findings: the images, those to look at first first; empty where the data set as a whole is
            meant.
    """

    check: str
    title: str
    severity: Severity
    summary: str
    advice: str = ""
    findings: tuple[Finding, ...] = ()
