"""`convscope models`."""

from itertools import groupby
from typing import Annotated

from cyclopts import Parameter

from convscope.cli.terminal import console, print_json
from convscope.zoo import ZOO, paper


def models(*, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """List the networks that there are, paper by paper, and the images that they were made for.

    Parameters
    ----------
    json
        Print one JSON object on standard output.
    """
    if json:
        facts = {
            name: {
                "paper": paper(name),
                "num_classes": entry.num_classes,
                "in_channels": entry.in_channels,
                "input_size": entry.input_size,
                "min_size": entry.min_size,
            }
            for name, entry in ZOO.items()
        }
        print_json(facts)
        return
    screen = console()
    wide = max(map(len, ZOO))
    for told, names in groupby(ZOO, paper):
        screen.print(f"[bold]{told}[/bold]")
        for name in names:
            entry = ZOO[name]
            size = f"{entry.input_size[0]}x{entry.input_size[1]}x{entry.in_channels}"
            screen.print(
                f"  {name:{wide}}  {size:>9}, {entry.min_size}x{entry.min_size} or more; "
                f"{entry.num_classes:,} classes",
                markup=False,
            )
        screen.print()
    screen.print(
        "Next:  convscope summary NAME           (its layers, parameters, receptive fields)"
    )
    screen.print("       convscope train DATA --model NAME")
