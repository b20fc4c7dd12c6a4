"""Where volumes lie in a thread's workspace: vectors of lanes, map by map, row by row."""

from dataclasses import dataclass, replace

from convscope.lanes.graph import Both, Shape

WORKSPACE = "%ws"
"""A thread's memory, which every micro-batch begins anew."""
KEPT = "%K"
"""A micro-batch's own memory, which outlasts a barrier between its layers."""


@dataclass(frozen=True)
class View:
    """Unit (c, y, x) of a volume is the vector `base + c·channel + y·row + x·pixel` of `space`.

    A group's channels follow those of the one before, or begin `group` vectors after them.
    """

    base: int
    channel: int
    row: int
    pixel: int = 1
    group: int | None = None
    space: str = WORKSPACE

    def moved(self, y: int, x: int, *, stride: Both = (1, 1)) -> "View":
        """The view that begins at (0, y, x) and takes units so far apart."""
        row, pixel = self.row * stride[0], self.pixel * stride[1]
        return replace(self, base=self.at(0, y, x), row=row, pixel=pixel)

    def per_group(self, channels: int) -> int:
        """Vectors from a group of so many channels to the next."""
        return channels * self.channel if self.group is None else self.group

    def at(self, c: int = 0, y: int = 0, x: int = 0) -> int:
        return self.base + c * self.channel + y * self.row + x * self.pixel


@dataclass(frozen=True)
class Halo:
    """Rows and columns of zeros around every map."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0

    def union(self, other: "Halo") -> "Halo":
        return Halo(
            max(self.top, other.top),
            max(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    @property
    def is_empty(self) -> bool:
        return not (self.top or self.left or self.bottom or self.right)


@dataclass(frozen=True)
class Buffer:
    """A volume with its halo, from vector `start` of `space` on."""

    start: int
    shape: Shape
    halo: Halo = Halo()
    space: str = WORKSPACE

    @property
    def width(self) -> int:
        """Vectors of a row, with the halo."""
        return self.shape[2] + self.halo.left + self.halo.right

    @property
    def map(self) -> int:
        """Vectors of a map, with the halo."""
        return (self.shape[1] + self.halo.top + self.halo.bottom) * self.width

    @property
    def size(self) -> int:
        """Vectors of all."""
        return self.shape[0] * self.map

    @property
    def view(self) -> View:
        inside = self.start + self.halo.top * self.width + self.halo.left
        return View(inside, self.map, self.width, space=self.space)

    @property
    def is_plain(self) -> bool:
        """Whether nothing lies between its units."""
        return self.halo.is_empty


def spaced(count: int) -> int:
    """At least `count` vectors, such that equal cells of pieces so far apart share no cache set."""
    return count + (2 - count) % 4
