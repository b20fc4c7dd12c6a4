"""Properties of the files that alone tell the class; see `data.shortcuts`."""

from convscope.checks.inspection import Inspection
from convscope.checks.outcome import Finding, Outcome
from convscope.data.shortcuts import find_shortcuts

NAME, TITLE = "shortcuts", "Shortcuts"


def find_shortcut_properties(inspection: Inspection) -> Outcome | None:
    shortcuts = find_shortcuts(inspection.dataset)
    if not shortcuts:
        return None
    return Outcome(
        NAME,
        TITLE,
        "warning",
        " ".join(shortcut.describe() for shortcut in shortcuts[:3]),
        "A network may learn this instead of what the images show. Take images of all classes from "
        "the same sources, or make the files alike.",
        tuple(Finding((), shortcut.describe(), shortcut.youden) for shortcut in shortcuts),
    )
