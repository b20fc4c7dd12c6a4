"""Atomic file writes: to a temporary file, synced, then renamed over the old one."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import BinaryIO

from convscope.errors import WorkError
from convscope.regular_files import check_regular

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace the content of `path`, or leave it unchanged; see `replacing`."""
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    with replacing(path, size=len(data)) as file:
        file.write(data)


@contextlib.contextmanager
def replacing(
    path: Path, *, size: int, check: Callable[[Path], None] | None = None
) -> Generator[BinaryIO]:
    """Yield a file to write the new content of `path` to; if anything fails, `path` is unchanged.

    When the block has ended, the content and its name are on the disk. After a crash at any
    instant, `path` holds either the complete old content or the complete new content.

    Args:
        size: how many bytes will be written, for the message where the disk is full.
        check: called with the synced temporary file before it takes the name; raises to refuse it.

    Raises WorkError, naming the path and the reason, if the disk is full or refuses.
    """
    temporary: str | None = None
    try:
        if path.exists():
            check_regular(path)  # as root, /dev/null would become a file
        handle, temporary = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=".tmp", dir=path.parent
        )
        with os.fdopen(handle, "wb") as file:
            os.chmod(temporary, 0o666 & ~_umask())  # noqa: PTH101 -- mkstemp denies access to others
            yield file
            file.flush()
            os.fsync(file.fileno())
        if check is not None:
            check(Path(temporary))
        os.replace(temporary, path)  # noqa: PTH105 -- the guarantee is os.replace's
        _sync_folder(path.parent)
    except BaseException as error:  # ctrl-C before the rename, too
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
        if isinstance(error, OSError):
            raise WorkError(_describe(path, size, error)) from error
        raise


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed process left. The caller holds the folder's lock."""
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)


def _umask() -> int:
    umask = os.umask(0o022)
    os.umask(umask)
    return umask


def _describe(path: Path, size: int, error: OSError) -> str:
    kept = "The old file is unchanged" if path.exists() else "No partial file was left"
    if error.errno in _DISK_FULL:
        return (
            f"No space left for {path} ({size / 1e6:,.1f} MB). {kept}. Free some disk space, then "
            "continue with `convscope resume`."
        )
    return f"{path} could not be written: {error.strerror or error}. {kept}."


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder; there a rename is durable enough
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
