"""A run: one folder that holds one training, and everything that is done with it afterwards."""

import contextlib
import json
import tomllib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock
import tomli_w

from convscope.atomic import remove_leftovers, write_atomically
from convscope.card import Card
from convscope.errors import RequestError, WorkError
from convscope.runs.tensor_file import CorruptFileError, TensorFile, load_tensors, save_tensors

_BEFORE_CONFIG = {".lock", "card.json", "network.toml", "splits.csv", "problems.csv"}
_KEPT = 2  # states in last/: the newest, and the one to fall back on


@dataclass(frozen=True)
class Run:
    """The run folder at `path`. Its files, each replaced as a whole:

    - `config.toml`: every setting, also the defaults, and the versions of everything
    - `card.json`: what must be known to feed the network
    - `network.toml`: the network, where it came as a layer table
    - `model.safetensors`: the best weights so far
    - `last/step-*.safetensors`: what resume needs, the newest two
    - `metrics.jsonl`: one line per evaluation; `test.json`: the test, once it was made
    - `splits.csv`, `problems.csv`, `log.txt`, `report.html`
    - `live/`: what a training tells while it runs, see `convscope.runs.live_files.Live`
    """

    path: Path

    @classmethod
    def create(cls, path: Path | None, *, name: str) -> "Run":
        """Make the folder of a new run: `path`, or a fresh `runs/<date>_<name>`.

        Raises RequestError where `path` holds something already, WorkError where it cannot be made.
        """
        wanted = path or _free(Path("runs") / f"{datetime.now(UTC).astimezone():%Y-%m-%d}_{name}")
        try:
            wanted.mkdir(parents=True, exist_ok=True)
            occupied = not all(_is_startup_file(file) for file in wanted.iterdir())
        except NotADirectoryError as error:
            raise RequestError(f"{wanted} is a file; `out` must name a folder.") from error
        except FileExistsError as error:
            raise RequestError(f"{wanted} is a file; `out` must name a folder.") from error
        except OSError as error:
            raise WorkError(
                f"{wanted} could not be made: {error.strerror}. Choose `out`."
            ) from error
        if occupied:
            raise RequestError(
                f"{wanted} is not empty, and a run is never written over another. Name a new "
                f"folder with `out`, or go on with `convscope resume {wanted}`."
            )
        return cls(wanted)

    @classmethod
    def open(cls, path: str | Path) -> "Run":
        """The run at `path`. Raises RequestError for what is not a run folder."""
        run = cls(Path(path))
        if not run.path.exists():
            raise RequestError(
                f"There is no {path}. A run is a folder that `convscope train` made."
            )
        if not run.path.is_dir() or not (run.path / "config.toml").exists():
            raise RequestError(f"{path} is not a run folder: it has no config.toml.")
        return run

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Hold the run for writing. Raises WorkError at once where another process writes it."""
        lock = filelock.FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout as error:
            raise WorkError(
                f"{self.path} is being written by another process. Wait for it to end, or stop it."
            ) from error
        except OSError as error:
            raise WorkError(f"{self.path} cannot be written: {error.strerror}.") from error
        try:
            for folder in (self.path, self.path / "last"):
                remove_leftovers(folder)
            yield
        finally:
            lock.release()

    def discard_if_unstarted(self) -> None:
        """Remove what a start has made that came to nothing; only for who holds the lock."""
        if (self.path / "config.toml").exists():
            return
        with contextlib.suppress(OSError):  # a file that is not ours keeps its folder
            for name in _BEFORE_CONFIG:
                (self.path / name).unlink(missing_ok=True)
            self.path.rmdir()
            if self.path.parent == Path("runs"):
                self.path.parent.rmdir()

    def write(self, name: str, content: str | bytes) -> None:
        """Replace one file of the folder, atomically."""
        write_atomically(self.path / name, content)

    def read(self, name: str) -> str:
        """The text of one file. Raises RequestError where it is missing."""
        try:
            return (self.path / name).read_text("utf-8", "surrogateescape")
        except FileNotFoundError as error:
            raise RequestError(f"{self.path} has no {name}.") from error
        except OSError as error:
            raise WorkError(f"{self.path / name} cannot be read: {error.strerror}.") from error

    def write_config(self, config: Mapping[str, Any]) -> None:
        self.write("config.toml", tomli_w.dumps(config))

    def read_config(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self.read("config.toml"))
        except tomllib.TOMLDecodeError as error:
            raise RequestError(f"{self.path / 'config.toml'} is not TOML: {error}.") from error

    def read_card(self) -> Card:
        return Card.from_json(self.read("card.json"), where=str(self.path / "card.json"))

    def write_metrics(self, lines: Sequence[Mapping[str, Any]]) -> None:
        self.write("metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines))

    def read_metrics(self) -> list[dict[str, Any]]:
        if not (self.path / "metrics.jsonl").exists():
            return []
        return [json.loads(line) for line in self.read("metrics.jsonl").splitlines()]

    def read_weights(self) -> TensorFile:
        """The best weights. Raises RequestError where training has not come so far."""
        path = self.path / "model.safetensors"
        if not path.exists():
            raise RequestError(
                f"{self.path} has no trained weights yet: its training was stopped before the "
                f"first evaluation. Go on with `convscope resume {self.path}`."
            )
        return load_tensors(path)

    def write_weights(self, stored: TensorFile) -> None:
        save_tensors(self.path / "model.safetensors", stored.tensors, stored.metadata)

    def write_state(self, step: int, stored: TensorFile) -> None:
        """Keep what resume needs; older states go only once this one was read back whole."""
        folder = self.path / "last"
        folder.mkdir(exist_ok=True)
        save_tensors(folder / f"step-{step:09d}.safetensors", stored.tensors, stored.metadata)
        for older in self._states()[_KEPT:]:
            older.unlink(missing_ok=True)

    def read_state(self) -> tuple[TensorFile | None, list[str]]:
        """The newest whole state, None before the first, and what was wrong with any newer one.

        Raises WorkError where there are some and none is whole.
        """
        passed_over: list[str] = []
        for path in self._states():
            try:
                return load_tensors(path), passed_over
            except CorruptFileError as error:
                passed_over.append(str(error))
        if passed_over:
            raise WorkError(f"{self.path} cannot be resumed. {' '.join(passed_over)}")
        return None, []

    def _states(self) -> list[Path]:
        return sorted((self.path / "last").glob("step-*.safetensors"), reverse=True)


def slugify(name: str) -> str:
    """A name fit to be part of a folder's name."""
    return "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in name).strip(
        "-."
    )


def _is_startup_file(file: Path) -> bool:
    """Whether a file may be left by a training that was killed before it wrote its config."""
    return file.name in _BEFORE_CONFIG or (file.name[0] == "." and file.suffix == ".tmp")


def _free(path: Path) -> Path:
    """`path`, or the first of path-2, path-3 ... that is not there."""
    if not path.exists():
        return path
    return next(
        other
        for number in range(2, 1_000_000)
        if not (other := path.with_name(f"{path.name}-{number}")).exists()
    )
