"""Changes as text: `conv1[3]=0`, `conv2[5,1,2]*=2`, `relu1[4]=mean`, `conv1[3]=@other.png`."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from convscope.errors import RequestError

Action = Literal["set", "scale", "add", "mean", "patch"]

_EDIT = re.compile(r"\s*([^\[\]=*+]+?)\s*(?:\[([^\]]*)\])?\s*(\*=|\+=|=)\s*(.+?)\s*", re.DOTALL)
_ACTIONS: dict[str, Action] = {"=": "set", "*=": "scale", "+=": "add"}


@dataclass(frozen=True, eq=False)
class Edit:
    """A change of some numbers of a result or of a parameter.

    Attributes:
        name: of the operation, as in a recording, or of the parameter or buffer.
        index: of the units, without the batch; `slice(None)` for a whole axis. What is left out at
            the end is whole.
        action: `set` to `value`, `scale` by it, `add` it; replace by the `mean` of each map, or
            `patch` with the numbers that the same units have for another `image`.
    """

    name: str
    index: tuple[int | slice, ...]
    action: Action
    value: float = 0.0
    image: str = ""

    def __str__(self) -> str:
        places = ",".join(":" if isinstance(at, slice) else str(at) for at in self.index)
        at = f"[{places}]" if self.index else ""
        sign = {"set": "=", "scale": "*=", "add": "+="}.get(self.action, "=")
        values = {"mean": "mean", "patch": f"@{self.image}"}
        return f"{self.name}{at}{sign}{values.get(self.action, f'{self.value:g}')}"


def parse_edit(text: str) -> Edit:
    """A change from its text. Raises RequestError for any other text.

    >>> parse_edit("conv1[3]=0")
    Edit(name='conv1', index=(3,), action='set', value=0.0, image='')
    >>> str(parse_edit("fc1[:] *= 0.5"))
    'fc1[:]*=0.5'
    """
    match = _EDIT.fullmatch(text)
    if match is None:
        raise RequestError(_FORM.format(text=repr(text)))
    name, index, sign, value = match.groups()
    places = _index(text, index)
    if sign == "=" and value == "mean":
        return Edit(name, places, "mean")
    if sign == "=" and value.startswith("@") and len(value) > 1:
        return Edit(name, places, "patch", image=value[1:])
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise RequestError(_FORM.format(text=repr(text)))
    return Edit(name, places, _ACTIONS[sign], number)


_FORM = (
    "{text} is no change. Write LAYER[channel]=0 to silence a map, LAYER[channel,row,column]=1.5, "
    "LAYER[channel]*=2, LAYER[channel]+=0.1, LAYER[channel]=mean, or LAYER[channel]=@IMAGE for the "
    "values that it has for another image; a parameter's name in place of LAYER changes weights."
)


def _index(text: str, index: str | None) -> tuple[int | slice, ...]:
    if index is None:
        return ()
    places: list[int | slice] = []
    for part in index.split(","):
        word = part.strip()
        if word == ":":
            places.append(slice(None))
        elif word.isdecimal():
            places.append(int(word))
        else:
            raise RequestError(f"{text!r} has the index {word!r}; write numbers, or : for all.")
    return tuple(places)


def check_index(edit: Edit, shape: Sequence[int]) -> None:
    """Raise RequestError for an index outside of a shape, which has no batch axis."""
    sizes = "x".join(map(str, shape)) or "no axes"
    if len(edit.index) > len(shape):
        raise RequestError(f"{edit}: {edit.name} has the shape {sizes}, which has fewer axes.")
    for at, size in zip(edit.index, shape, strict=False):
        if isinstance(at, int) and at >= size:
            raise RequestError(f"{edit}: {at} is out of range; {edit.name} has the shape {sizes}.")
