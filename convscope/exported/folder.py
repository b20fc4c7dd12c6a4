"""The folder of an exported network: what is in it, written whole, read safely."""

import hashlib
import math
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Any, NotRequired, TypedDict

from convscope.atomic import write_atomically
from convscope.card import Card
from convscope.engines import FILES, EngineName, files_of
from convscope.engines.splits import Split
from convscope.errors import RequestError, WorkError, shell_word
from convscope.regular_files import open_regular, read_regular
from convscope.strict import Between, Text, checked, parse_json
from convscope.words.json_text import to_json

VERSION = 1
MANIFEST, CARD = "export.json", "card.json"
_LARGEST_TEXT = 10_000_000  # bytes of a JSON file
_PIXELS = 1 << 16  # of a batch; engines are faster with few images, and take less memory
_MOST_IMAGES = 64  # of a batch


class Manifest(TypedDict):
    """`export.json`.

    Attributes:
        version: of this form.
        name: of the network.
        engine: which ran fastest of those that agreed with PyTorch, where it was exported; missing
            where no engine runs it.
        engines: all engines that agreed, the fastest first; none for what other programs alone run.
        formats: what was written; missing where that was ONNX.
        precision: of the numbers that the engine computes with.
        batch_size, threads: for which the engines were timed.
        splits: how an engine divides batches, where it is faster so.
        files: the SHA-256 of each file that an engine opens, or that a person takes along.
        weights: the SHA-256 of the run's weights; empty for a network that is of no run.
        made_with: versions of all that made it.
    """

    version: Annotated[int, Between(1, VERSION)]
    name: Text
    engine: NotRequired[EngineName]
    engines: Annotated[list[EngineName], Between(0, 10)]
    formats: NotRequired[list[str]]
    precision: str
    threads: Annotated[int, Between(1, 1024)]
    batch_size: NotRequired[Annotated[int, Between(1, 1 << 20)]]
    splits: NotRequired[dict[str, Split]]
    files: dict[str, str]
    weights: str
    made_with: dict[str, str]


@dataclass(frozen=True)
class ExportedModel:
    """An exported network at `path`, with its manifest and its card."""

    path: Path
    manifest: Manifest
    card: Card

    @classmethod
    def open(cls, path: Path) -> "ExportedModel":
        """Read the folder's JSON files. Raises RequestError where it is no exported network."""
        content = _parsed(path / MANIFEST)
        manifest: Manifest = checked(content, Manifest, where=str(path / MANIFEST))
        card = Card.from_dict(_parsed(path / CARD), where=str(path / CARD))
        return cls(path, manifest, card)

    def file(self, engine: EngineName) -> Path:
        """The file that an engine opens, its content as it was exported.

        Raises RequestError where it is missing, or was changed.
        """
        for name in files_of(engine):
            if name not in self.manifest["files"]:
                known = ", ".join(self.manifest["engines"])
                raise RequestError(
                    f"{self.path} was not exported for {engine}; it has files for: {known}."
                )
            self.verified(name)
        return self.path / FILES[engine]

    @property
    def default_batch_size(self) -> int:
        """Images at a time, where nothing else is said: as many as it was exported for.

        At least one of 224x224 pixels, and more that are smaller.
        """
        few = max(1, min(_PIXELS // math.prod(self.card.input_size), _MOST_IMAGES))
        return max(few, self.manifest.get("batch_size", 1))

    def split(self, engine: EngineName) -> Split | None:
        """How an engine divides batches; None if it takes them whole."""
        found: Any = self.manifest.get("splits", {}).get(engine)  # as JSON has it
        return None if found is None else Split(**found)

    def verified(self, name: str) -> Path:
        """A file of the manifest, its content as it was exported. Raises RequestError if not."""
        if digest_of(self.path / name) != self.manifest["files"][name]:
            raise RequestError(
                f"{self.path / name} is not the file that was exported. Export it again."
            )
        return self.path / name


def is_exported(path: Path) -> bool:
    """Whether a folder holds an exported network."""
    return (path / MANIFEST).is_file()


def digest_of(path: Path) -> str:
    """The SHA-256 of a file. Raises RequestError where it cannot be read."""
    try:
        with open_regular(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RequestError(f"{path} could not be read: {error.strerror}.") from error


@contextmanager
def new_folder(path: Path) -> Generator[Path]:
    """Yield a folder that becomes `path` when the block ends, and vanishes if it fails.

    An exported network that is already there is replaced. Raises RequestError where something else
    is there.
    """
    if path.exists() and not (path.is_dir() and (is_exported(path) or not any(path.iterdir()))):
        raise RequestError(
            f"{path} is there already, and is no exported network. Name another folder by `output`."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    except OSError as error:
        raise WorkError(f"{path} could not be created: {error.strerror}.") from error
    try:
        yield temporary
        temporary.chmod(0o755)
        if path.exists():
            old = Path(mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
            path.rename(old / path.name)
            temporary.rename(path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_manifest(folder: Path, manifest: Mapping[str, Any], card: Card) -> None:
    """Write the two files that make a folder an exported network."""
    write_atomically(folder / CARD, card.to_json())
    write_atomically(folder / MANIFEST, to_json(manifest, indent=1) + "\n")


def _parsed(path: Path) -> Any:
    try:
        text = read_regular(path, limit=_LARGEST_TEXT).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(
            f"{shell_word(str(path.parent))} is no exported network: {path.name} could not be read."
        ) from error
    return parse_json(text, where=str(path))
