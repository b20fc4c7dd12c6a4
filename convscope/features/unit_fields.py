"""The receptive fields of the units of layers, in pixels of the network's input."""

from collections.abc import Sequence
from dataclasses import dataclass

from convscope.card import Card
from convscope.features.unit_layers import UnitLayer
from convscope.receptive import FieldMap, receptive_fields
from convscope.recording import ForwardPass

Box = tuple[tuple[int, int], tuple[int, int]]
"""Rows and columns of the image, (start, stop) each; below 0 and beyond its sides in padding."""


@dataclass(frozen=True)
class LayerField:
    """The receptive fields of one layer's units.

    Attributes:
        layer: the layer.
        fields: of the result in which its units are.
        image: (height, width) of the network's input.
    """

    layer: UnitLayer
    fields: FieldMap
    image: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a unit's field, also where it reaches over the border."""
        size = self.fields.size
        return (size[0], size[1]) if len(size) == 2 else self.image

    @property
    def is_exact(self) -> bool:
        """False where the fields may be smaller, behind an operation that is unknown."""
        return self.fields.exact

    def box(self, channel: int, position: int) -> Box:
        """The field of the unit at a position of a map, counted row by row.

        It may extend over the border of the image, into padding. A unit that depends on padding
        alone has the field that it would have in a larger image; one whose field is unknown, the
        whole image.
        """
        at = self.layer.index(channel, position)
        beyond = self.fields.box_without_borders(at)
        inside = self.fields.box(at)
        whole = tuple((0, side) for side in self.image)
        if len(inside) != 2:
            return whole[0], whole[1]
        spans = beyond or (None, None)
        rows, columns = (
            span or own or side for span, own, side in zip(spans, inside, whole, strict=True)
        )
        return rows, columns


def layer_fields(
    recorded: ForwardPass, layers: Sequence[UnitLayer], card: Card
) -> dict[str, LayerField]:
    """The fields of the units of layers, by the layers' names."""
    dependent = [operation for operation in recorded.operations if operation.operands]
    image = (1, card.in_channels, *card.input_size)
    fields = receptive_fields(dependent, image, recorded.state)
    return {
        layer.name: LayerField(layer, fields[layer.source], card.input_size) for layer in layers
    }
