"""`convscope models`."""

from itertools import groupby

from convscope.cli.json_output import print_json
from convscope.cli.options import Json
from convscope.errors import RequestError
from convscope.words.screen import Screen
from convscope.zoo import ENTRIES, list_models, paper


def models(pattern: str = "", /, *, json: Json = False) -> None:
    """List the available networks, paper by paper, with the images they were designed for.

    Parameters
    ----------
    pattern
        Only those whose name matches, as "resnet*"; by default all.
    """
    chosen = set(list_models(pattern if not pattern or "*" in pattern else f"*{pattern}*"))
    if not chosen:
        raise RequestError(f"No network of the zoo has a name like {pattern!r}.")
    entries = {name: entry for name, entry in ENTRIES.items() if name in chosen}
    if json:
        print_json(
            {
                name: {
                    "paper": paper(name),
                    "num_classes": entry.num_classes,
                    "in_channels": entry.in_channels,
                    "input_size": entry.input_size,
                    "min_size": entry.min_size,
                }
                for name, entry in entries.items()
            }
        )
        return
    screen = Screen()
    width = max(map(len, entries))
    for title, names in groupby(entries, paper):
        screen.print(f"[bold]{title}[/bold]")
        for name in names:
            entry = entries[name]
            size = f"{entry.input_size[0]}x{entry.input_size[1]}x{entry.in_channels}"
            screen.say(
                f"  {name:{width}}  {size:>9}, at least {entry.min_size}x{entry.min_size}; "
                f"{entry.num_classes:,} classes"
            )
        screen.say()
    screen.say("Next:  convscope summary NAME           (its layers, parameters, receptive fields)")
    screen.say("       convscope train DATA --model NAME")
