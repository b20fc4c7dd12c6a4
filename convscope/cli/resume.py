"""`convscope resume`."""

from convscope.cli.options import Json, OptionalInt
from convscope.cli.terminal import TerminalProgress, console, print_result
from convscope.device import keep_freed_memory
from convscope.training.api import resume as resume_run


def resume(
    run: str,
    /,
    *,
    threads: OptionalInt = None,
    device: str | None = None,
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
    with TerminalProgress(console(json=json)) as terminal:
        result = resume_run(run, threads=threads, device=device, callbacks=[terminal])
        print_result(terminal, result, json=json)
