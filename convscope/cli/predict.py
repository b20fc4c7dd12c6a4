"""`convscope predict`."""

import csv
import sys
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.markup import escape
from rich.table import Table

from convscope.cli.terminal import console, print_json
from convscope.errors import WorkError
from convscope.evaluation.predict import Predictions
from convscope.evaluation.predict import predict as predict_images


def predict(
    run: str,
    /,
    *images: str,
    format: Literal["table", "json", "csv"] = "table",  # noqa: A002
    top: int = 3,
    batch_size: int = 64,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    threads: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Label images with a trained network.

    Parameters
    ----------
    run
        A run folder.
    images
        Image files, folders (all images below them), or globs.
    format
        table for people; json and csv for machines.
    top
        How many classes each answer ranks.
    batch_size
        Images per forward pass.
    device
        Where to compute; auto takes cuda, else mps, else cpu.
    threads
        CPU threads; default one per core.
    json
        The same as --format json.
    """
    found = predict_images(
        run, images, top=top, batch_size=batch_size, device=device, threads=threads
    )
    match "json" if json else format:
        case "json":
            unreadable = [dict(path=path, reason=reason) for path, reason in found.unreadable]
            print_json(
                {
                    "predictions": [answer.to_dict() for answer in found],
                    "unreadable": unreadable,
                }
            )
        case "csv":
            _print_csv(found)
        case "table":
            _print_table(found)
    if found.unreadable:
        words = console(json=True)
        for path, reason in found.unreadable:
            words.print(f"{path} {reason}", markup=False)
        if not found:
            raise WorkError(f"None of the {len(found.unreadable)} images could be read.")


def _print_csv(found: Predictions) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["path", "label", "probability"])
    for answer in found:
        writer.writerow([answer.path, answer.label, f"{answer.probability:.6f}"])


def _print_table(found: Predictions) -> None:
    table = Table("image", "label", box=None, pad_edge=False)
    table.add_column("probability", justify="right")
    table.add_column("then", style="dim")
    for answer in found:
        then = ", ".join(f"{name} {share:.1%}" for name, share in answer.top_k[1:])
        table.add_row(
            escape(answer.path), escape(answer.label), f"{answer.probability:.1%}", escape(then)
        )
    console().print(table)
