"""Files from the network: fetched once, checked by hash, kept in the user's cache."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from convscope.errors import WorkError

DownloadCallback = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes so far, and how many there will be where that is known."""

PAUSES = (0.0, 1.0, 4.0)  # seconds before each try over all mirrors
TIMEOUT = (10.0, 30.0)  # seconds to connect, and of silence
MAX_BYTES = 2_000_000_000
CHUNK = 1 << 18


@dataclass(frozen=True)
class RemoteFile:
    """A file in the network.

    Attributes:
        name: what it is called here.
        md5: its digest; None where the publisher gives none.
        urls: where it is to be had, best first.
        sha256: its digest, or as much of its beginning as the publisher gives.
    """

    name: str
    md5: str | None
    urls: tuple[str, ...]
    sha256: str | None = None

    @property
    def digests(self) -> Mapping[str, str]:
        """The beginning of the file's digest by each algorithm that the publisher used."""
        known = {"md5": self.md5, "sha256": self.sha256}
        return {algorithm: digest for algorithm, digest in known.items() if digest}


def cache_folder() -> Path:
    """Where downloads are kept: $CONVSCOPE_DATA, or the user's cache."""
    if chosen := os.environ.get("CONVSCOPE_DATA"):
        return Path(chosen)
    import pooch  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]

    return Path(pooch.os_cache("convscope"))


def digest_of(path: Path, algorithm: str = "sha256") -> str:
    """The digest of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(
            file, partial(hashlib.new, algorithm, usedforsecurity=False)
        ).hexdigest()


def fetch(
    remote: RemoteFile,
    folder: Path,
    *,
    progress: DownloadCallback | None = None,
    otherwise: str = "pass `data_dir`",
) -> Path:
    """The path of a file in `folder`, downloaded first unless it is there and right.

    A file is written under a temporary name and takes its own only when its digest is right. One
    whose publisher gives no digest is right as it came: its SHA-256 is noted beside it, so that
    later damage is seen. Every mirror is tried three times.

    Raises WorkError when none gives the file, and when it cannot be written; `otherwise` is what a
    person can do beside putting the file in its place.
    """
    path = folder / remote.name
    if path.is_file() and _begins(path, remote.digests or _noted(path)):
        return path
    reasons: dict[str, str] = {}
    for pause in PAUSES:
        time.sleep(pause)
        for url in remote.urls:
            reason = _try(url, remote, folder, progress or _no_progress)
            if reason is None:
                return path
            reasons[url] = reason
    tried = "; ".join(f"{url}: {reason}" for url, reason in reasons.items())
    raise WorkError(
        f"Could not download {remote.name} ({tried}). Get it by hand from {remote.urls[0]} and put "
        f"it in {folder}, or {otherwise}."
    )


def _begins(path: Path, digests: Mapping[str, str]) -> bool:
    """Whether the file's digests begin so; a file of which none is known is right."""
    return all(
        digest_of(path, algorithm).startswith(beginning) for algorithm, beginning in digests.items()
    )


def _noted(path: Path) -> Mapping[str, str]:
    """The digest that was noted when the file came."""
    note = _note(path)
    return {"sha256": note.read_text("ascii").strip()} if note.is_file() else {}


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _try(url: str, remote: RemoteFile, folder: Path, progress: DownloadCallback) -> str | None:
    """Download once. None when it worked, else why it did not."""
    import requests  # noqa: PLC0415  a third of a second
    import urllib3  # noqa: PLC0415

    path = folder / remote.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=f".{remote.name}.") as beside:
            came = Path(beside, remote.name)
            _stream(url, came, partial(progress, remote.name))
            if not _begins(came, remote.digests):
                return "what came has the wrong checksum"
            digest = None if remote.digests else digest_of(came)
            came.replace(path)
        if digest is not None:
            _note(path).write_text(f"{digest}\n", "ascii")
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        return _short(error)
    except OSError as error:
        raise WorkError(
            f"Could not write {remote.name} to {folder}: {error.strerror or error}."
        ) from error
    return None


def _no_progress(name: str, done: int, total: int | None) -> None:
    """Tell nobody."""


def _stream(url: str, target: Path, progress: Callable[[int, int | None], None]) -> None:
    import requests  # noqa: PLC0415

    with requests.get(url, stream=True, timeout=TIMEOUT) as answer, target.open("wb") as file:
        answer.raise_for_status()
        length = answer.headers.get("content-length", "")
        total = int(length) if length.isdigit() else None
        # A server's own gzip would be undone by iter_content, and so would a .gz sent as one.
        for chunk in answer.raw.stream(CHUNK, decode_content=False):
            file.write(chunk)
            progress(file.tell(), total)
            if file.tell() > MAX_BYTES:
                raise requests.RequestException(f"more than {MAX_BYTES:,} bytes came")


def _short(error: Exception) -> str:
    """The innermost reason: "Connection refused" rather than the chain of what it broke."""
    import requests  # noqa: PLC0415

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"status {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    cause: BaseException = error
    while (
        deeper := getattr(cause, "reason", None) or cause.__context__
    ) is not None and isinstance(deeper, BaseException):
        cause = deeper
    return str(getattr(cause, "strerror", None) or cause)
