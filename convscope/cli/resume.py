"""`convscope resume`."""

from typing import Annotated, Literal

from cyclopts import Parameter

from convscope.cli.terminal import TerminalWatcher, console, tell_trained
from convscope.device import keep_freed_memory
from convscope.training.api import resume as resume_run


def resume(
    run: str,
    /,
    *,
    threads: int | None = None,
    device: Literal["cpu", "cuda", "mps"] | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Go on with a training exactly where it stopped, however it stopped.

    Parameters
    ----------
    run
        A run folder.
    threads
        CPU threads; default as before. Other threads give other last bits.
    device
        Where to compute; default as before.
    json
        Print one JSON object on standard output, everything else on standard error.
    """
    keep_freed_memory()
    with TerminalWatcher(console(json=json)) as watcher:
        trained = resume_run(run, threads=threads, device=device, watcher=watcher)
        tell_trained(watcher, trained, json=json)
