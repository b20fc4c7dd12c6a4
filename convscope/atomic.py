"""Files that are whole at every instant: written beside, synced, then renamed over the old one."""

import contextlib
import errno
import os
import tempfile
from pathlib import Path

from convscope.errors import WorkError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace `path` by `content`, or leave it as it was.

    After the return the content is on the disk, its name too. After a crash at any instant `path`
    holds the old content or the new one, whole.

    Raises WorkError, naming the path and the reason, where the disk is full or refuses.
    """
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=".tmp", dir=path.parent
        )
        with os.fdopen(handle, "wb") as file:
            os.chmod(temporary, 0o666 & ~_umask())  # noqa: PTH101 -- mkstemp lets no one else read
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 -- the guarantee is os.replace's
        _sync_folder(path.parent)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
        raise WorkError(_told(path, len(data), error)) from error
    except BaseException:  # ctrl-C between the two names
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
        raise


def remove_leftovers(folder: Path) -> None:
    """Delete what a killed process left half written; only for who holds the folder's lock."""
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink(missing_ok=True)


def _umask() -> int:
    now = os.umask(0o022)
    os.umask(now)
    return now


def _told(path: Path, size: int, error: OSError) -> str:
    kept = "The file that was there is intact" if path.exists() else "Nothing was left half written"
    if error.errno in _FULL:
        return (
            f"No space left for {path} ({size / 1e6:,.1f} MB). {kept}; make room on that disk, "
            "then go on with `convscope resume`."
        )
    return f"{path} could not be written: {error.strerror or error}. {kept}."


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder; its rename is already durable enough
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
