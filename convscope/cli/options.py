"""Options that several commands have, each with its help."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token


def _integer(_hint: Any, tokens: Sequence[Token]) -> int:
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"{tokens[0].value!r} is not an integer.") from None


INTEGER = Parameter(converter=_integer)
"""For options that are integers: cyclopts alone would round 1.5."""
Int = Annotated[int, INTEGER]
OptionalInt = Annotated[int | None, INTEGER]

DataDir = Annotated[
    Path | None,
    Parameter(help="Folder that is searched for named data sets before they are downloaded."),
]
BatchSize = Annotated[int, INTEGER, Parameter(help="Images per forward pass.")]
Device = Annotated[
    str,
    Parameter(
        help="Where to compute: cpu, cuda, mps, or a GPU's number, as cuda:1; auto takes cuda, "
        "else mps, else cpu."
    ),
]
Threads = Annotated[int | None, INTEGER, Parameter(help="CPU threads; by default one per core.")]
Json = Annotated[
    bool,
    Parameter(
        negative="",
        show_default=False,
        help="Print one JSON object on standard output, and everything else on standard error.",
    ),
]
Flag = Annotated[bool, Parameter(negative="", show_default=False)]
"""A switch that is off by default; its help is in the command's docstring."""

SEVERAL = Parameter(consume_multiple=True, negative="", show_default=False)
"""An option that takes several values and is empty by default."""
