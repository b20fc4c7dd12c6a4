"""`convscope resume`."""

from typing import Literal

from convscope.cli.options import Json
from convscope.cli.terminal import TerminalWatcher, console, tell_trained
from convscope.device import keep_freed_memory
from convscope.training.api import resume as resume_run


def resume(
    run: str,
    /,
    *,
    threads: int | None = None,
    device: Literal["cpu", "cuda", "mps"] | None = None,
    json: Json = False,
) -> None:
    """Resume an interrupted training exactly where it stopped, whatever stopped it.

    Parameters
    ----------
    run
        A run folder.
    threads
        CPU threads; by default as before. Another number gives results that differ in rounding.
    device
        Where to compute; by default as before.
    """
    keep_freed_memory()
    with TerminalWatcher(console(json=json)) as watcher:
        trained = resume_run(run, threads=threads, device=device, watcher=watcher)
        tell_trained(watcher, trained, json=json)
