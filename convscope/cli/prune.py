"""`convscope prune`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.table import Table

from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.options import DataDir, Int, Json, OptionalInt, OwnCode, Threads, Trust
from convscope.device import keep_freed_memory
from convscope.errors import shell_word
from convscope.startup import collect_again
from convscope.words.screen import Screen, cell

if TYPE_CHECKING:
    from convscope.pruning.result import PruningResult


def prune(
    run: str,
    data: str | None = None,
    /,
    *,
    out: Annotated[Path, Parameter(alias="-o")],
    multiply_adds: float | None = None,
    max_drop: float | None = None,
    similarity: float = 0.99,
    epochs: OptionalInt = None,
    lr: float | None = None,
    max_images: Int = 1000,
    model: OwnCode = None,
    trust: Trust = False,
    data_dir: DataDir = None,
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Remove filters from a trained network, fine-tune it, and compare the two.

    Dead filters and twins go first. Accuracy, size and speed are printed before and after.

    Parameters
    ----------
    run
        A run folder.
    data
        Where the run's images are now, if they were moved.
    out
        The run folder to create, of the pruned network.
    multiply_adds
        The share of the multiply-adds that is to be left, such as 0.6; by default only dead filters
        and twins go.
    max_drop
        Points of validation accuracy that pruning may cost, before fine-tuning.
    similarity
        Cosine from which the maps of two filters count as the same.
    epochs
        Epochs of fine-tuning; by default three tenths of the run's.
    lr
        Peak learning rate of fine-tuning; by default a tenth of the run's.
    max_images
        Training images on which filters are measured.
    """
    from convscope.pruning.api import prune as prune_run  # noqa: PLC0415 -- torch

    collect_again()
    keep_freed_memory()
    screen, told = Screen(stderr=json), set[str]()

    def on_progress(what: str, _done: int, total: int) -> None:
        if what not in told:
            told.add(what)
            Screen(stderr=True).say(f"Measuring filters on {total:,} images: {what}.")

    result = prune_run(
        run,
        data,
        out=out,
        multiply_adds=multiply_adds,
        max_drop=max_drop,
        similarity=similarity,
        epochs=epochs,
        lr=lr,
        max_images=max_images,
        model=model,
        trust=trust,
        threads=threads,
        data_dir=data_dir,
        on_progress=on_progress,
    )
    for note in result.notes:
        screen.say(in_flags(note))
    if json:
        print_json(result.to_dict())
        return
    _print(screen, result)
    screen.say()
    screen.say(f"Next:  convscope export {shell_word(result.run.path)} -o DIR")


def _print(screen: Screen, result: "PruningResult") -> None:
    table = Table("", box=None, pad_edge=False)
    for name in ("before", "after", ""):
        table.add_column(name, justify="right", no_wrap=True)
    before, after = result.sizes
    rows = [
        ("parameters", before.parameters, after.parameters),
        ("multiply-adds", before.multiply_adds, after.multiply_adds),
    ]
    for name, old, new in rows:
        table.add_row(name, f"{old:,}", f"{new:,}", f"{new / old - 1:+.0%}")
    for engine, times in result.times.items():
        for batch, (slow, fast) in times.items():
            what = f"ms for {batch} image{'s' * (batch > 1)}, {engine}"
            ratio = f"{slow.p50 / fast.p50:.2f} times as fast"
            table.add_row(what, f"{1e3 * slow.p50:.2f}", f"{1e3 * fast.p50:.2f}", ratio)
    screen.say()
    screen.say(
        f"Removed {result.redundant:,} groups of dead filters and twins, and {result.others:,} "
        "others, least important first."
    )
    changed = [
        f"{layer} {old} to {new}" for layer, (old, new) in result.filters.items() if old != new
    ]
    screen.print(cell(f"Filters: {', '.join(changed)}."))
    if result.without_training is not None:
        old, new = result.without_training
        screen.say(f"Validation images, before fine-tuning: {old:.2%} before, {new:.2%} after.")
    screen.say()
    screen.print(table)
    screen.say()
    screen.say(f"{result.accuracy.num_images:,} test images: {result.accuracy}")
