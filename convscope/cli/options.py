"""Options that several commands have, each with its help."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

DataDir = Annotated[
    Path | None,
    Parameter(help="Folder that is searched for named data sets before they are downloaded."),
]
BatchSize = Annotated[int, Parameter(help="Images per forward pass.")]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    Parameter(help="Where to compute; auto takes cuda, else mps, else cpu."),
]
Threads = Annotated[int | None, Parameter(help="CPU threads; by default one per core.")]
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
