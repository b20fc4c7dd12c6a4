"""Tar and zip files whose members are read in place, one at a time; nothing is unpacked.

Links, devices and members whose names lead out of the archive (absolute, or with `..`) are never
followed or read: they are counted.
"""

import stat
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from os import fstat
from pathlib import Path

from convscope.data.decode import MAX_BYTES
from convscope.data.unreadable import UnreadableImage
from convscope.errors import RequestError
from convscope.regular_files import check_regular, open_regular

COMPRESSED = {
    b"\x1f\x8b": "gzip -dc",
    b"BZh": "bzip2 -dc",
    b"\xfd7zXZ": "xz -dc",
    b"(\xb5/\xfd": "zstd -dc",
}
"""How files begin that are compressed as a whole, and what undoes it."""

LINKS, OUTSIDE, ENCRYPTED = "links or devices", "names that lead out of it", "encrypted"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BLOCK = 512  # of a tar file
_TAIL = 1 << 20  # bytes behind the end of a tar file that are looked at
_LOCAL = 30  # bytes of a zip member's own header before its name


@dataclass(frozen=True, slots=True)
class Member:
    """Where a file lies in an archive.

    Attributes:
        offset: of its first byte in a tar file, of its header in a zip file.
        stored: bytes that it takes there.
        size: its bytes when it is read.
        crc: of a zip member.
        is_deflated: whether it is compressed.
    """

    offset: int
    stored: int
    size: int
    crc: int | None = None
    is_deflated: bool = False


@dataclass(frozen=True, eq=False)
class Archive:
    """The index of a tar or zip file.

    Attributes:
        stamp: size and time of change of the file when it was listed.
        members: regular files by their names, without `./`, in the archive's order.
        left_out: how many others there are, by kind.
        notes: sentences for the user.
    """

    path: Path
    stamp: tuple[int, int]
    members: dict[str, Member]
    left_out: Counter[str] = field(default_factory=Counter[str])
    notes: tuple[str, ...] = ()

    def read(self, name: str, limit: int | None = None) -> bytes:
        """The content of a member, or its first `limit` bytes. Safe to call from many threads.

        Raises UnreadableImage for an archive that has changed, is gone or damaged.
        """
        member, where = self.members[name], f"is in {self.path.name}, which"
        if member.size > MAX_BYTES:
            raise UnreadableImage(f"has {member.size:,} bytes; more than {MAX_BYTES:,} are refused")
        try:
            with open_regular(self.path) as file:
                if _stamp(file) != self.stamp:
                    raise UnreadableImage(f"{where} has changed since it was opened")
                content = _content(file, member, limit)
        except FileNotFoundError as error:
            raise UnreadableImage(f"{where} does not exist any more") from error
        except OSError as error:
            raise UnreadableImage(f"{where} cannot be read ({error.strerror or error})") from error
        except zlib.error as error:
            raise UnreadableImage(f"{where} is damaged there ({error})") from error
        if limit is None and not _is_valid(content, member):
            raise UnreadableImage(f"{where} is cut off or damaged there")
        return content

    def describe_left_out(self) -> str:
        """A sentence about the members that are not read; "" if there are none."""
        if not self.left_out:
            return ""
        shown = ", ".join(f"{count:,} {kind}" for kind, count in self.left_out.most_common())
        return f"{self.path}: members that are not read: {shown}."


def open_archive(path: Path) -> Archive:
    """List the members of a tar or zip file, by its content. Raises RequestError."""
    try:
        with open_regular(path) as file:
            head = file.read(6)
            if command := next(
                (c for start, c in COMPRESSED.items() if head.startswith(start)), ""
            ):
                raise RequestError(
                    f"{path} is compressed as a whole, so single images cannot be read out of it. "
                    f"Decompress it once: {command} {path.name} > {_plain_name(path)}. Or unpack "
                    "it and pass the folder."
                )
            file.seek(0)
            is_zip = head.startswith(b"PK") or path.suffix.lower() == ".zip"
            return _list_zip(path, file) if is_zip else _list_tar(path, file)
    except FileNotFoundError as error:
        raise RequestError(f"{path} does not exist.") from error
    except (tarfile.TarError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise RequestError(f"{path} is not a tar or zip file, or is damaged ({error}).") from error
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror or error}.") from error


def _plain_name(path: Path) -> str:
    name = path.name
    for suffix in (path.suffix, ".tar"):
        name = name.removesuffix(suffix)
    return f"{name}.tar"


