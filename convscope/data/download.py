"""Downloads: each file once, verified by its digest, kept in the user's cache."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

from platformdirs import user_cache_path

from convscope.errors import WorkError
from convscope.regular_files import open_regular
from convscope.signals import undone_by_exit

DownloadCallback = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes so far, and their total if it is known."""

PAUSES = (0.0, 1.0, 4.0)  # seconds before each attempt at all mirrors
TIMEOUT = (10.0, 30.0)  # seconds to connect, and without data
MAX_BYTES = 2_000_000_000
CHUNK = 1 << 18


@dataclass(frozen=True)
class RemoteFile:
    """A file to download.

    Attributes:
        name: of the local file.
        md5: its digest; None if the publisher gives none.
        urls: of its mirrors, in the order in which they are tried.
        sha256: its digest, or the first digits of it, as the publisher gives them.
    """

    name: str
    md5: str | None
    urls: tuple[str, ...]
    sha256: str | None = None

    @property
    def digests(self) -> Mapping[str, str]:
        """The digest, or its first digits, for each algorithm that the publisher uses."""
        known = {"md5": self.md5, "sha256": self.sha256}
        return {algorithm: digest for algorithm, digest in known.items() if digest}


def cache_dir() -> Path:
    """The folder of downloads: $CONVSCOPE_DATA, or the user's cache."""
    if folder := os.environ.get("CONVSCOPE_DATA"):
        return Path(folder)
    return user_cache_path("convscope")


def digest_of(path: Path, algorithm: str = "sha256") -> str:
    """The digest of a file, in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(
            file, partial(hashlib.new, algorithm, usedforsecurity=False)
        ).hexdigest()


def fetch(
    remote: RemoteFile,
    folder: Path,
    *,
    on_progress: DownloadCallback | None = None,
    otherwise: str = "pass `data_dir`",
) -> Path:
    """Return the path of a file in `folder`; download it unless a valid copy is there.

    The file is written under a temporary name and renamed once its digest is verified. If the
    publisher gives no digest, the SHA-256 of the download is stored beside it, so that later
    damage is noticed. Every mirror is tried three times.

    Raises WorkError if no mirror has the file or it cannot be written; `otherwise` is an
    alternative to downloading it by hand, for the message.
    """
    path = folder / remote.name
    if path.is_file() and _has_digests(path, remote.digests or _stored_digests(path)):
        return path
    reasons: dict[str, str] = {}
    for pause in PAUSES:
        time.sleep(pause)
        for url in remote.urls:
            reason = _try(url, remote, folder, on_progress or _ignore)
            if reason is None:
                return path
            reasons[url] = reason
    tried = "; ".join(f"{url}: {reason}" for url, reason in reasons.items())
    raise WorkError(
        f"Could not download {remote.name} ({tried}). Download it by hand from {remote.urls[0]} "
        f"into {folder}, or {otherwise}."
    )


def _has_digests(path: Path, digests: Mapping[str, str]) -> bool:
    """Whether the file's digests start with these; true if none is known."""
    return all(digest_of(path, algorithm).startswith(start) for algorithm, start in digests.items())


def _stored_digests(path: Path) -> Mapping[str, str]:
    """The digest that was stored when the file was downloaded."""
    file = _digest_file(path)
    return {"sha256": file.read_text("ascii").strip()} if file.is_file() else {}


def _digest_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _try(url: str, remote: RemoteFile, folder: Path, on_progress: DownloadCallback) -> str | None:
    """Download once. Returns None on success, else the reason for the failure."""
    import requests  # noqa: PLC0415  takes 0.3 s
    import urllib3  # noqa: PLC0415

    path = folder / remote.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            TemporaryDirectory(dir=folder, prefix=f".{remote.name}.") as beside,
            undone_by_exit(partial(rmtree, beside)),
        ):
            download = Path(beside, remote.name)
            _stream(url, download, partial(on_progress, remote.name))
            if not _has_digests(download, remote.digests):
                return "wrong checksum"
            digest = None if remote.digests else digest_of(download)
            download.replace(path)
        if digest is not None:
            _digest_file(path).write_text(f"{digest}\n", "ascii")
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        return _reason(error)
    except OSError as error:
        raise WorkError(
            f"Could not write {remote.name} to {folder}: {error.strerror or error}."
        ) from error
    return None


def _ignore(name: str, done: int, total: int | None) -> None:
    """Ignore the progress."""


def _stream(url: str, target: Path, on_progress: Callable[[int, int | None], None]) -> None:
    import requests  # noqa: PLC0415

    with requests.get(url, stream=True, timeout=TIMEOUT) as response, target.open("wb") as file:
        response.raise_for_status()
        length = response.headers.get("content-length", "")
        total = int(length) if length.isdigit() else None
        # iter_content would decompress a .gz file that is sent with content-encoding gzip.
        for chunk in response.raw.stream(CHUNK, decode_content=False):
            file.write(chunk)
            on_progress(file.tell(), total)
            if file.tell() > MAX_BYTES:
                raise requests.RequestException(f"more than {MAX_BYTES:,} bytes were sent")


def _reason(error: Exception) -> str:
    """The innermost reason: "Connection refused", not the chain of errors that it caused."""
    import requests  # noqa: PLC0415

    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"status {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "no response in time"
    cause: BaseException = error
    while (
        deeper := getattr(cause, "reason", None) or cause.__context__
    ) is not None and isinstance(deeper, BaseException):
        cause = deeper
    return str(getattr(cause, "strerror", None) or cause)
