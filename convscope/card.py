"""The card of a trained network: what must be known to feed it an image and to read its answer."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from convscope.errors import RequestError

VERSION = 1

ResizeMode = Literal["pad", "crop", "letterbox", "stretch"]
"""How a picture of any size comes to the network's size, aspect ratio kept unless it says so.

- `pad`: as it is, centered on black; a picture that is larger is scaled down to fit first.
- `crop`: scaled until its shorter side fits, or is `resize_size` long, then the center is cut out.
- `letterbox`: scaled until its longer side fits, then centered on black.
- `stretch`: scaled to the size, whatever becomes of the aspect ratio.
"""

NetworkOutput = Literal["logits", "probabilities"]
"""What a network returns for an image: a number per class before the softmax, or after it."""

Interpolation = Literal["bilinear", "bicubic"]
"""How the pixels of a scaled picture come from those around them."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What must travel with the weights so that training and serving cannot disagree.

    Attributes:
        classes: the names of the classes in the order of the network's outputs.
        input_size: (height, width) of the images that the network is fed, in pixels.
        in_channels: 1 (gray) or 3 (red, green, blue).
        to_gray: how a color picture becomes gray: ITU-R 601 luma, 0.299 R + 0.587 G + 0.114 B.
        to_color: how a gray picture becomes color: three times the same.
        resize_mode: how an image of another size comes to `input_size`.
        resize_size: the shorter side before `crop` cuts the center out, as ImageNet's 256 before
            224; None: cut as much as there is.
        interpolation: how its pixels are scaled.
        mean: per channel, of bytes scaled to 0..1; subtracted.
        std: per channel, likewise; divided by.
        output: what the network returns for an image; probabilities get no second softmax.
        provenance: where the weights came from: network, data, fingerprint, convscope's version.
    """

    classes: tuple[str, ...]
    input_size: tuple[int, int]
    in_channels: Literal[1, 3]
    resize_mode: ResizeMode
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize_size: int | None = None
    interpolation: Interpolation = "bilinear"
    output: NetworkOutput = "logits"
    to_gray: Literal["luma-601"] = "luma-601"
    to_color: Literal["repeat"] = "repeat"
    provenance: Mapping[str, str] = field(default_factory=dict[str, str], hash=False)

    def __post_init__(self) -> None:
        problems = [
            (len(self.classes) < 2, f"needs two classes or more, not {list(self.classes)}"),
            (len(set(self.classes)) < len(self.classes), "names a class twice"),
            (min(self.input_size) < 1, f"has the impossible size {self.input_size}"),
            (self.in_channels not in (1, 3), f"has {self.in_channels} channels; 1 and 3 are known"),
            (
                self.resize_mode not in get_args(ResizeMode),
                f"has resize_mode={self.resize_mode!r}; known: {get_args(ResizeMode)}",
            ),
            (
                self.resize_size is not None and self.resize_mode != "crop",
                f"has a resize_size with resize_mode={self.resize_mode!r}",
            ),
            (
                self.resize_size is not None and self.resize_size < max(self.input_size),
                f"cuts {self.input_size} out of pictures with a shorter side of {self.resize_size}",
            ),
            (
                self.interpolation not in get_args(Interpolation),
                f"has interpolation={self.interpolation!r}; known: {get_args(Interpolation)}",
            ),
            (
                self.output not in get_args(NetworkOutput),
                f"has output={self.output!r}; known: {get_args(NetworkOutput)}",
            ),
            (self.to_gray != "luma-601", f"has the unknown rule to_gray={self.to_gray!r}"),
            (self.to_color != "repeat", f"has the unknown rule to_color={self.to_color!r}"),
            (len(self.mean) != self.in_channels, f"needs one mean per channel, not {self.mean}"),
            (len(self.std) != self.in_channels, f"needs one std per channel, not {self.std}"),
            (
                not all(map(math.isfinite, (*self.mean, *self.std))),
                "has a mean or std of no number",
            ),
            (min(self.std, default=1) <= 0, f"needs every std above zero, not {self.std}"),
        ]
        for wrong, what in problems:
            if wrong:
                raise RequestError(f"The card {what}.")

    def to_json(self) -> str:
        """The card as text: strict JSON, versioned, one field a line."""
        fields = asdict(self)
        fields["provenance"] = dict(self.provenance)
        return json.dumps({"version": VERSION, **fields}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str = "card.json") -> "Card":
        """Read a card back. Raises RequestError, naming `where`, for whatever is not one."""
        try:
            fields: dict[str, Any] = json.loads(text)
            version = fields.pop("version")
            for name in ("classes", "input_size", "mean", "std"):
                fields[name] = tuple(fields[name])
            card = cls(**fields)
        except RequestError as error:
            raise RequestError(f"{where}: {error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RequestError(f"{where} is not a card ({error}).") from error
        if version != VERSION:
            raise RequestError(
                f"{where} has version {version}; this convscope reads {VERSION}. Update convscope."
            )
        return card
