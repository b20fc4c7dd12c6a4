"""`convscope models`."""

from itertools import groupby

from convscope.cli.options import Json
from convscope.cli.terminal import console, print_json
from convscope.zoo import ZOO, paper


def models(*, json: Json = False) -> None:
    """List the available networks, paper by paper, with the images they were designed for."""
    if json:
        entries = {
            name: {
                "paper": paper(name),
                "num_classes": entry.num_classes,
                "in_channels": entry.in_channels,
                "input_size": entry.input_size,
                "min_size": entry.min_size,
            }
            for name, entry in ZOO.items()
        }
        print_json(entries)
        return
    screen = console()
    width = max(map(len, ZOO))
    for title, names in groupby(ZOO, paper):
        screen.print(f"[bold]{title}[/bold]")
        for name in names:
            entry = ZOO[name]
            size = f"{entry.input_size[0]}x{entry.input_size[1]}x{entry.in_channels}"
            screen.print(
                f"  {name:{width}}  {size:>9}, at least {entry.min_size}x{entry.min_size}; "
                f"{entry.num_classes:,} classes",
                markup=False,
            )
        screen.print()
    screen.print(
        "Next:  convscope summary NAME           (its layers, parameters, receptive fields)"
    )
    screen.print("       convscope train DATA --model NAME")
