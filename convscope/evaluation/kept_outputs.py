"""Outputs of a long evaluation on the disk, so that one that was killed goes on where it was."""

import io
import platform
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.atomic import write_atomically
from convscope.data.cache.store import are_stored, status_of
from convscope.data.dataset import ImageSource
from convscope.data.download import cache_dir
from convscope.errors import WorkError

SECONDS = 30.0
"""Between two writes; an evaluation that takes less leaves nothing on the disk."""
WORTH = 5.0
"""Seconds of work from which what is done is written where it is interrupted."""
_DAMAGE = (OSError, ValueError, KeyError, EOFError, BadZipFile)
FEWEST = 1000
"""Forward passes below which nothing is kept: they are soon done again."""


@dataclass
class KeptOutputs:
    """The outputs of batches, by their numbers, in a folder of their own.

    `num_found` is of how many images an earlier process had computed them.

    A file that is damaged, or that the disk does not take, costs its batches alone.
    """

    folder: Path
    num_found: int = 0
    _waiting: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    _written: float = field(default_factory=time.monotonic)

    def load(self, num_classes: int) -> dict[int, Tensor]:
        """The outputs that an earlier process computed."""
        known: dict[int, Tensor] = {}
        for path in sorted(self.folder.glob("*.npz")):
            with suppress(*_DAMAGE), np.load(io.BytesIO(path.read_bytes())) as part:
                numbers, sizes, outputs = part["numbers"], part["sizes"], part["outputs"]
                if outputs.shape == (int(sizes.sum()), num_classes):
                    ends = sizes.cumsum().tolist()
                    for number, size, end in zip(
                        numbers.tolist(), sizes.tolist(), ends, strict=True
                    ):
                        known[number] = torch.from_numpy(outputs[end - size : end])
        self.num_found = sum(map(len, known.values()))
        return known

    def add(self, number: int, outputs: Tensor) -> None:
        """Keep the outputs of a batch; they are written from time to time."""
        self._waiting[number] = outputs
        if time.monotonic() - self._written >= SECONDS:
            self.write()

    def write(self) -> None:
        """Write what is not written yet."""
        if not self._waiting:
            return
        content = io.BytesIO()
        np.savez(
            content,
            numbers=np.array([*self._waiting], np.int64),
            sizes=np.array([*map(len, self._waiting.values())], np.int64),
            outputs=torch.cat([*self._waiting.values()]).numpy(),
        )
        with suppress(OSError, WorkError):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(self.folder / f"{min(self._waiting):08d}.npz", content.getvalue())
        self._waiting.clear()
        self._written = time.monotonic()

    def discard(self) -> None:
        """Remove the folder: all is computed."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def keeping(kept: KeptOutputs, notes: list[str]) -> Generator[None]:
    """Compute the outputs that are kept: if that is interrupted, what is done is written; once all
    is done, the folder is removed. A note says how many were found.
    """
    began = time.monotonic()
    try:
        yield
    except BaseException:
        if time.monotonic() - began >= WORTH:
            kept.write()
        raise
    if kept.num_found:
        notes.append(
            f"An evaluation that was interrupted had answered {kept.num_found:,} of these images; "
            "it was continued."
        )
    kept.discard()


def kept_outputs(
    net: nn.Module, images: ImageSource, indices: NDArray[np.int64], *facts: object
) -> KeptOutputs | None:
    """Where the outputs of a network for some images are kept; None for images that are no files,
    whose change would not be seen.

    `facts` are whatever else outputs depend on. All of it, the weights and the names, sizes and
    times of the files decide the name of the folder: any change begins anew.
    """
    if not are_stored(images):
        return None
    digest = blake2b(digest_size=16)
    for fact in (*facts, str(net), torch.__version__, version("convscope"), platform.machine()):
        digest.update(f"{fact}\n".encode())
    for name, tensor in net.state_dict().items():
        content = tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
        digest.update(name.encode())
        digest.update(content.data)
    for index in indices.tolist():
        digest.update(f"{status_of(images, index)}\n".encode())
    return KeptOutputs(cache_dir() / "evaluations" / digest.hexdigest())
