"""What makes a folder an exported network: manifest, card, README, and how exactly it agrees."""

from collections.abc import Sequence

import torch

from convscope.conversion.candidates import Candidate
from convscope.conversion.draft import Draft
from convscope.conversion.publication import Publication
from convscope.conversion.readme import readme
from convscope.engines import EngineName, installed_version
from convscope.exported.folder import ExportedModel, digest_of, write_manifest
from convscope.exported.golden import GOLDEN, write_golden
from convscope.version import __version__
from convscope.words.json_text import to_json

PARITY_FILE, README_FILE = "parity.json", "README.md"


def write_all(
    draft: Draft,
    candidates: Sequence[Candidate],
    publication: Publication | None = None,
    *,
    precision: str = "float32",
) -> None:
    """Complete the folder of a draft for the engines that agree, the fastest first.

    For the hub, the README is a model card, and the weights are added.
    """
    folder, opened = draft.folder, draft.opened
    engines: list[EngineName] = [one.engine for one in candidates]
    parity = {one.engine: one.to_dict() for one in candidates}
    (folder / PARITY_FILE).write_text(to_json(parity, indent=1) + "\n", "utf-8")
    answers = {one.engine: one.golden for one in candidates if one.golden is not None}
    write_golden(folder / GOLDEN, draft.golden, answers)
    text = readme(opened.name, draft.card, engines[0])
    if publication is not None:
        text = publication.model_card(text, opened)
        publication.write_weights(folder, opened)
    (folder / README_FILE).write_text(text, "utf-8")
    names = sorted(path.name for path in folder.iterdir())
    manifest = {
        "version": 1,
        "name": opened.name,
        "engine": engines[0],
        "engines": engines,
        "precision": precision,
        "threads": draft.threads,
        "files": {name: digest_of(folder / name) for name in names},
        "weights": _digest_of_weights(draft),
        "made_with": {
            "convscope": __version__,
            "torch": torch.__version__,
            **{name: installed_version(name) for name in engines},
        },
    }
    write_manifest(folder, manifest, draft.card)
    ExportedModel.open(folder).file(engines[0])


def _digest_of_weights(draft: Draft) -> str:
    """Of the run's file, by which `predict` knows that the exported network is of that run."""
    run = draft.opened.run
    path = run.path / "model.safetensors" if run else None
    return digest_of(path) if path is not None and path.exists() else ""
