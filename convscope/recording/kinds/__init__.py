"""The table of operation kinds: what the rest of convscope knows of each function of torch.

Recording, receptive fields, summaries, explanations and the page all read this table, and no other
list of kinds exists. A kind that is not in it is still recorded: its values are shown, its units
may depend on everything, its label is its own name, and its cost is unknown unless it is known to
add up no products.
"""

from collections.abc import Mapping
from types import MappingProxyType

from convscope.recording.kinds.choices import SCATTERED
from convscope.recording.kinds.elementwise import ELEMENTWISE
from convscope.recording.kinds.kind import Drawing, FieldEffect, Kind, MultiplyAdds, Rule
from convscope.recording.kinds.layers import LAYERS
from convscope.recording.kinds.movement import INPLACE_UPDATE, MOVEMENT
from convscope.recording.kinds.quantized import QUANTIZED
from convscope.recording.kinds.reductions import REDUCTIONS
from convscope.recording.kinds.spectra import SPECTRA
from convscope.recording.kinds.without_products import WITHOUT_PRODUCTS

__all__ = [
    "INPLACE_UPDATE",
    "KINDS",
    "WITHOUT_PRODUCTS",
    "Drawing",
    "FieldEffect",
    "Kind",
    "MultiplyAdds",
    "Rule",
    "get_kind",
]

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            *(*LAYERS, *REDUCTIONS, *SPECTRA, *ELEMENTWISE, *MOVEMENT),
            *(*SCATTERED, *QUANTIZED),
        )
    }
)
"""Every row, by name."""


def get_kind(name: str) -> Kind:
    """The row of a kind; a row of defaults where the table has none.

    >>> get_kind("conv2d").label, get_kind("add").label, get_kind("qr").label
    ('Conv', 'add', 'qr')
    """
    cost = None if name in WITHOUT_PRODUCTS else "unknown"
    return KINDS.get(name) or Kind(name, label=name, multiply_adds=cost)
