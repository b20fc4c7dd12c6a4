"""The network that is served, and its replacement while requests are answered."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from convscope.card import Card
from convscope.exported.classifier import Classifier, check_golden, open_classifier
from convscope.exported.folder import MANIFEST
from convscope.regular_files import read_regular

_LARGEST_MANIFEST = 10_000_000

Signature = tuple[int, int, int]
"""Of a file: when it was written, its size and its inode."""


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A network as it is served.

    Attributes:
        name: as clients call it.
        classifier: computes probabilities.
        version: of its export: the beginning of the digest of its manifest.
    """

    name: str
    classifier: Classifier
    version: str

    @property
    def card(self) -> Card:
        return self.classifier.card


def load_model(
    folder: Path, *, name: str | None, engine: str, threads: int, batch_size: int
) -> ServedModel:
    """Open an exported network, and compare its answers to a few images with those of its export.

    `name` is by default that of its export, which is read anew. Batches of up to `batch_size` are
    divided as `export` found to be fastest where there is one thread: with several, a single image,
    of which most batches are, would have one of them alone.

    Raises RequestError for what is none or was changed, WorkError where it answers otherwise.
    """
    manifest = read_manifest(folder)
    classifier = open_classifier(
        folder, engine=engine, threads=threads, batch_size=batch_size if threads == 1 else 1
    )
    check_golden(classifier)
    return ServedModel(
        name=name or classifier.model.manifest["name"],
        classifier=classifier,
        version=hashlib.sha256(manifest).hexdigest()[:12],
    )


def read_manifest(folder: Path) -> bytes:
    """The bytes of a folder's manifest; none where there is no manifest."""
    try:
        return read_regular(folder / MANIFEST, limit=_LARGEST_MANIFEST)
    except OSError:
        return b""


def signature_of(folder: Path) -> Signature | None:
    """What changes when a folder is replaced by another; None while it is not there."""
    try:
        status = (folder / MANIFEST).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
