"""How a paper tests a network: which views of each image it averages over."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from convscope.card import MAX_SIDE, Card
from convscope.data.crops import Crops
from convscope.data.larger import spare_side
from convscope.data.views import num_views
from convscope.errors import RequestError

_NAMED = {"center": "center crop", "ten": "ten crops", "144": "144 crops", "150": "150 crops"}
_SCALES = {"144": (256, 288, 320, 352), "150": (256, 384, 512)}
"""Of the papers, for an input of 224."""


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """The views of an image whose probabilities are averaged.

    Attributes:
        crops: which parts of an image.
        scales: lengths of its shorter side, in pixels; none: the card's resize size, or 8/7 of the
            input, and of 144 and 150 crops the papers', in proportion to the input.
        flip: whether mirrored views are averaged with the others; they are parts of ten, 144 and
            150 crops.
        size: (height, width) of the crops in place of the card's input size.
    """

    crops: Crops = "center"
    scales: tuple[int, ...] = ()
    flip: bool = False
    size: tuple[int, int] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether an image is seen once, as the card says."""
        return self.crops == "center" and not self.scales and not self.flip

    def card(self, card: Card) -> Card:
        """The card with the protocol's size; what is cropped from grows in proportion."""
        if self.size is None or self.size == card.input_size:
            return card
        resize = card.resize_size and round(card.resize_size * self._growth(card))
        return replace(card, input_size=self.size, resize_size=resize)

    def scales_for(self, card: Card) -> tuple[int, ...]:
        """The lengths of the shorter side, for a card of `card`.

        Raises RequestError for one from which no crop can be cut.
        """
        shorter, longer = sorted(card.input_size)
        usual = card.resize_size or spare_side(card.input_size)
        scales = self.scales
        if not scales and self.crops in _SCALES:
            scales = tuple(max(longer, round(one * shorter / 224)) for one in _SCALES[self.crops])
        scales = scales or (usual,)
        least = longer if card.resize_mode == "crop" else shorter
        if wrong := [scale for scale in scales if not least <= scale <= MAX_SIDE]:
            raise RequestError(
                f"`scales` has {wrong[0]}, and the network's input has {longer} pixels: an image "
                f"is scaled to {least} at least, {MAX_SIDE} at most. For smaller crops, see "
                "`test_size`."
            )
        return scales

    def num_views(self, card: Card) -> int:
        """How many views of each image there are."""
        if self.is_plain:
            return 1
        return num_views(self.crops, len(self.scales_for(card)), flip=self.flip)

    def describe(self, card: Card) -> str:
        """As in "ten crops of 224x224 at scale 256"; "" where nothing is to be said."""
        size = "x".join(map(str, card.input_size))
        if self.is_plain:
            return "" if self.size is None else f"center crop of {size}"
        scales = self.scales_for(card)
        said = "dense" if self.crops == "dense" else f"{_NAMED[self.crops]} of {size}"
        at = f"at scale{'s' * (len(scales) > 1)} {', '.join(map(str, scales))}"
        is_added = self.flip and self.crops in ("center", "dense")
        return f"{said} {at}{', each also mirrored' if is_added else ''}"

    def _growth(self, card: Card) -> float:
        assert self.size is not None
        return max(new / old for new, old in zip(self.size, card.input_size, strict=True))


def parse_protocol(
    crops: str,
    scales: int | Iterable[int] | None,
    test_size: int | Sequence[int] | None,
    *,
    flip: bool,
) -> Protocol:
    """The protocol that the arguments of `evaluate` ask for. Raises RequestError."""
    known: dict[str, Crops] = {name: name for name in get_args(Crops)}
    name = known.get(str(crops))
    if name is None:
        raise RequestError(f"`crops` must be {', '.join(map(repr, known))}, not {crops!r}.")
    listed = () if scales is None else (scales,) if isinstance(scales, int) else tuple(scales)
    if not all(isinstance(one, int) and one >= 1 for one in listed):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RequestError(f"`scales` must be numbers of pixels, not {scales!r}.")
    if test_size is not None and name == "dense":
        raise RequestError(
            "`test_size` is the size of crops, and `crops='dense'` has none. Leave one out; "
            "`scales` says how large images become."
        )
    sides = (test_size, test_size) if isinstance(test_size, int) else test_size
    if sides is not None and (len(sides) != 2 or min(sides) < 1):
        raise RequestError(f"`test_size` must be a side in pixels, not {test_size!r}.")
    return Protocol(
        crops=name,
        scales=tuple(dict.fromkeys(listed)),
        flip=flip,
        size=None if sides is None else (sides[0], sides[1]),
    )
