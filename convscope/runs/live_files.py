"""The files through which a running training and the lab communicate: the run's folder `live/`.

Each is replaced atomically but not synced to disk: after a crash they may be old or missing, and
nothing but the page that shows them needs them.
"""

import contextlib
import os
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

from convscope.atomic import remove_leftovers
from convscope.errors import RequestError
from convscope.regular_files import read_regular
from convscope.runs.forms import Status
from convscope.runs.snapshot_forms import Snapshot, checked_snapshot
from convscope.runs.step_history import StepHistory
from convscope.runs.tensor_file import CorruptFileError, TensorFile, load_tensors, pack_tensors
from convscope.signals import undone_by_exit
from convscope.strict import Between, Count, checked, parse_json
from convscope.words.json_text import to_json

Command = Literal["pause", "resume", "save", "stop", "lr"]
Watched = Literal["watched", "watched_layers"]
_WATCHED = 5.0  # seconds for which one touch of `watched` counts


class _CommandFile(TypedDict):
    id: Count
    command: Command
    lr: NotRequired[Annotated[float, Between(0, 1e6)]]


class Request(NamedTuple):
    """A command to a training, with its number; `lr` is the learning rate of the command "lr"."""

    id: int
    command: Command
    lr: float | None = None


@dataclass(frozen=True)
class Live:
    """The folder `live` of the run at `path`.

    - `now.json`: where the training is; `updated_at` is the unix time of the last update, and
      `acknowledged` the id of the last command that was carried out
    - `steps.npy`: the steps, see `StepHistory`
    - `look.safetensors`: a batch as the network saw it, each layer's activations and gradients
    - `filters.safetensors`: the first convolution's filters at a few steps
    - `wrong.safetensors`: the validation images with the largest losses at the last validation
    - `confusion.safetensors`: the confusion matrix of the last validation
    - `examples.safetensors`: images of which the page lets one choose, and `example.safetensors`
      the chosen one; `layers.safetensors`: what each layer holds for it
    - `weights-STEP.safetensors`: those of small networks after some epochs, see `EpochWeights`
    - `command.json`: the last command to the training, `{id, command, lr}`
    - `watched`: touched while the page shows the run; `watched_layers`: while it shows its layers

    Methods that read return None for a file that cannot be read; methods that write do nothing
    where the disk refuses, except `request`.
    """

    path: Path

    @property
    def folder(self) -> Path:
        return self.path / "live"

    def begin(self) -> None:
        """Make the folder and drop old commands; the caller holds the run's lock."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            (self.folder / "command.json").unlink(missing_ok=True)
            remove_leftovers(self.folder)

    def write_now(self, status: dict[str, Any]) -> None:
        self.write("now.json", to_json({**status, "updated_at": time.time()}).encode())

    def read_now(self) -> dict[str, Any] | None:
        """Where the training is, see `Status`; None if it never wrote its status."""
        return self._read_json("now.json", Status)

    def write_step_history(self, series: StepHistory) -> None:
        self.write("steps.npy", series.to_bytes())

    def read_step_history(self) -> StepHistory | None:
        data = self._read("steps.npy")
        try:
            return None if data is None else StepHistory.from_bytes(data)
        except ValueError:
            return None

    def write_snapshot(self, name: Snapshot, stored: TensorFile) -> None:
        self.write(f"{name}.safetensors", pack_tensors(stored.tensors, stored.metadata))

    def read_snapshot(self, name: Snapshot) -> TensorFile | None:
        path = self.folder / f"{name}.safetensors"
        with contextlib.suppress(CorruptFileError, RequestError, OSError):
            return checked_snapshot(name, load_tensors(path), where=str(path))
        return None

    def changed(self, name: str) -> int:
        """A number that changes when the file does; 0 if there is no such file."""
        with contextlib.suppress(OSError):
            return (self.folder / name).stat().st_mtime_ns
        return 0

    def request(self, command: Command, lr: float | None = None) -> int:
        """Ask the training to do something; the id that it acknowledges once it has.

        `lr` is the learning rate that the command "lr" sets.

        Raises OSError where the run cannot be written.
        """
        number = time.time_ns() // 1000  # an exact integer in JavaScript too
        content = {"id": number, "command": command} | ({} if lr is None else {"lr": lr})
        self._replace("command.json", to_json(content).encode())
        return number

    def read_command(self) -> Request | None:
        """The last command; None if there is none or it is unknown."""
        data = self._read_json("command.json", _CommandFile)
        return None if data is None else Request(data["id"], data["command"], data.get("lr"))

    def watch(self, what: Watched = "watched") -> None:
        """Signal that the run is being watched; the training records more for a few seconds."""
        with contextlib.suppress(OSError):
            (self.folder / what).touch()

    def is_watched(self, what: Watched = "watched") -> bool:
        with contextlib.suppress(OSError):
            return time.time() - (self.folder / what).stat().st_mtime < _WATCHED
        return False

    def _read(self, name: str) -> bytes | None:
        with contextlib.suppress(OSError):
            return read_regular(self.folder / name)
        return None

    def _read_json(self, name: str, form: type) -> dict[str, Any] | None:
        data = self._read(name)
        with contextlib.suppress(RequestError, UnicodeDecodeError):
            return checked(parse_json((data or b"").decode(), where=name), form, where=name)
        return None

    def write(self, name: str, data: bytes) -> None:
        """Write a file, or do nothing where the disk is full or read-only."""
        with contextlib.suppress(OSError):
            self._replace(name, data)

    def _replace(self, name: str, data: bytes) -> None:
        temporary = self.folder / f".{name}.{os.getpid()}-{threading.get_ident()}.tmp"
        with undone_by_exit(partial(temporary.unlink, missing_ok=True)):
            try:
                temporary.write_bytes(data)
                os.replace(temporary, self.folder / name)  # noqa: PTH105 -- the guarantee is os.replace's
            except OSError:
                temporary.unlink(missing_ok=True)
                raise
