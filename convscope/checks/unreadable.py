"""Files that cannot be read, with the reason."""

from convscope.checks.inspection import Inspection
from convscope.checks.outcome import Finding, Outcome
from convscope.data.duplicates import count_images

NAME, TITLE = "unreadable", "Unreadable files"


def find_unreadable(inspection: Inspection) -> Outcome | None:
    problems = sorted(inspection.problems.items())
    if not problems:
        return None
    return Outcome(
        NAME,
        TITLE,
        "warning",
        f"{count_images(problems)} cannot be read.",
        "Repair or remove them; train leaves them out.",
        tuple(Finding((index,), reason) for index, reason in problems),
    )
