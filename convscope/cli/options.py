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
        help="Print one JSON object on standard output, and everything else on standard error.",
    ),
]
Flag = Annotated[bool, Parameter(negative="")]
"""A switch that is off unless it is given; its help is in the command's docstring."""
