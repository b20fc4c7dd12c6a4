"""`convscope study`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from convscope.atomic import write_atomically
from convscope.cli.json_output import print_json
from convscope.cli.options import DataDir, Device, Int, Json, Threads
from convscope.device import keep_freed_memory
from convscope.errors import shell_word
from convscope.startup import collect_again
from convscope.studies.api import study as run_study
from convscope.studies.page import page
from convscope.words.screen import Screen, cell


def study(
    name: str,
    data: str,
    /,
    *,
    seeds: Int = 3,
    epochs: Int = 5,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    data_dir: DataDir = None,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Measure one of the lecture's claims on your data, by training networks that differ in it.

    The same command goes on where it was stopped; finished trainings are not repeated.

    Parameters
    ----------
    name
        sharing, pooling, depth, filters or activation.
    data
        A data set as `convscope train` takes it.
    seeds
        Trainings of each network, 2 to 10.
    epochs
        Epochs of each.
    out
        Folder for the runs and report.html; default: runs/study-NAME-DATA.
    """
    collect_again()
    keep_freed_memory()
    progress, screen = Screen(stderr=True), Screen(stderr=json)
    result = run_study(
        name,
        data,
        seeds=seeds,
        epochs=epochs,
        out=out,
        data_dir=data_dir,
        device=device,
        threads=threads,
        on_message=progress.say,
    )
    report = result.path / "report.html"
    write_atomically(report, page(result))
    for line in result.lines:
        screen.say(line)
    if json:
        print_json(result.to_dict())
    else:
        header, *rows = result.rows()
        table = Table(header[0], box=None, pad_edge=False)
        for column in header[1:]:
            table.add_column(column, justify="right")
        for row in rows:
            table.add_row(*map(cell, row))
        screen.say()
        screen.print(table)
        screen.say()
    screen.say(f"{shell_word(report)} shows them; each training is a run beside it.")
