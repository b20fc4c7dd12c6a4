"""Cross-validations as the lab lists them: their folds, and the summary when all are done."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from convscope.errors import ConvscopeError
from convscope.runs import index
from convscope.training.folds.folder import SUMMARY, FoldsFolder, is_finished


def fold_runs(folder: Path) -> list[Path]:
    """The runs of a cross-validation that have begun, in their order; none if it is damaged."""
    try:
        parts = FoldsFolder(folder).read_request().parts
    except (ConvscopeError, OSError, ValueError):
        return []
    return [path for part in parts if ((path := folder / part.name) / "config.toml").is_file()]


def view_folds(folder: Path, names: Mapping[Path, str]) -> dict[str, Any]:
    """What the lab shows of a cross-validation.

    Args:
        names: of the runs, by their paths.
    """
    request, runs = FoldsFolder(folder).read_request(), fold_runs(folder)
    named = [{"run": names[path], "fold": path.name} for path in runs if path in names]
    config = index.read_config(runs[0]) if runs else {}
    title = index.run_title(config) or f"{request.config.model} on {request.dataset}"
    return {
        "name": folder.name,
        "title": title,
        "finished": sum(is_finished(FoldsFolder(folder).part(part)) for part in request.parts),
        "count": len(request.parts),
        "runs": named,
        "summary": _summary(folder),
    }


def _summary(folder: Path) -> str:
    """The tables of the summary as text; "" before all folds are finished."""
    with suppress(OSError, ValueError):
        json.loads((folder / SUMMARY).read_text("utf-8"))  # written last
        return (folder / "summary.txt").read_text("utf-8")
    return ""
