"""The units whose arithmetic a page holds: those that a person opens first, as many as fit."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from convscope.features.ranking import mean_magnitude
from convscope.webapp.inspect.boxes import box_to_dict, boxes_to_dict
from convscope.webapp.inspect.graph import GraphRow
from convscope.webapp.inspect.maps import volume_of
from convscope.webapp.inspect.store import LoadedModel, RecordedImage
from convscope.webapp.page_file.pack import pack

_CHANNELS = 4  # that a unit's screen writes out where a layer has many ...
_CHANNELS_1X1 = 9  # ... and of 1x1 filters
_ALL_CHANNELS = 2  # more, and all are written out
_CLASSES = 10  # from which the way back is in the page
_MAPS = 12  # that a layer's screen shows first ...
_UNITS = 48  # ... and of a vector
_PACKED = 128  # units of a layer that are packed together
_AT_ONCE = 8  # units, before the images take turns
_MEASURED = 24  # units of a layer of which the bytes are measured
_GUESS = 1000  # bytes of a unit's arithmetic, before one of its layer was packed

Spot = tuple[str, int, int, int]
"""A row's name, the map, the unit's row and column."""


@dataclass
class Ledgers:
    """The arithmetic of units of one image, packed by layer.

    Attributes:
        parts: for each row the packed parts: the units' indices in the volume, and the bytes.
    """

    image: RecordedImage
    parts: dict[str, list[tuple[list[int], bytes]]] = field(
        default_factory=dict[str, list[tuple[list[int], bytes]]]
    )
    _waiting: dict[str, dict[int, Any]] = field(default_factory=dict[str, dict[int, Any]])
    _measured: dict[str, int] = field(default_factory=dict[str, int])
    _full: list[str] = field(default_factory=list[str])
    _links: dict[Spot, list[Spot]] = field(default_factory=dict[Spot, list[Spot]])

    @property
    def count(self) -> int:
        """How many units are packed."""
        return sum(len(units) for parts in self.parts.values() for units, _ in parts)

    @property
    def size(self) -> int:
        """Bytes, of what is not packed yet as estimated."""
        packed = sum(len(data) for parts in self.parts.values() for _, data in parts)
        return packed + sum(len(units) * self._average(row) for row, units in self._waiting.items())

    def add(self, spot: Spot) -> list[Spot]:
        """Explain a unit, unless it is here; returns the operands to step back to."""
        if spot in self._links:
            return self._links[spot]
        name, *at = spot
        row = self.image.units.rows[name]
        if row.op == "image":
            return []
        unit = self.image.units.unit(name, at, channels=self._channels(row))
        waiting = self._waiting.setdefault(name, {})
        waiting[int(np.ravel_multi_index(tuple(at), row.shape))] = unit
        self._links[spot] = _operands(unit)
        if len(waiting) >= _PACKED:
            self._pack(name)
            self._full.append(name)
        return self._links[spot]

    def finish(self, room: int) -> None:
        """Pack what waits, as far as it fits into so many bytes: what came last goes first."""
        full = [*self._full]
        for name in [*self._waiting]:
            self._pack(name)
        while self.size > room and full:
            name = full.pop()
            self.parts[name].pop(full.count(name))
        while self.size > room:
            name = max(self.parts, key=lambda name: sum(len(data) for _, data in self.parts[name]))
            self.parts[name].pop()

    def __contains__(self, spot: Spot) -> bool:
        return spot in self._links

    def _pack(self, name: str) -> None:
        units = dict(sorted(self._waiting.pop(name).items()))
        self.parts.setdefault(name, []).append(([*units], pack([*units.values()])))

    def _average(self, name: str) -> int:
        """Bytes of a packed unit of a row, as far as that is known."""
        parts, waiting = self.parts.get(name, []), self._waiting.get(name, {})
        if count := sum(len(units) for units, _ in parts):
            return sum(len(data) for _, data in parts) // count
        if name not in self._measured and len(waiting) >= _MEASURED:
            self._measured[name] = len(pack([*waiting.values()])) // len(waiting)
        return self._measured.get(name, _GUESS)

    def _channels(self, row: GraphRow) -> int:
        """How many channels the unit's screen asks for; `limitOf` of `static/unit.js`."""
        kernel = row.columns["kernel"]
        most = _CHANNELS_1X1 if kernel and all(side == 1 for side in kernel) else _CHANNELS
        channels = self.image.units.rows[row.inputs[0]].shape[0] if row.inputs else most
        return channels if channels <= most + _ALL_CHANNELS else most


