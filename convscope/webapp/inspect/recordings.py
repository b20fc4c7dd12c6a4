"""The recordings of the images that are open in a lab, in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import RLock

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from convscope.errors import RequestError
from convscope.explanation.recording import Recording
from convscope.memory import free_memory
from convscope.webapp.inspect.unit import UnitView

SHARE = 8  # of the free memory, one part is for recordings


class Recordings:
    """Recordings by the number of their image, in at most `limit` bytes of results.

    Where they take more, the least recently used are dropped, and made again when they are read.
    """

    def __init__(self, limit: int | None = None) -> None:
        self.limit = free_memory() // SHARE if limit is None else limit
        self._held: OrderedDict[int, tuple[UnitView, int]] = OrderedDict()
        self._sizes: dict[int, int] = {}
        self._lock = RLock()

    def get(self, number: int, make: Callable[[], tuple[UnitView, int]]) -> UnitView:
        """The recording of an image, which `make` makes, with its bytes, where it is not held."""
        with self._lock:
            if number not in self._held:
                self._drop_to(self.limit - self._sizes.get(number, 0))
                self._held[number] = make()
                self._sizes[number] = self._held[number][1]
            self._held.move_to_end(number)
            self._drop_to(self.limit, least=1)
            return self._held[number][0]

    def is_held(self, number: int) -> bool:
        return number in self._held

    def forget(self, number: int) -> None:
        """Drop an image for good."""
        with self._lock:
            self._held.pop(number, None)
            self._sizes.pop(number, None)

    def _drop_to(self, limit: int, *, least: int = 0) -> None:
        while len(self._held) > least and sum(size for _, size in self._held.values()) > limit:
            self._held.popitem(last=False)


@dataclass(frozen=True, eq=False)
class RecordedImage:
    """A model's forward pass over one image.

    Attributes:
        number: counts images in order of arrival.
        pixels: of the image as the network sees it.
        output: what the network returned.
        make: records the pass; the units, and the bytes of results that they hold at most.
    """

    id: str
    title: str
    number: int
    pixels: NDArray[np.uint8]
    output: Tensor = field(repr=False)
    recordings: Recordings = field(repr=False)
    make: Callable[[], tuple[UnitView, int]] = field(repr=False)

    @property
    def units(self) -> UnitView:
        """The arithmetic of its units.

        Raises RequestError if the network was changed after the image was opened.
        """
        return self.recordings.get(self.number, self._again)

    @property
    def recording(self) -> Recording:
        """The recorded pass. Raises RequestError as `units`."""
        return self.units.recording

    @property
    def is_held(self) -> bool:
        """Whether the recording is in memory now."""
        return self.recordings.is_held(self.number)

    def _again(self) -> tuple[UnitView, int]:
        units, size = self.make()
        output = output_of(units)
        is_same = output.shape == self.output.shape and output.allclose(
            self.output, rtol=0, atol=0, equal_nan=True
        )
        if not is_same:
            raise RequestError(
                f"The network answers otherwise than when {self.title} was opened: its weights "
                "were changed. Open it again."
            )
        return units, size


def output_of(units: UnitView) -> Tensor:
    """What the network returned, without the batch."""
    return units.recording[units.recording.output].value
