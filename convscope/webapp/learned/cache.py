"""Results of passes on disk, with the run that they are of, until its weights are other ones."""

import hashlib
import json
import re
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

from convscope.atomic import write_atomically
from convscope.words.json_text import originals, to_json

_KEPT = 8  # files whose content is kept in memory

FORMAT = 1
"""Of the files: one of another format is as good as none."""


class Cache:
    """JSON files of a folder, each with the digest of the weights that it was computed with.

    A file of other weights, or one that cannot be read, is as good as none.

    Attributes:
        folder: made with the first file.
        digest: of the weights.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder, self.digest = folder, digest
        self._read: OrderedDict[Path, tuple[int, dict[str, Any]]] = OrderedDict()
        self._reading = threading.Lock()

    def path(self, kind: str, about: str = "", suffix: str = ".json") -> Path:
        """The file of a result; `about` may be any name."""
        if not about:
            return self.folder / f"{kind}{suffix}"
        readable = re.sub(r"[^A-Za-z0-9]+", "-", about)[:40]
        digest = hashlib.sha256(about.encode("utf-8", "surrogateescape")).hexdigest()[:8]
        return self.folder / f"{kind}-{readable}-{digest}{suffix}"

    def make_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, path: Path, content: dict[str, Any]) -> None:
        self.make_folder()
        whole = {"format": FORMAT, "weights": self.digest, **content}
        write_atomically(path, to_json(whole) + "\n")

    def read(self, path: Path) -> dict[str, Any] | None:
        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            return None
        with self._reading:
            if path in self._read and self._read[path][0] == stamp:
                self._read.move_to_end(path)
                return self._read[path][1]
            try:
                content: dict[str, Any] = originals(json.loads(path.read_text("utf-8")))
            except (OSError, ValueError):
                return None
            if content.get("format") != FORMAT or content.get("weights") != self.digest:
                return None
            self._read[path] = (stamp, content)
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)
            return content