def fill_ledgers(
    model: LoadedModel,
    images: Sequence[RecordedImage],
    room: int,
    on_progress: Callable[[int, int], None],
) -> list[Ledgers]:
    """Explain units of images until their bytes fill `room`.

    First the ways back from the likeliest classes; then the units that the screens of the layers
    open, of the maps that they show first; then the operands of all these, layer by layer; then
    the strongest unit of every map; then all units, of the smallest layers first.
    """
    several = [Ledgers(image) for image in images]
    orders = [_order(model, ledgers) for ledgers in several]
    while orders:
        for order in [*orders]:
            if next(order, None) is None:
                orders.remove(order)
        size = sum(ledgers.size for ledgers in several)
        on_progress(min(size, room), room)
        if size >= room:
            break
    for ledgers in several:
        ledgers.finish(room // len(several))
    return several


def _order(model: LoadedModel, ledgers: Ledgers) -> Iterator[bool]:
    """Add units in their order, some at each step."""
    image = ledgers.image
    rows = [row for row in model.rows if row.op != "image"]
    volumes = {row.name: volume_of(image.recording, row) for row in rows}
    opened: list[Spot] = []
    answer = model.answer_row
    for spot in box_spots(model, image):
        opened.append(spot)
        ledgers.add(spot)
        yield True
    for prediction in model.predictions(image)[:_CLASSES] if answer else []:
        way: list[Spot] = [(answer, prediction["unit"], 0, 0)]
        while (found := ledgers.add(way[-1])) and found[0] not in way:
            way.append(found[0])
        opened += way
        yield True
    for row in reversed(rows):
        is_vector = row.shape[1] * row.shape[2] == 1
        opened += (shown := _strongest(volumes[row.name], row, _UNITS if is_vector else _MAPS))
        yield from _add(ledgers, shown)
    for _ in rows:
        operands = dict.fromkeys(each for spot in opened for each in ledgers.add(spot))
        opened = [spot for spot in operands if spot not in ledgers]
        yield from _add(ledgers, opened)
    for row in reversed(rows):
        yield from _add(ledgers, _strongest(volumes[row.name], row, row.shape[0]))
    for row in sorted(rows, key=lambda row: math.prod(row.shape)):
        yield from _add(ledgers, ((row.name, *at) for at in np.ndindex(row.shape)))


def box_spots(model: LoadedModel, image: RecordedImage) -> Iterator[Spot]:
    """The units that the numbers of the boxes found are copied from, the best box first."""
    if model.card.boxes is None:
        return
    for box in boxes_to_dict(model, image)["boxes"]:
        for step in box_to_dict(model, image, box["name"])["steps"]:
            if unit := step["unit"]:
                yield unit["row"], unit["map"], unit["y"], unit["x"]


def _add(ledgers: Ledgers, spots: Iterable[Spot]) -> Iterator[bool]:
    for count, spot in enumerate(spots):
        ledgers.add(spot)
        if count % _AT_ONCE == 0:
            yield True


def _strongest(volume: np.ndarray[Any, Any], row: GraphRow, count: int) -> list[Spot]:
    """The strongest unit of each of the strongest maps, as a press on a map's card opens it."""
    order = np.argsort(-np.nan_to_num(mean_magnitude(volume)), kind="stable")[:count]
    size = np.nan_to_num(np.abs(volume)).reshape(len(volume), -1)
    spots: list[Spot] = []
    for index in order.tolist():
        y, x = divmod(int(size[index].argmax()), row.shape[2])
        spots.append((row.name, index, y, x))
    return spots


def _operands(unit: dict[str, Any]) -> list[Spot]:
    """The largest operand, then the largest of each channel or term that is written out."""
    spots = [unit["largest"]]
    for part in unit["parts"]:
        products = [value for row in part["products"] for value in row]
        cells = [cell for row in part["cells"] for cell in row]
        sizes = [abs(value) if isinstance(value, float) else 0.0 for value in products]
        spots.append(cells[int(np.argmax(sizes))])
    spots += [term["location"] for term in unit["terms"]]
    return [(spot["row"], spot["map"], spot["y"], spot["x"]) for spot in spots if spot]
