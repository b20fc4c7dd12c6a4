"""The run folder: one training, and what follows from it."""

import contextlib
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import filelock
import tomli_w

from convscope.atomic import WriteError, remove_leftovers, write_atomically
from convscope.card import Card
from convscope.errors import RequestError, WorkError, shell_word
from convscope.exported.folder import is_exported
from convscope.regular_files import read_regular
from convscope.runs.bound_card import (
    UNBOUND,
    bound_to,
    card_in,
    check_bound,
    check_text,
    names_digest,
)
from convscope.runs.forms import MetricsLine, RunConfig, checked_scores
from convscope.runs.tensor_file import (
    CorruptFileError,
    TensorFile,
    load_tensors,
    open_tensors,
    read_metadata,
    save_tensors,
)
from convscope.strict import checked, parse_json, parse_toml
from convscope.words.json_text import to_json

_STARTUP_FILES = {
    ".lock", "card.json", "network.toml", "splits.csv", "images.safetensors", "problems.csv",
}  # fmt: skip
_CARD, _LAYERS, _WEIGHTS = "card.json", "network.toml", "model.safetensors"
_KEPT_STATES = 2  # the newest, and one to fall back on


@dataclass(frozen=True)
class Run:
    """The run folder at `path`. Its files are replaced atomically:

    - `config.toml`: every setting, defaults included, and the versions of all software
    - `card.json`: preprocessing, classes, and where the weights come from
    - `network.toml`: the network, if it was given as a layer table
    - `model.safetensors`: the best weights so far
    - `last/step-*.safetensors`: the two newest states, from which training resumes
    - `metrics.jsonl`: one line per validation; `test.json`: the test result
    - `splits.csv`, `problems.csv`, `log.txt`, `report.html`
    - `images.safetensors`: digests of the images, by which `evaluate` recognizes them
    - `live/`: the status of a running training, see `convscope.runs.live_files.Live`
    """

    path: Path

    @classmethod
    def create(cls, path: Path | None, *, name: str) -> "Run":
        """Create the folder of a new run: `path`, or a new `runs/<date>_<name>`.

        Raises RequestError if `path` is not empty, WorkError if it cannot be created.
        """
        folder = path or _unused_path(
            Path("runs") / f"{datetime.now(UTC).astimezone():%Y-%m-%d}_{name}"
        )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            is_occupied = not all(_is_startup_file(file) for file in folder.iterdir())
        except (NotADirectoryError, FileExistsError) as error:
            raise RequestError(f"{folder} is a file; `out` must name a folder.") from error
        except OSError as error:
            raise WorkError(
                f"{folder} could not be created: {error.strerror}. Choose `out`."
            ) from error
        if is_occupied:
            raise RequestError(
                f"{folder} is not empty, and runs are never overwritten. Name a new "
                f"folder with `out`, or continue with `convscope resume {shell_word(folder)}`."
            )
        return cls(folder)

    @classmethod
    def open(cls, path: str | PathLike[str]) -> "Run":
        """The run at `path`. Raises RequestError if it is not a run folder."""
        run = cls(Path(path))
        if not run.path.exists():
            raise RequestError(
                f"{path} does not exist. A run is a folder that `convscope train` creates."
            )
        if is_exported(run.path):
            raise RequestError(
                f"{path} is an exported network, with which `convscope predict` classifies images. "
                "For anything else, name the run that it was exported from."
            )
        if not run.path.is_dir() or not (run.path / "config.toml").exists():
            raise RequestError(f"{path} is not a run folder: it has no config.toml.")
        return run

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Lock the run for writing. Raises WorkError at once if another process has locked it."""
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
        """Remove the files of a training that failed to start. The caller holds the lock."""
        if (self.path / "config.toml").exists():
            return
        with contextlib.suppress(OSError):  # a folder with other files stays
            for name in _STARTUP_FILES:
                (self.path / name).unlink(missing_ok=True)
            self.path.rmdir()
            if self.path.parent == Path("runs"):
                self.path.parent.rmdir()

    def write(self, name: str, content: str | bytes) -> None:
        """Replace one file of the folder, atomically."""
        write_atomically(self.path / name, content)

    def remove(self, name: str) -> None:
        """Remove one file of the folder, if it is there."""
        try:
            (self.path / name).unlink(missing_ok=True)
        except OSError as error:
            raise WorkError(f"{self.path / name} cannot be removed: {error.strerror}.") from error

    def read(self, name: str) -> str:
        """The text of one file. Raises RequestError if it does not exist."""
        try:
            return read_regular(self.path / name).decode("utf-8", "surrogateescape")
        except FileNotFoundError as error:
            raise RequestError(
                f"{self.path} has no {name}. Restore it, or start a new run."
            ) from error
        except OSError as error:
            raise WorkError(f"{self.path / name} cannot be read: {error.strerror}.") from error

    def write_config(self, config: Mapping[str, Any]) -> None:
        self.write("config.toml", tomli_w.dumps(config))

    def read_config(self) -> dict[str, Any]:
        """The contents of config.toml: settings as they are, the rest as `RunConfig` says.

        Raises RequestError, naming file and key, for any other content.
        """
        where = str(self.path / "config.toml")
        return checked(parse_toml(self.read("config.toml"), where=where), RunConfig, where=where)

    def read_card(self) -> Card:
        """The card, the same as in the weights and in the newest state; theirs if it was deleted.

        Raises RequestError, naming what differs, for a card that was changed, and for another
        network.toml than that of the training.
        """
        card = self._known_card()
        if names_digest(card, _LAYERS):
            self.read_bound(_LAYERS, card)
        return card

    def _known_card(self) -> Card:
        source = self.path / _CARD
        held = {path: read_metadata(path) for path in self._bound_files()}
        cards = [card_in(metadata, where=path) for path, metadata in held.items()]
        known = next(filter(None, cards), None)
        if known is not None and not source.exists():
            return known
        card = Card.from_json(self.read(_CARD), where=str(source))
        for path, metadata in held.items():
            is_state = path.name != _WEIGHTS
            check_bound(card, metadata, where=path, source=source, of_training=is_state)
        return card

    def read_bound(self, name: str, card: Card) -> str:
        """The text of a file whose digest is in the card: splits.csv or network.toml.

        Raises RequestError for a file that has changed since the training.
        """
        return check_text(card, self.read(name), source=self.path / name)

    @property
    def card_note(self) -> str:
        """A sentence that says that nothing binds the card to the weights; empty where it is."""
        for path in self._bound_files():
            if card_in(read_metadata(path), where=path) is None:
                return UNBOUND.format(path=path)
        return ""

    def write_metrics(self, lines: Sequence[Mapping[str, Any]]) -> None:
        self.write("metrics.jsonl", "".join(to_json(line) + "\n" for line in lines))

    def read_metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl; none before the first validation.

        Raises RequestError, naming file, line and key, for any other content.
        """
        if not (self.path / "metrics.jsonl").exists():
            return []
        text = self.read("metrics.jsonl")
        lines = text.removesuffix("\n").split("\n") if text else []
        places = [f"{self.path / 'metrics.jsonl'}, line {n}" for n in range(1, len(lines) + 1)]
        return [
            checked(parse_json(line, where=place), MetricsLine, where=place)
            for place, line in zip(places, lines, strict=True)
        ]

    def read_scores(self, name: Literal["test.json", "validation.json"]) -> dict[str, Any]:
        """The scores of the best weights. Raises RequestError, naming file and key, if damaged."""
        where = str(self.path / name)
        return checked_scores(parse_json(self.read(name), where=where), where=where)

    def read_weights(self) -> TensorFile:
        """The best weights. Raises RequestError before the first validation."""
        path = self.path / _WEIGHTS
        if not self.has_weights:
            if self.read_metrics():
                raise RequestError(
                    f"{path}, the best weights of the run, is missing. Restore it, or train again "
                    f"with `convscope train --config {shell_word(self.path / 'config.toml')}`."
                )
            raise RequestError(
                f"{self.path} has no weights yet: its training stopped before the first "
                f"validation. Continue with `convscope resume {shell_word(self.path)}`."
            )
        return self._bound(path, load_tensors(path))

    @property
    def has_weights(self) -> bool:
        """Whether there are weights: from the first validation on."""
        return (self.path / _WEIGHTS).exists()

    def write_weights(self, stored: TensorFile, card: Card) -> None:
        """Replace the best weights. `card` is bound to them, see `read_card`."""
        metadata = bound_to(card, stored.metadata)
        save_tensors(self.path / _WEIGHTS, stored.tensors, metadata)

    def replace_card(self, card: Card) -> None:
        """Replace the card of the best weights by one that differs in what is chosen for them.

        The card in the weights counts while there is no card.json. So that is removed before they
        are written, and written after them: whenever this is interrupted, the run has one card,
        which may have forgotten what its data and its network were called.
        The caller holds the lock. Raises what `read_weights` raises.
        """
        if bound_to(card.of_training, {}) != bound_to(self.read_card().of_training, {}):
            raise RequestError("The classes and images of weights cannot change after training.")
        stored = self.read_weights()
        self.remove(_CARD)
        self.write_weights(stored, card)
        self.write(_CARD, card.to_json())

    def write_state(self, step: int, stored: TensorFile, card: Card) -> None:
        """Save the state of a training, with its card; older ones go once this one is verified."""
        folder = self.path / "last"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise WriteError(f"{folder} could not be created: {error.strerror}.") from error
        metadata = bound_to(card, stored.metadata)
        save_tensors(self.state_path(step), stored.tensors, metadata)
        for old in self._states()[_KEPT_STATES:]:
            with contextlib.suppress(OSError):  # one more that is kept loses nothing
                old.unlink(missing_ok=True)

    def state_path(self, step: int) -> Path:
        """The file of the state after a step."""
        return self.path / "last" / f"step-{step:09d}.safetensors"

    def read_state(self) -> tuple[TensorFile | None, list[str]]:
        """The newest valid state, None if there is none yet; and the problems of newer ones.

        Its tensors are read one by one when they are asked for: the caller holds the lock.

        Raises WorkError if none of the states is valid, RequestError for one of another card.
        """
        problems: list[str] = []
        for path in self._states():
            try:
                return self._bound(path, open_tensors(path)), problems
            except CorruptFileError as error:
                problems.append(str(error))
        if problems:
            raise WorkError(f"{self.path} cannot be resumed. {' '.join(problems)}")
        return None, []

    def _bound(self, path: Path, stored: TensorFile) -> TensorFile:
        """A file of tensors, of which the card is checked."""
        source = self.path / _CARD
        if source.exists():
            card = Card.from_json(self.read(_CARD), where=str(source))
            is_state = path.name != _WEIGHTS
            check_bound(card, stored.metadata, where=path, source=source, of_training=is_state)
        return stored

    def _bound_files(self) -> list[Path]:
        """The files with tensors that belong to the card: the best weights, the newest state."""
        files = [self.path / _WEIGHTS, *self._states()[:1]]
        return [path for path in files if path.is_file()]

    def _states(self) -> list[Path]:
        return sorted((self.path / "last").glob("step-*.safetensors"), reverse=True)


def slugify(name: str) -> str:
    """A name with `-` for every character that is unsuitable in a folder's name."""
    return "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in name).strip(
        "-."
    )


def _is_startup_file(file: Path) -> bool:
    """Whether a training that was killed before it wrote its config may have left a file."""
    return file.name in _STARTUP_FILES or (file.name[0] == "." and file.suffix == ".tmp")


def _unused_path(path: Path) -> Path:
    """`path`, or the first of path-2, path-3 ... that does not exist."""
    if not path.exists():
        return path
    return next(
        other
        for number in range(2, 1_000_000)
        if not (other := path.with_name(f"{path.name}-{number}")).exists()
    )
