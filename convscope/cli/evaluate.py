"""`convscope evaluate`."""

import shlex
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from convscope.cli.messages import in_flags
from convscope.cli.terminal import console, print_json, scores_tables
from convscope.evaluation.evaluate import evaluate as evaluate_run


def evaluate(
    run: str,
    data: str | None = None,
    /,
    *,
    split: Literal["train", "val", "test"] | None = None,
    data_dir: Path | None = None,
    batch_size: int = 256,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    threads: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Measure a trained network: accuracy, loss, per class, and the confusion matrix.

    Parameters
    ----------
    run
        A run folder.
    data
        What to evaluate on, as for train; default the test images that the run set aside.
    split
        Which split of the data; default the test split, or everything where there is none.
    data_dir
        Folder searched for named data sets.
    batch_size
        Images per forward pass.
    device
        Where to compute; auto takes cuda, else mps, else cpu.
    threads
        CPU threads; default one per core.
    json
        Print one JSON object on standard output, everything else on standard error.
    """
    screen = console(json=json)
    found = evaluate_run(
        run,
        data,
        split=split,
        data_dir=data_dir,
        batch_size=batch_size,
        device=device,
        threads=threads,
    )
    for note in found.notes:
        screen.print(in_flags(note), markup=False)
    scores = found.metrics
    if json:
        print_json({"run": run, "data": found.data, **scores.to_dict()})
        return
    screen.print(f"{run} on {found.data}", markup=False)
    screen.print()
    scores_tables(screen, scores)
    screen.print(f"\nNext:  convscope predict {shlex.quote(run)} IMAGE...", markup=False)
