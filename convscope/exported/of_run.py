"""Whether an exported network answers for what was named: its own folder, or that of its run."""

import itertools
from collections.abc import Collection
from pathlib import Path

from convscope.card import Card
from convscope.engines import ENGINES, files_of, is_installed
from convscope.errors import RequestError
from convscope.exported.folder import MANIFEST, ExportedModel, digest_of, is_exported
from convscope.exported.golden import GOLDEN
from convscope.hub import Repository, download, is_hub
from convscope.regular_files import read_regular

OF_RUN = "exported"
"""Where in the folder of a run its exported network lies."""

WEIGHTS, CARD = "model.safetensors", "card.json"
_LARGEST_CARD = 10_000_000  # bytes


def named_export(run: object) -> ExportedModel | None:
    """The exported network at a path, or in a repository of the hub; None where something else is.

    Raises RequestError as `ExportedModel.open` does, and what `hub.download` raises.
    """
    path = download(Repository.parse(run), _of_engines) if is_hub(run) else _folder(run)
    return ExportedModel.open(path) if path is not None and is_exported(path) else None


def export_of_run(run: object) -> tuple[ExportedModel | None, str]:
    """What `export` wrote into the folder of a run, if it answers as the run does now.

    That is: it was written for the run's weights and card of today, in float32, and one of its
    engines is installed here. Else None, with a sentence if that may surprise.
    """
    path = _folder(run)
    if path is None or not is_exported(path / OF_RUN):
        return None, ""
    try:
        model = ExportedModel.open(path / OF_RUN)
        card = Card.from_json(read_regular(path / CARD, limit=_LARGEST_CARD).decode("utf-8"))
        is_same = card == model.card and digest_of(path / WEIGHTS) == model.manifest["weights"]
    except (RequestError, OSError, UnicodeDecodeError) as error:
        return None, f"{path / OF_RUN} is not used: {error}"
    if not is_same:
        return None, (
            f"{path / OF_RUN} is not used: it was exported from other weights or another card than "
            "the run has now. Export it again."
        )
    engines = model.manifest["engines"]
    if not engines:
        return None, f"{path / OF_RUN} is not used: other programs alone run it."
    if not any(map(is_installed, engines)):
        return None, (
            f"{path / OF_RUN} is not used: it runs in {' or '.join(engines)}, and none of them is "
            "installed."
        )
    return (model if model.manifest["precision"] == "float32" else None), ""


def _of_engines(names: Collection[str]) -> list[str]:
    """What an engine needs of the files of a repository; none where no network was exported."""
    if MANIFEST not in names:
        return []
    needed = {MANIFEST, CARD, GOLDEN, *itertools.chain(*map(files_of, ENGINES))}
    return [name for name in names if name in needed]


def _folder(run: object) -> Path | None:
    """The folder that a path means; None for what is no path of a folder."""
    if not isinstance(run, str | Path):
        return None
    path = Path(run).expanduser()
    try:
        return path if path.is_dir() else None
    except (OSError, ValueError):  # no possible path
        return None
