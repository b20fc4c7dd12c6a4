"""Sources of weights: a file, a URL, a library's model name, a run."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from torch import Tensor

from convscope.card import Card
from convscope.data.download import DownloadCallback, RemoteFile, cache_dir, digest_of, fetch
from convscope.errors import RequestError, nearest
from convscope.runs.folder import Run
from convscope.weights import timm
from convscope.weights.read import read_tensors
from convscope.weights.torchvision_releases import release, releases

FORMS = "a file, a URL, a run folder, torchvision:NAME or timm:NAME"


@dataclass(frozen=True)
class Weights:
    """The contents of a source of weights.

    Attributes:
        source: as the user named it.
        tensors: by their names in the source.
        card: the preprocessing and classes of the trained network; None if the source has no such
            metadata.
        sha256: of the file.
    """

    source: str
    tensors: Mapping[str, Tensor]
    card: Card | None
    sha256: str


def open_weights(source: str | Path, *, on_progress: DownloadCallback | None = None) -> Weights:
    """Read weights from one of FORMS; downloads are cached.

    A file released by torchvision is recognized by its SHA-256, wherever it comes from.

    Raises RequestError for an unknown source, WorkError for a failed download.
    """
    text = str(source)
    kind, _, name = text.partition(":")
    match kind:
        case "torchvision":
            return _from_file(text, _downloaded(release(name).remote, on_progress))
        case "timm":
            settings, weights = timm.remote_files(name)
            config = _downloaded(settings, on_progress)
            card = timm.card_from_config(config.read_text("utf-8", "replace"), where=str(config))
            return _from_file(text, _downloaded(weights, on_progress), card)
        case "http" | "https":
            return _from_file(text, _downloaded(_remote(text), on_progress))
        case _:
            return _from_path(text, Path(source).expanduser())


def _from_path(source: str, path: Path) -> Weights:
    if path.name == "model.safetensors" and (path.parent / "config.toml").exists():
        path = path.parent
    if path.is_dir():
        run = Run.open(path)
        tensors, card = run.read_weights().tensors, run.read_card()
        return Weights(source, tensors, card, digest_of(run.path / "model.safetensors"))
    if not path.exists():
        known = [] if path.suffix else [f"torchvision:{row.network}" for row in releases()]
        raise RequestError(
            f"No weights found for {source!r}.{nearest(f'torchvision:{source}', known)} "
            f"Weights come from {FORMS}."
        )
    return _from_file(source, path)


def _from_file(source: str, path: Path, card: Card | None = None) -> Weights:
    tensors, digest = read_tensors(path), digest_of(path)
    known = [row.card for row in releases() if digest.startswith(row.sha256)]
    return Weights(source, tensors, card or next(iter(known), None), digest)


def _remote(url: str) -> RemoteFile:
    """Describe an unverified file, with a cache name that is unique to its URL."""
    parts = urlsplit(url)
    if not parts.netloc:
        raise RequestError(f"{url!r} has no host. Weights come from {FORMS}.")
    name = PurePosixPath(parts.path).name[-100:] or "weights"
    return RemoteFile(f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{name}", None, (url,))


def _downloaded(remote: RemoteFile, on_progress: DownloadCallback | None) -> Path:
    folder = cache_dir() / "weights"
    return fetch(
        remote, folder, on_progress=on_progress, otherwise="give the path of the file itself"
    )