def _list_tar(path: Path, file: BufferedReader) -> Archive:
    members: dict[str, Member] = {}
    left_out: Counter[str] = Counter()
    with tarfile.open(fileobj=file, mode="r:") as tar:
        while (info := tar.next()) is not None:
            vars(tar)["members"] = []  # it would keep them all
            if info.isdir():
                continue
            name = _inner_name(info.name)
            if not info.isreg() or info.issparse():
                left_out[LINKS] += 1
            elif name is None:
                left_out[OUTSIDE] += 1
            else:
                members[name] = Member(info.offset_data, info.size, info.size)
            if not tar.pax_headers:  # which are of all members that follow
                tar.offset = _list_plain(file, tar.offset, members)
        notes = tuple(_check_end(path, file, tar.offset))
    return Archive(path, _stamp(file), members, left_out, notes)


def _list_plain(file: BufferedReader, offset: int, members: dict[str, Member]) -> int:
    """Add the regular files from an offset on whose headers are the plainest, as `tarfile` reads
    them, in a third of its time; the offset of the first other header, or of the end.
    """
    size = fstat(file.fileno()).st_size
    while True:
        file.seek(offset)
        block = file.read(_BLOCK)
        name, digits = block[:100].rstrip(b"\0"), block[124:136].rstrip(b" \0")
        is_plain = (
            len(block) == _BLOCK
            and block[156:157] in (b"0", b"\0")
            and not block[345:346].rstrip(b"\0")
            and name[-1:] not in (b"", b"/")
            and b"\0" not in name
            and digits.isdigit()
            and _has_checksum(block)
        )
        if not is_plain or (key := _inner_name(name.decode("utf-8", "surrogateescape"))) is None:
            return offset
        length = int(digits, 8)
        after = offset + _BLOCK + -(-length // _BLOCK) * _BLOCK
        if after > size:
            return offset
        members[key] = Member(offset + _BLOCK, length, length)
        offset = after


def _has_checksum(block: bytes) -> bool:
    digits = block[148:156].strip(b" \0")
    total = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    return digits.isdigit() and int(digits, 8) == total


def _check_end(path: Path, file: BufferedReader, offset: int) -> Iterator[str]:
    """Notes on an end that is odd. Raises RequestError for one that comes too early.

    `tarfile` takes a damaged header for the end, and says nothing.
    """
    file.seek(offset)
    block = file.read(_BLOCK)
    if any(block) or offset > fstat(file.fileno()).st_size:
        raise RequestError(
            f"{path} is cut off or damaged at byte {offset:,}. Copy or download it again."
        )
    if not block:
        yield f"{path} has no end mark, as if it were cut off: are all of its images there?"
    if any(file.read(_TAIL)):
        yield (
            f"{path}: what follows its end at byte {offset:,} is not read. If archives were joined "
            "by cat, keep them as several files, or join them by tar -A."
        )


def _list_zip(path: Path, file: BufferedReader) -> Archive:
    members: dict[str, Member] = {}
    left_out: Counter[str] = Counter()
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            name, mode = _inner_name(info.filename.replace("\\", "/")), info.external_attr >> 16
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                left_out[LINKS] += 1
            elif name is None:
                left_out[OUTSIDE] += 1
            elif info.flag_bits & 1:
                left_out[ENCRYPTED] += 1
            elif info.compress_type not in _METHODS:
                left_out[f"compressed by method {info.compress_type}"] += 1
            else:
                is_deflated = info.compress_type == zipfile.ZIP_DEFLATED
                members[name] = Member(
                    info.header_offset, info.compress_size, info.file_size, info.CRC, is_deflated
                )
    return Archive(path, _stamp(file), members, left_out)


def _inner_name(name: str) -> str | None:
    """The name without `./`; None for one that leads out of the archive."""
    parts = [part for part in name.split("/") if part not in {"", "."}]
    return None if name.startswith("/") or ".." in parts or not parts else "/".join(parts)


def stamp_of(path: Path) -> tuple[int, int]:
    """The size and time of change of a file. Raises RequestError."""
    try:
        status = check_regular(path)
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror or error}.") from error
    return status.st_size, status.st_mtime_ns


def _stamp(file: BufferedReader) -> tuple[int, int]:
    status = fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def _content(file: BufferedReader, member: Member, limit: int | None) -> bytes:
    """The bytes of a member, or its first ones. Raises zlib.error for damaged ones."""
    wanted = member.size if limit is None else min(limit, member.size)
    file.seek(member.offset)
    if member.crc is None:
        return file.read(wanted)
    header = file.read(_LOCAL)
    if not header.startswith(b"PK\3\4") or len(header) < _LOCAL:
        return b""
    file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
    if not member.is_deflated:
        return file.read(wanted)
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(file.read(member.stored), wanted or 1)


def _is_valid(content: bytes, member: Member) -> bool:
    return len(content) == member.size and member.crc in (None, zlib.crc32(content))
