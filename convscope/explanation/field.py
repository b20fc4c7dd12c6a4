"""What one unit sees of the image."""

from collections.abc import Sequence

from convscope.explanation.explanation import ReceptiveField
from convscope.receptive import receptive_fields
from convscope.recording import Operation


class Fields:
    """The receptive fields of the units of one pass over an image of a shape (1, c, h, w)."""

    def __init__(self, operations: Sequence[Operation], image: Sequence[int]) -> None:
        followed = [done for done in operations if done.operands]
        self.seen = receptive_fields(followed, image) if len(image) > 2 else {}

    def of(self, name: str, at: Sequence[int]) -> ReceptiveField | None:
        """The field of the unit `at` (its index with the batch axis); None without any."""
        seen = self.seen.get(name)
        if seen is None or len(at) != len(seen.dims):
            return None
        axes, clipped = seen.axes_at(at), seen.box(at)
        if all(axis.is_empty for axis in axes):
            return None
        box = tuple(
            axis.field.box(unit) if axis.field else part or (0, 0)
            for axis, unit, part in zip(axes, seen.units(at), clipped, strict=True)
        )
        return ReceptiveField(box, clipped, seen.exact)
