"""Named data from the network: fetched once, checked by hash, kept in the user's cache."""

import hashlib
import logging
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from convscope.errors import WorkError

Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes so far, and how many there will be where that is known."""

PAUSES = (0.0, 1.0, 4.0)  # seconds before each try over all mirrors
TIMEOUT = (10.0, 30.0)  # seconds to connect, and of silence
MAX_BYTES = 2_000_000_000
CHUNK = 1 << 18


@dataclass(frozen=True)
class Remote:
    """A file in the network: its name here, its MD5, and where it is to be had, best first."""

    name: str
    md5: str
    urls: tuple[str, ...]


def cache_folder() -> Path:
    """Where downloads are kept: $CONVSCOPE_DATA, or the user's cache."""
    if chosen := os.environ.get("CONVSCOPE_DATA"):
        return Path(chosen)
    import pooch  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]

    return Path(pooch.os_cache("convscope"))


def has_right_bytes(path: Path, md5: str) -> bool:
    """Whether a file is there and has this MD5."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        digest = hashlib.md5(usedforsecurity=False)
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == md5


def fetch(remote: Remote, folder: Path, *, progress: Progress | None = None) -> Path:
    """The path of a file in `folder`, downloaded first unless it is there and right.

    A file is written under a temporary name and takes its own only when its hash is right. Every
    mirror is tried three times. Raises WorkError when none gives the file, and when it cannot be
    written.
    """
    path = folder / remote.name
    if has_right_bytes(path, remote.md5):
        return path
    reasons: dict[str, str] = {}
    for pause in PAUSES:
        time.sleep(pause)
        for url in remote.urls:
            reason = _try(url, remote, folder, progress)
            if reason is None:
                return path
            reasons[url] = reason
    tried = "; ".join(f"{url}: {reason}" for url, reason in reasons.items())
    raise WorkError(
        f"Could not download {remote.name} ({tried}). Get it by hand from {remote.urls[0]} and put "
        f"it in {folder}, or pass --data-dir."
    )


def _try(url: str, remote: Remote, folder: Path, progress: Progress | None) -> str | None:
    """Download once. None when it worked, else why it did not."""
    import pooch  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]
    import requests  # noqa: PLC0415  a third of a second
    import urllib3  # noqa: PLC0415

    def download(url: str, target: str, _: object) -> None:
        _stream(url, Path(target), partial(progress or _no_progress, remote.name))

    retrieve = cast("Callable[..., str]", pooch.retrieve)  # pyright: ignore[reportUnknownMemberType]
    try:
        with _quiet(pooch.get_logger()):
            retrieve(
                url,
                known_hash=f"md5:{remote.md5}",
                fname=remote.name,
                path=folder,
                downloader=download,
            )
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        return _short(error)
    except ValueError:  # pooch's word for a wrong hash
        return "what came has the wrong checksum"
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


@contextmanager
def _quiet(logger: logging.Logger) -> Generator[None]:
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
