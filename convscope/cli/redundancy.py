"""`convscope redundancy`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from rich.table import Table

from convscope.atomic import write_atomically
from convscope.cli.batch_progress import batch_progress
from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.options import DataDir, Int, Json, Layers, PretrainedWeights, Published, Trust
from convscope.device import keep_freed_memory
from convscope.errors import RequestError, shell_word
from convscope.startup import collect_again
from convscope.words.screen import Screen, cell

if TYPE_CHECKING:
    from convscope.map_similarity.api import Redundancy
    from convscope.map_similarity.layer import LayerRedundancy

_PAIRS = 3


def redundancy(
    run: str,
    data: str | None = None,
    /,
    *,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    layers: Layers = (),
    split: Literal["train", "val", "test"] | None = None,
    max_images: Int = 2000,
    weights: PretrainedWeights = None,
    pretrained: Published = False,
    data_dir: DataDir = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Find filters that detect the same pattern, and dead ones, over a data set.

    Parameters
    ----------
    run
        A run folder; with --weights or --pretrained a network's name.
    data
        The images, as for train; by default the run's own test images.
    out
        A page (.html) with a picture of every two maps of each layer.
    layers
        Layers whose maps are compared, by the names of explain --list-layers; by default all
        convolutions.
    split
        The split of the data; by default the test split, or all images if there is none.
    max_images
        Images over which the maps are compared, at equal distances in the data.
    """
    if out is not None and out.suffix.lower() not in (".html", ".htm"):
        raise RequestError(f"--out is a page: name it {out.with_suffix('.html')}.")
    if out is not None and not out.parent.is_dir():
        raise RequestError(f"--out: the folder of {out} does not exist.")
    from convscope.map_similarity.api import redundancy as measure  # noqa: PLC0415 -- torch
    from convscope.map_similarity.page import page  # noqa: PLC0415

    collect_again()
    keep_freed_memory()
    screen = Screen(stderr=json)
    with batch_progress(is_shown=sys.stderr.isatty()) as on_progress:
        result = measure(
            run,
            data,
            layers=layers or None,
            split=split,
            max_images=max_images,
            weights=weights,
            pretrained=pretrained,
            data_dir=data_dir,
            trust=trust,
            on_progress=on_progress,
        )
    for note in result.notes:
        screen.say(in_flags(note))
    if out is not None:
        write_atomically(out, page(result))
    if json:
        print_json(result.to_dict())
        return
    _print(screen, result)
    if out is not None:
        screen.say(f"Wrote {out}.")
    screen.say()
    screen.say(f"Next:  convscope explain {shell_word(run)} IMAGE --at LAYER[c,y,x]")


def _print(screen: Screen, result: "Redundancy") -> None:
    images = result.layers[0].num_images
    screen.say(f"{result.model}: maps after the activation, over {images:,} images ({result.data})")
    screen.say()
    table = Table("layer", box=None, pad_edge=False)
    for name in ("maps", "dead", "twins", "redundant", "effective rank (95%)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("most similar maps: correlation (95%)")
    for layer in result.layers:
        twins = sum(map(len, layer.groups))
        low, high = layer.rank_interval
        table.add_row(
            cell(layer.name),
            str(len(layer)),
            str(len(layer.dead)),
            str(twins),
            str(len(layer.redundant)),
            f"{layer.rank:.1f} ({low:.1f} to {high:.1f})",
            cell(_pairs(layer)),
        )
    screen.print(table)
    screen.say()
    screen.say(
        "Twins correlate by 0.9 or more, or as negatives, with the first of their group; redundant "
        "are the others of the group, and dead maps, which hardly change."
    )


def _pairs(layer: "LayerRedundancy") -> str:
    nearest = [] if layer.most_similar is None else [layer.most_similar]
    return ", ".join(
        f"{pair.first} and {pair.second}: {pair.correlation:.3f} ({pair.low:.3f} to "
        f"{pair.high:.3f})"
        for pair in layer.pairs[:_PAIRS] or nearest
    )
