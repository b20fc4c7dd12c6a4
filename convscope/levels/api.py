"""`hierarchy`: the most telling filters of each level of a network, and what they are made of."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import nn

from convscope.card import Card, ResizeMode
from convscope.data.dataset import Split
from convscope.data.source import DataLike
from convscope.device import choose_device, threads_set
from convscope.errors import RequestError, nearest
from convscope.evaluation.opening import open_trained
from convscope.evaluation.selection import DataRequest
from convscope.features.image_set import open_images
from convscope.features.layer_pass import LayerPass
from convscope.features.patches.api import find_patches
from convscope.features.unit_layers import record_blank
from convscope.levels.choice import choose_levels
from convscope.levels.output import check_output, write_result
from convscope.levels.probing import probe_levels
from convscope.levels.result import HierarchyResult
from convscope.levels.study import OnProgress, Study
from convscope.models import ModelLike
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms
from convscope.weights.class_names import ClassNamesLike
from convscope.weights.preprocessing import InputSettings, PerChannel
from convscope.weights.source import WeightsSource


@takes_synonyms
def hierarchy(
    run: ModelLike,
    data: DataLike | None = None,
    *,
    layers: str | Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    filters: int = 8,
    top: int = 6,
    synthesis: bool = True,
    steps: int = 64,
    probes: bool = True,
    output: str | Path | None = None,
    split: Split | None = None,
    model: str | nn.Module | None = None,
    trust: bool = False,
    weights: WeightsSource | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    class_names: ClassNamesLike | None = None,
    input_size: int | tuple[int, int] | None = None,
    resize_mode: ResizeMode | None = None,
    mean: PerChannel | None = None,
    std: PerChannel | None = None,
    data_dir: str | Path | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    on_progress: OnProgress = lambda doing, done, total: None,
) -> HierarchyResult:
    """Show each level of a network by its most telling filters, and what these are made of.

    Levels are the classes and up to four layers below them: see `choose_levels`. Of each filter
    there are its strongest patches in the data set, the classes it responds to, its weights or the
    computed picture that excites it most, and its parts: how much each filter of the next lower
    level adds to its value, which is exact for layers and activation functions: see `Divider`. The
    filters that are shown are those of which the shown ones above are made most.

    Args:
        run: a run, or a network with weights, as in `evaluate`.
        data: other data than the run's own; by default its test images.
        layers: names of other layers as levels below the classes.
        classes: names of classes to begin with; by default the first 10.
        filters: how many of each level below the classes.
        top: how many patches of each filter, at most one of an image; parts are the mean over the
            first five of them.
        synthesis: whether to compute pictures; `steps` of gradient ascent each.
        probes: whether to fit a linear classifier to each level, to the train split of the data,
            and to test it on the test split, which says how directly the classes can be read there:
            see `convscope.probes`.
        output: a file that ends in .html or .json. The pass over the images is saved beside it
            every 20 seconds: the same call goes on where it was stopped.

    Memory does not grow with the number of images. Raises RequestError for unknown layers and
    classes, and as `evaluate` does; NetworkError where the network fails.
    """
    for name, number in (("filters", filters), ("top", top), ("steps", steps)):
        if number < 1:
            raise RequestError(f"`{name}` must be at least 1, not {number}.")
    if batch_size is not None and batch_size < 1:
        raise RequestError(f"`batch_size` must be at least 1, not {batch_size}.")
    target = None if output is None else check_output(output)
    opened = open_trained(
        run,
        weights=weights,
        pretrained=pretrained,
        card=card,
        class_names=class_names,
        settings=InputSettings(input_size=input_size, resize_mode=resize_mode, mean=mean, std=std),
        consent=Consent(model, trust),
    )
    request = DataRequest(
        split=split,
        data_dir=Path(data_dir) if data_dir else None,
        image_column=image_column,
        label_column=label_column,
    )
    named_classes = _class_numbers(opened.card.classes, classes or ())
    with threads_set(threads):
        chosen = choose_levels(
            record_blank(opened.net, opened.card), [layers] if isinstance(layers, str) else layers
        )
        layer_pass = LayerPass(
            opened.net,
            opened.card,
            [layer.name for layer in chosen],
            batch_size=batch_size,
            device=choose_device(device),
        )
        images = open_images(
            opened, data, request, on_progress=partial(on_progress, "Reading images")
        )
        found, checkpoint = find_patches(opened, layer_pass, images, top, target, on_progress)
        study = Study(opened, layer_pass, images, chosen)
        levels = study.levels(found.layers, named_classes, filters, on_progress)
        if synthesis:
            levels = study.with_pictures(levels, steps, on_progress)
        note = ""
        if probes:
            levels, note = probe_levels(
                opened,
                data,
                levels,
                data_dir=data_dir,
                batch_size=batch_size,
                device=choose_device(device),
                on_progress=on_progress,
            )
        notes = (*found.notes, note) if note else found.notes
        result = HierarchyResult(tuple(levels), found, notes)
        if target is not None:
            write_result(result, target)
            checkpoint.remove()
        return result


def _class_numbers(classes: Sequence[str], named: Sequence[str]) -> list[int]:
    numbers: list[int] = []
    for name in [named] if isinstance(named, str) else named:
        if name not in classes:
            raise RequestError(f"The network has no class {name!r}.{nearest(name, classes)}")
        numbers.append(list(classes).index(name))
    return list(dict.fromkeys(numbers))
