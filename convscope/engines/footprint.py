"""What an engine costs a process that does nothing else: seconds until it is open, and memory."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from convscope.engines import EngineName, files_of
from convscope.engines.splits import Split, open_split
from convscope.errors import WorkError
from convscope.words.json_text import to_json

_SECONDS = 600  # that opening and one batch may take


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Of one engine and one file.

    Attributes:
        load: seconds from importing the engine to the end of the first batch.
        memory: bytes that the process took at its peak; None where the system does not say.
        size: bytes of the files that the engine opens.
    """

    load: float
    memory: int | None
    size: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "load_seconds": self.load,
            "peak_memory_bytes": self.memory,
            "file_bytes": self.size,
        }


def measure_footprint(
    name: EngineName,
    path: Path,
    *,
    threads: int,
    shape: Sequence[int],
    precision: str = "float32",
    split: Split | None = None,
) -> Footprint:
    """Open a file in a process of its own, and run one batch (n, c, h, w), divided by `split`.

    Raises WorkError where that process ends abnormally: an engine that refuses a network by
    ending the process ends that one only.
    """
    wish = to_json({
        "name": name,
        "path": str(path),
        "threads": threads,
        "shape": [*shape],
        "precision": precision,
        "split": None if split is None else asdict(split),
    })  # fmt: skip
    command = [sys.executable, "-m", "convscope.engines.footprint", wish]
    try:
        done = subprocess.run(  # noqa: S603 -- this program
            command, check=True, capture_output=True, text=True, timeout=_SECONDS
        )
        facts = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        raise WorkError(f"{name} could not run the network in a process of its own.") from error
    size = sum((path.parent / file).stat().st_size for file in files_of(name))
    return Footprint(load=facts["load"], memory=facts["memory"], size=size)


def _measure(
    name: EngineName,
    path: str,
    threads: int,
    shape: Sequence[int],
    precision: str,
    split: Mapping[str, Any] | None,
) -> dict[str, Any]:
    images, divided = np.full(shape, 0.5, np.float32), None if split is None else Split(**split)
    began = perf_counter()
    engine = open_split(
        name,
        Path(path),
        threads=threads,
        batch_size=len(images),
        split=divided,
        precision=precision,
    )
    engine(images)
    return {"load": perf_counter() - began, "memory": _peak_memory()}


def _peak_memory() -> int | None:
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says on Linux may be of the process that began this one
        lines = status.read_text("ascii", "replace").splitlines()
        peaks = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
        return 1024 * peaks[0] if peaks else None
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 -- not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


if __name__ == "__main__":
    sys.stdout.write(to_json(_measure(**json.loads(sys.argv[1]))) + "\n")
