"""What makes a folder an exported network: manifest, card, README, and how exactly it agrees."""

from dataclasses import asdict

import torch

from convscope.conversion.converted import Converted
from convscope.conversion.draft import Draft
from convscope.conversion.publication import Publication
from convscope.conversion.readme import readme
from convscope.conversion.settings import ExportSettings
from convscope.engines import EngineName, installed_version
from convscope.exported.folder import ExportedModel, digest_of, write_manifest
from convscope.exported.golden import GOLDEN, write_golden
from convscope.version import __version__
from convscope.words.json_text import to_json

PARITY_FILE, README_FILE = "parity.json", "README.md"


def write_all(
    converted: Converted, settings: ExportSettings, publication: Publication | None = None
) -> None:
    """Complete the folder of a draft.

    For the hub, the README is a model card, and the weights are added.
    """
    draft, candidates = converted.draft, converted.candidates
    folder, opened = draft.folder, draft.opened
    engines: list[EngineName] = [one.engine for one in candidates]
    (folder / PARITY_FILE).write_text(to_json(converted.parity(), indent=1) + "\n", "utf-8")
    answers = {one.engine: one.golden for one in candidates if one.golden is not None}
    if answers:
        write_golden(folder / GOLDEN, draft.golden, answers)
    names = {path.name for path in folder.iterdir()}
    text = readme(
        opened.name,
        draft.card,
        settings.formats,
        names,
        engines,
        settings.precision,
        draft.suppression,
    )
    if publication is not None:
        text = publication.model_card(text, opened)
        publication.write_weights(folder, opened)
    (folder / README_FILE).write_text(text, "utf-8")
    names = sorted(path.name for path in folder.iterdir())
    manifest = {
        "version": 1,
        "name": opened.name,
        **({"engine": engines[0]} if engines else {}),
        "engines": engines,
        "formats": settings.formats,
        "precision": settings.precision,
        "threads": draft.threads,
        "batch_size": settings.batch_size,
        "splits": {one.engine: asdict(one.split) for one in candidates if one.split is not None},
        "files": {name: digest_of(folder / name) for name in names},
        "weights": _digest_of_weights(draft),
        "made_with": {
            "convscope": __version__,
            "torch": torch.__version__,
            **{name: installed_version(name) for name in engines},
        },
    }
    write_manifest(folder, manifest, draft.card)
    for engine in engines[:1]:
        ExportedModel.open(folder).file(engine)


def _digest_of_weights(draft: Draft) -> str:
    """Of the run's file, by which `predict` knows that the exported network is of that run."""
    run = draft.opened.run
    path = run.path / "model.safetensors" if run else None
    return digest_of(path) if path is not None and path.exists() else ""
