"""What a training tells while it runs, and what it is asked: small files in the run's `live/`.

They are replaced as a whole but not synced to the disk: after a crash they may be old or gone, and
nothing but the page that shows them needs them.
"""

import contextlib
import json
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from convscope.atomic import remove_leftovers
from convscope.runs.step_history import Series
from convscope.runs.tensor_file import Damaged, Stored, load_tensors, pack_tensors

WishName = Literal["pause", "go on", "save", "stop"]
_WATCHED = 5.0  # seconds for which one sign of a watcher counts
Picture = Literal["look", "filters", "wrong"]


@dataclass(frozen=True)
class Live:
    """The folder `live` of the run at `path`.

    - `now.json`: where the training is; its field `beat` is the time at which it was told
    - `series.npy`: the steps, see `Series`
    - `look.safetensors`: a batch as the network saw it, each layer's activations and gradients
    - `filters.safetensors`: the first layer's filters at a few steps
    - `wrong.safetensors`: the validation images that were most wrong at the last evaluation
    - `wish.json`: what the training is asked to do; `watched`: touched by who looks at it

    Reading and telling raise nothing: what cannot be read is None, what cannot be written is not.
    """

    path: Path

    @property
    def folder(self) -> Path:
        return self.path / "live"

    def begin(self) -> None:
        """Make the folder, and forget wishes to a training before. For who holds the run's lock."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(exist_ok=True)
            (self.folder / "wish.json").unlink(missing_ok=True)
            remove_leftovers(self.folder)

    def write_now(self, facts: dict[str, Any]) -> None:
        self._write("now.json", json.dumps({**facts, "beat": time.time()}).encode())

    def read_now(self) -> dict[str, Any] | None:
        """Where the training is; None where none has told."""
        return self._read_json("now.json")

    def write_series(self, series: Series) -> None:
        self._write("series.npy", series.to_bytes())

    def read_series(self) -> Series | None:
        data = self._read("series.npy")
        try:
            return None if data is None else Series.from_bytes(data)
        except ValueError:
            return None

    def write_picture(self, name: Picture, stored: Stored) -> None:
        self._write(f"{name}.safetensors", pack_tensors(stored.tensors, stored.facts))

    def read_picture(self, name: Picture) -> Stored | None:
        try:
            return load_tensors(self.folder / f"{name}.safetensors")
        except (Damaged, OSError):
            return None

    def changed(self, name: str) -> int:
        """A number that changes when the file does; 0 where there is none."""
        with contextlib.suppress(OSError):
            return (self.folder / name).stat().st_mtime_ns
        return 0

    def wish(self, name: WishName) -> int:
        """Ask the training for something; the number under which it will say that it heard.

        Raises OSError where the run cannot be written.
        """
        number = time.time_ns() // 1000  # a whole number in JavaScript too
        self._replace("wish.json", json.dumps({"number": number, "wish": name}).encode())
        return number

    def read_wish(self) -> tuple[int, WishName] | None:
        """The last wish and its number; None where there is none that a training can grant."""
        told = self._read_json("wish.json") or {}
        number, name = told.get("number"), told.get("wish")
        known = next((wish for wish in get_args(WishName) if wish == name), None)
        return None if known is None or not isinstance(number, int) else (number, known)

    def watch(self) -> None:
        """Say that somebody looks, so that the training tells more for a few seconds."""
        with contextlib.suppress(OSError):
            (self.folder / "watched").touch()

    def is_watched(self) -> bool:
        with contextlib.suppress(OSError):
            return time.time() - (self.folder / "watched").stat().st_mtime < _WATCHED
        return False

    def _read(self, name: str) -> bytes | None:
        with contextlib.suppress(OSError):
            return (self.folder / name).read_bytes()
        return None

    def _read_json(self, name: str) -> dict[str, Any] | None:
        data = self._read(name)
        with contextlib.suppress(ValueError):
            told: object = json.loads(data or b"null")
            return cast("dict[str, Any]", told) if isinstance(told, dict) else None
        return None

    def _write(self, name: str, data: bytes) -> None:
        """Write what nobody misses where the disk is full or read-only."""
        with contextlib.suppress(OSError):
            self._replace(name, data)

    def _replace(self, name: str, data: bytes) -> None:
        temporary = self.folder / f".{name}.{os.getpid()}-{threading.get_ident()}.tmp"
        try:
            temporary.write_bytes(data)
            os.replace(temporary, self.folder / name)  # noqa: PTH105 -- the guarantee is os.replace's
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
