"""The folder of the predictions for very many images, which any number of processes fill.

It holds

- `part-00000.parquet`, ... (or `.csv`): the answers for so many images each. A part is complete or
  not there.
- `_request.json`: what is predicted by which network. It is written once all images are listed.
- `_work/`, until all parts are there: the list of each part's images, and a file that is locked by
  the process that works on it. The system unlocks it when that process ends, however it does.
"""

import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from os import fsdecode, fsencode
from pathlib import Path
from typing import Annotated, Any, TypedDict

import filelock

from convscope.atomic import write_atomically
from convscope.errors import RequestError, WorkError, shell_word
from convscope.exported.part_tables import PartFormat, check_format
from convscope.regular_files import read_regular
from convscope.strict import Between, checked, parse_json
from convscope.words.json_text import to_json

REQUEST, WORK = "_request.json", "_work"
_LARGEST = 1_000_000_000  # bytes of a list of images


class _Stored(TypedDict):
    """`_request.json`: what was asked for, and how many images and parts there are."""

    version: Annotated[int, Between(1, 1)]
    request: dict[str, Any]
    num_images: Annotated[int, Between(1, 10**12)]
    part_size: Annotated[int, Between(1, 10**9)]


@dataclass(frozen=True)
class PartFiles:
    """A folder whose images are listed.

    Attributes:
        num_images: of all parts.
        part_size: of each part but the last, in images.
    """

    path: Path
    form: PartFormat
    num_images: int
    part_size: int

    @property
    def num_parts(self) -> int:
        return -(-self.num_images // self.part_size)

    def file(self, number: int) -> Path:
        return self.path / f"part-{number:05d}.{self.form}"

    def size(self, number: int) -> int:
        """The images of a part."""
        return min(self.part_size, self.num_images - number * self.part_size)

    def images(self, number: int) -> list[str]:
        """The paths of a part's images."""
        try:
            content = read_regular(_list(self.path, number), limit=_LARGEST)
        except OSError as error:
            raise WorkError(
                f"{self.file(number)} is missing, and so is the list of its images. Remove "
                f"{shell_word(self.path)}, and predict again."
            ) from error
        return [fsdecode(name) for name in content.split(b"\0")[:-1]]

    def write(self, number: int, content: bytes) -> None:
        """Write a part, which is then complete. Raises WriteError."""
        file = self.file(number)
        for leftover in self.path.glob(f".{file.name}.*.tmp"):  # of a process that was killed
            leftover.unlink(missing_ok=True)
        write_atomically(file, content)

    @contextmanager
    def claimed(self, number: int) -> Generator[bool]:
        """Yield whether a part is this process's to do: it is missing, and nobody works on it."""
        lock = filelock.FileLock(self.path / WORK / f"claim-{number:05d}", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            yield False
            return
        except FileNotFoundError:  # another process is tidying up
            yield False
            return
        try:
            yield not self.file(number).exists()
        finally:
            lock.release()

    def tidy_up(self) -> None:
        """Remove the lists, once all parts are there."""
        shutil.rmtree(self.path / WORK, ignore_errors=True)


def open_part_files(
    path: Path, request: Mapping[str, Any], images: Iterable[str], *, part_size: int
) -> PartFiles:
    """The folder `path` for a request: as far as it has come, or new, for which images are listed.

    Where another process is listing, it is waited for. Raises RequestError where the folder holds
    something else.
    """
    form = part_format(path)
    check_format(form)
    if path.exists() and not path.is_dir():
        raise RequestError(f"{path} is a file, and `output` is a folder of parts. Name another.")
    if not (path / REQUEST).exists() and path.is_dir() and _is_foreign(path):
        raise RequestError(
            f"{path} is there already, and holds no predictions. Name another `output`."
        )
    try:
        (path / WORK).mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path / WORK / "listing"):
            if not (path / REQUEST).exists():
                count = _write_lists(path, images, part_size)
                stored = _Stored(
                    version=1, request={**request}, num_images=count, part_size=part_size
                )
                write_atomically(path / REQUEST, to_json(stored, indent=1) + "\n")
    except OSError as error:
        raise WorkError(f"{path} could not be written: {error.strerror or error}.") from error
    where = str(path / REQUEST)
    content = parse_json(read_regular(path / REQUEST, limit=_LARGEST).decode("utf-8"), where=where)
    stored = checked(content, _Stored, where=where)
    _compare(path, stored["request"], request)
    return PartFiles(path, form, stored["num_images"], stored["part_size"])


def part_format(path: Path) -> PartFormat:
    """The format that the ending of a path names. Raises RequestError for any other."""
    match path.suffix.lower():
        case ".parquet":
            return "parquet"
        case ".csv":
            return "csv"
        case _:
            raise RequestError(
                f"`output` is {path}; its name must end in .parquet or .csv, which is the format."
            )


def _write_lists(path: Path, images: Iterable[str], part_size: int) -> int:
    """Write the list of each part, and return how many images there are."""
    rest, count = iter(images), 0
    for number, names in enumerate(_portions(rest, part_size)):
        write_atomically(_list(path, number), b"".join(fsencode(name) + b"\0" for name in names))
        count += len(names)
    if not count:
        raise RequestError("There are no images to predict.")
    return count


def _portions(images: Iterator[str], size: int) -> Iterator[list[str]]:
    while names := [*islice(images, size)]:
        yield names


def _list(path: Path, number: int) -> Path:
    return path / WORK / f"images-{number:05d}"


def _is_foreign(path: Path) -> bool:
    """Whether a folder holds anything but what a listing that was killed has left."""
    with suppress(OSError):
        return any(entry.name != WORK for entry in path.iterdir())
    return True


def _compare(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    differing = [name for name in now if before.get(name) != now[name]]
    if differing:
        raise RequestError(
            f"{path} holds predictions of another request: {', '.join(differing)} differ. Name "
            "another `output`, or remove it."
        )
