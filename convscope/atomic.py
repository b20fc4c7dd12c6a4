"""Atomic file writes: to a temporary file, synced, then renamed over the old one."""

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from convscope.errors import WorkError
from convscope.regular_files import check_regular
from convscope.signals import undone_by_exit

_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REMEDIES = {
    errno.ENOSPC: "Free some disk space",
    errno.EDQUOT: "Free some space of your quota, or have it raised",
    errno.EFBIG: "Raise the limit on the size of files (`ulimit -f`)",
    errno.EACCES: "Make {folder} writable for you",
    errno.EPERM: "Make {folder} writable for you",
    errno.EROFS: "Make the file system of {folder} writable, or choose another",
    errno.EIO: "Check the disk before you trust what is on it",
    errno.EINVAL: "Remove what is there",
    errno.ENOENT: "{folder} was removed; restore it",
}


class WriteError(WorkError):
    """A file that the disk refused to take."""


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

    Raises WriteError, naming the path, the reason and what to do, if the disk is full or refuses.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    is_replaced = False
    with undone_by_exit(partial(temporary.unlink, missing_ok=True)):
        try:
            if path.exists():
                check_regular(path)  # as root, /dev/null would become a file
            with temporary.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if check is not None:
                check(temporary)
            os.replace(temporary, path)  # noqa: PTH105 -- the guarantee is os.replace's
            is_replaced = True
            _sync_folder(path.parent)
        except BaseException as error:  # ctrl-C before the rename, too
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise WriteError(_describe(path, size, error, is_replaced)) from error
            raise


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files that a killed process left. The caller holds the folder's lock."""
    for leftover in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            leftover.unlink(missing_ok=True)


def _describe(path: Path, size: int, error: OSError, is_replaced: bool) -> str:  # noqa: FBT001
    kept = "The old file is unchanged" if path.exists() else "No partial file was left"
    if is_replaced:
        kept = "It has its new content, which a power failure may undo"
    remedy = _REMEDIES.get(error.errno or 0, "Check the disk").format(folder=path.parent)
    if error.errno in _DISK_FULL:
        return f"No space left for {path} ({size / 1e6:,.1f} MB). {kept}. {remedy}."
    return f"{path} could not be written: {error.strerror or error}. {kept}. {remedy}."


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder; there a rename is durable enough
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
