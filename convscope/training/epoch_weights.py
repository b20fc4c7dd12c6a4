"""The weights of small networks after epochs, in bounded space: `live/weights-STEP.safetensors`."""

import contextlib
import math
from pathlib import Path
from typing import TypedDict

import torch

from convscope.errors import RequestError
from convscope.runs.live_files import Live
from convscope.runs.tensor_file import CorruptFileError, TensorFile, load_tensors, pack_tensors
from convscope.strict import Count, checked
from convscope.training.callbacks.snapshots import least_informative

KEPT_BYTES = 8_000_000
"""Of all that is kept of a run."""
EPOCHS = 32
"""That are kept at most, evenly spread on a logarithmic scale."""
FEWEST = 8
"""Times that a network's weights must fit into `KEPT_BYTES`, if need be in half precision."""

_NAME = "weights-"


class _Told(TypedDict):
    step: Count
    epoch: Count


class EpochWeights:
    """Weights by the step after which they were kept.

    What cannot be written or read is left out.
    """

    def __init__(self, path: Path) -> None:
        self._live = Live(path)
        self.folder = self._live.folder

    def steps(self) -> list[int]:
        """The steps of which there are weights, ascending."""
        with contextlib.suppress(OSError):
            names = [path.stem[len(_NAME) :] for path in self.folder.glob(f"{_NAME}*.safetensors")]
            return sorted(int(name) for name in names if name.isdecimal())
        return []

    def drop_after(self, step: int) -> None:
        """Forget what is later: a training goes on from `step`."""
        for later in self.steps():
            if later > step:
                self._remove(later)

    def add(self, step: int, stored: TensorFile, *, most: int = EPOCHS) -> None:
        """Keep weights; of more than `most` those of the least informative step give way."""
        self._live.write(self._file(step).name, pack_tensors(stored.tensors, stored.metadata))
        steps = self.steps()
        if len(steps) > most:
            self._remove(steps[least_informative([math.log1p(step) for step in steps])])

    def read(self, step: int) -> TensorFile | None:
        """The weights after a step; None if they are not there."""
        with contextlib.suppress(CorruptFileError, RequestError, OSError):
            stored = load_tensors(self._file(step))
            told = checked(dict(stored.metadata), _Told, where=self._file(step).name)
            whole = {
                name: value.float() if value.dtype == torch.float16 else value
                for name, value in stored.tensors.items()
            }
            return TensorFile(whole, told)
        return None

    def _file(self, step: int) -> Path:
        return self.folder / f"{_NAME}{step}.safetensors"

    def _remove(self, step: int) -> None:
        with contextlib.suppress(OSError):
            self._file(step).unlink()
