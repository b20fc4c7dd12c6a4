"""`convscope intervene`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from rich.table import Table

from convscope.cli.batch_progress import batch_progress
from convscope.cli.json_output import print_json
from convscope.cli.options import SEVERAL, DataDir, Int, Json, PretrainedWeights, Published, Trust
from convscope.errors import RequestError
from convscope.words.screen import Screen, cell

if TYPE_CHECKING:
    from convscope.interventions.api import DataIntervention, ImageIntervention

_CLASSES = 5
_IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".dcm", ".ppm"}


def intervene(
    run: str,
    image: str | None = None,
    /,
    *,
    set: Annotated[tuple[str, ...], SEVERAL] = (),  # noqa: A002
    at: str | None = None,
    top: Int = 5,
    split: Literal["train", "val", "test"] | None = None,
    weights: PretrainedWeights = None,
    pretrained: Published = False,
    data_dir: DataDir = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Change units, maps or weights inside a network, and see its answers change.

    Parameters
    ----------
    run
        A run folder; with --weights or --pretrained a network's name; or a recording that
        `convscope explain --save` wrote.
    image
        An image file, or the data to compare over, as for evaluate; by default the run's own test
        images.
    set
        A change: conv1[3]=0 silences a map, conv1[3,5,7]*=2 scales a unit, conv1[3]+=0.1 adds,
        conv1[3]=mean, conv1[3]=@other.png patches in its values for another image,
        conv1.weight[3]=0 changes weights. Repeat for several.
    at
        For an image: the unit whose change is explained term by term, as in explain; by default the
        output of the class that changed most.
    top
        Terms that are listed.
    split
        For data: the split; by default the test split, or all images if there is none.
    """
    if not set:
        raise RequestError("Name a change with --set, such as --set 'conv1[3]=0'.")
    is_image = image is not None and Path(image).suffix.lower() in _IMAGES
    from convscope.explanation.saved.file import is_recording  # noqa: PLC0415 -- torch
    from convscope.interventions.api import (  # noqa: PLC0415
        intervene as on_image,
    )
    from convscope.interventions.api import intervene_on_data  # noqa: PLC0415

    screen = Screen(stderr=json)
    is_recorded = image is None and Path(run).is_file() and is_recording(Path(run))
    if is_image or is_recorded:
        if split is not None:
            raise RequestError("--split belongs to data, and an image was named.")
        found = on_image(run, image, set=set, weights=weights, pretrained=pretrained, trust=trust)
        _show_image(screen, found, at=at, top=top, json=json)
        return
    if at is not None:
        raise RequestError("--at belongs to an image; leave it out for data.")
    with batch_progress(is_shown=sys.stderr.isatty()) as on_progress:
        result = intervene_on_data(
            run,
            image,
            set=set,
            split=split,
            weights=weights,
            pretrained=pretrained,
            data_dir=data_dir,
            trust=trust,
            on_progress=on_progress,
        )
    if json:
        print_json(result.to_dict())
        return
    _show_data(screen, result)


def _show_image(
    screen: Screen, found: "ImageIntervention", *, at: str | None, top: int, json: bool
) -> None:
    from convscope.explanation.api import parse_unit  # noqa: PLC0415 -- torch
    from convscope.explanation.recorded_image import RecordedImage  # noqa: PLC0415

    before, after = found.probabilities()
    if at is None:
        at = str(int(abs(after - before).argmax()))
    name, unit = parse_unit(RecordedImage(found.before, found.card, ""), at)
    change = found.unit(name, unit)
    if json:
        print_json({**found.to_dict(), "unit": change.to_dict(top)})
        return
    screen.say(f"Changed: {'; '.join(map(str, found.edits))}")
    screen.say()
    table = Table("class", box=None, pad_edge=False)
    for head in ("before", "after", "change"):
        table.add_column(head, justify="right")
    order = sorted(range(len(before)), key=lambda k: -abs(after[k] - before[k]))[:_CLASSES]
    for k in order:
        moved = f"{100 * (after[k] - before[k]):+.2f} points"
        table.add_row(cell(found.card.classes[k]), f"{before[k]:.2%}", f"{after[k]:.2%}", moved)
    screen.print(table)
    screen.say()
    table = Table("operation", "kind", box=None, pad_edge=False)
    for head in ("changed units", "largest change", "rms change"):
        table.add_column(head, justify="right")
    for each in found.operations():
        counts = f"{each.changed:,} of {each.units:,}"
        table.add_row(cell(each.name), each.kind, counts, f"{each.largest:.4g}", f"{each.rms:.4g}")
    screen.print(table)
    screen.say()
    screen.say(
        f"{name}{list(unit)}: {change.before:.6g} before, {change.after:.6g} after. Its terms "
        f"changed by {change.sum_of_changes:+.6g} in all; {len(change.terms):,} of them changed:"
    )
    table = Table("reads", box=None, pad_edge=False)
    for head in ("weight", "before", "after", "change"):
        table.add_column(head, justify="right")
    for term in change.terms[:top]:
        numbers = (term.weight, term.before, term.after)
        table.add_row(
            cell(str(term.location)), *(f"{n:.5g}" for n in numbers), f"{term.change:+.5g}"
        )
    screen.print(table)


def _show_data(screen: Screen, result: "DataIntervention") -> None:
    screen.say(f"Changed: {'; '.join(map(str, result.edits))}")
    screen.say(f"{result.accuracy.num_images:,} images ({result.data}): {result.accuracy}")
    screen.say()
    table = Table("class", box=None, pad_edge=False)
    for head in ("images", "before", "after", "lost", "gained", "change, 95% interval"):
        table.add_column(head, justify="right")
    for name, each in result.classes.items():
        low, high = (100 * bound for bound in each.interval)
        count = each.num_images
        table.add_row(
            cell(name), f"{count:,}", f"{each.before / count:.1%}", f"{each.after / count:.1%}",
            str(each.lost), str(each.gained),
            f"{100 * each.change:+.1f} points, {low:+.1f} to {high:+.1f}",
        )  # fmt: skip
    screen.print(table)
