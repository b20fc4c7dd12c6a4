"""Reading files that a user names: regular ones only. A pipe or a device could block for ever."""

import errno
import os
from io import BufferedReader
from os import PathLike
from stat import S_ISBLK, S_ISCHR, S_ISDIR, S_ISFIFO, S_ISREG, S_ISSOCK

_KINDS = (
    (S_ISFIFO, "a pipe (FIFO)"),
    (S_ISCHR, "a device"),
    (S_ISBLK, "a device"),
    (S_ISSOCK, "a socket"),
)
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NONBLOCK", 0)  # it may have become a pipe since it was looked at
    | getattr(os, "O_BINARY", 0)
)


_GROWN = 1 << 16  # bytes that are read at a time of what a file has grown since it was looked at


class NotRegularError(OSError):
    """A pipe, a device or a socket; `strerror` says which: "it is a pipe (FIFO), not a file"."""

    def __init__(self, kind: str, path: str) -> None:
        super().__init__(errno.EINVAL, f"it is {kind}, not a file", path)
        self.kind = kind


class TooLargeError(OSError):
    """A file of more bytes than are read."""

    def __init__(self, size: int, limit: int, path: str) -> None:
        text = f"it has {size:,} bytes; more than {limit:,} are refused"
        super().__init__(errno.EFBIG, text, path)
        self.size = size


def check_regular(path: str | PathLike[str]) -> os.stat_result:
    """The status of a regular file, or of what a link leads to; nothing is opened.

    Raises NotRegularError for a pipe, device or socket, IsADirectoryError for a folder, and what
    `os.stat` raises. All are OSErrors.
    """
    return _checked(os.stat(path), path)  # noqa: PTH116  takes any path


def open_regular(path: str | PathLike[str]) -> BufferedReader:
    """Open a regular file for reading bytes, and nothing else; it never waits. See
    `check_regular` for what is raised.
    """
    check_regular(path)  # opening a device can have effects of its own
    handle = os.open(path, _FLAGS)
    try:
        _checked(os.fstat(handle), path)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: str | PathLike[str], *, limit: int | None = None) -> bytes:
    """The content of a regular file.

    A file that states a size of 0, as those of /proc do, is empty and not read. Raises
    TooLargeError for more than `limit` bytes, and what `check_regular` raises.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if limit is not None and size > limit:
            raise TooLargeError(size, limit, os.fspath(path))
        if not size:
            return b""
        content = file.read(size)  # not of `limit` bytes: memory for them would be taken at first
        while (limit is None or len(content) < limit) and (more := file.read(_GROWN)):
            content += more
        return content if limit is None else content[:limit]


def _checked(status: os.stat_result, path: str | PathLike[str]) -> os.stat_result:
    if S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    if not S_ISREG(status.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(status.st_mode)), "special")
        raise NotRegularError(kind, os.fspath(path))
    return status
