"""`patches`: the image patches of a data set that excite each filter of a network most."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import nn

from convscope.card import Card, ResizeMode
from convscope.data.dataset import Split
from convscope.data.source import DataLike
from convscope.device import choose_device, threads_set
from convscope.errors import RequestError
from convscope.evaluation.opening import open_trained
from convscope.evaluation.selection import DataRequest
from convscope.features.filters.result import LayerFilters
from convscope.features.filters.weights import filters_of
from convscope.features.image_set import ImageSet, open_images
from convscope.features.layer_pass import LayerPass
from convscope.features.patches.checkpoint import Checkpoint, digest_of_weights
from convscope.features.patches.collection import collect
from convscope.features.patches.drawn import SHOWN
from convscope.features.patches.found import PatchesResult
from convscope.features.patches.output import check_output, partial_path, write_result
from convscope.features.patches.summary import summarize
from convscope.features.unit_fields import layer_fields
from convscope.features.unit_layers import choose_names
from convscope.models import ModelLike, OpenedModel
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms
from convscope.weights.class_names import ClassNamesLike
from convscope.weights.preprocessing import InputSettings, PerChannel
from convscope.weights.source import WeightsSource

_CANDIDATES = 4  # for each patch that is shown, from which those that differ are chosen

ActivityProgress = Callable[[str, int, int], None]
"""Gets what is being done, how many images are done, and of how many."""


@takes_synonyms
def patches(
    run: ModelLike,
    data: DataLike | None = None,
    *,
    layers: str | Sequence[str] | None = None,
    convolutions: Sequence[int] | None = None,
    top: int = 9,
    before_activation: bool = False,
    output: str | Path | None = None,
    filters: int = SHOWN,
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
    on_progress: ActivityProgress = lambda activity, done, total: None,
) -> PatchesResult:
    """Find the patches of a data set that excite each filter of a network most, in one pass.

    The images are those that `evaluate` takes: without `data`, the test split of the run. Of each
    filter (the channel of a layer; also each unit of a dense layer) the `top` strongest patches are
    kept, at most one of an image, each the receptive field of the unit with the largest value. Of
    patches that look alike, the strongest stands for all: see `alike.ALIKE`. They are chosen among
    the filter's 4 `top` strongest images. Beside them, how the filter responds to each class over
    all images, and whether it is dead or always on: see `FilterSummary`.

    Args:
        run: a run, or a network with weights, as in `evaluate`.
        data: other data than the run's own.
        layers: names of layers, or of any operations, as in a recording; by default all
            convolutions and dense layers. `convolutions` counts them from 1 instead.
        before_activation: take a layer's own values instead of those after its normalization,
            residual addition and activation function.
        output: a folder, or a file that ends in .html, .json or .csv. What is collected is saved
            beside it every 20 seconds until it is complete: the same call goes on with that.
        filters: how many of a layer a page or a picture shows; JSON and CSV have all.

    The memory that is needed does not grow with the number of images.

    Raises RequestError for unknown layers, and as `evaluate` does; WorkError for units that are not
    finite.
    """
    if min(top, filters, 1 if batch_size is None else batch_size) < 1:
        raise RequestError("`top`, `filters` and `batch_size` must be at least 1.")
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
    named = [layers] if isinstance(layers, str) else layers
    names = choose_names(opened.net, opened.card, named, convolutions)
    target = None if output is None else check_output(output)
    with threads_set(threads):
        layer_pass = LayerPass(
            opened.net,
            opened.card,
            names,
            before_activation=before_activation,
            batch_size=batch_size,
            device=choose_device(device),
        )
        images = open_images(
            opened, data, request, on_progress=partial(on_progress, "Reading images")
        )
        result, checkpoint = find_patches(opened, layer_pass, images, top, target, on_progress)
        if target is not None:
            write_result(result, target, shown=filters)
            checkpoint.remove()
        return result


def find_patches(
    opened: OpenedModel,
    layer_pass: LayerPass,
    images: ImageSet,
    top: int,
    target: Path | None,
    on_progress: ActivityProgress,
) -> tuple[PatchesResult, Checkpoint]:
    """The patches of an open network, and the state of the pass, saved beside `target`."""
    checkpoint = Checkpoint(
        None if target is None else partial_path(target),
        {
            "weights": digest_of_weights(opened.net),
            "images": images.loaded.fingerprint,
            "num_images": len(images.indices),
            "layers": [layer.source for layer in layer_pass.layers],
            "top": top,
            "batch_size": layer_pass.batch_size,
            "torch": torch.__version__,
        },
    )
    collection = collect(
        layer_pass,
        images,
        _CANDIDATES * top,
        checkpoint=checkpoint,
        on_progress=partial(on_progress, "Running the network"),
    )
    fields = layer_fields(layer_pass.recorded, layer_pass.layers, opened.card)
    found = summarize(
        collection,
        [fields[layer.name] for layer in layer_pass.layers],
        images,
        top,
        on_progress=partial(on_progress, "Comparing patches"),
    )
    notes = tuple(filter(None, [opened.note, *_unreadable(images)]))
    name = opened.name if opened.run is None else str(opened.run.path)
    weights = _pictures(layer_pass)
    result = PatchesResult(name, opened.card, images, tuple(found), top, notes, weights)
    return result, checkpoint


def _pictures(layer_pass: LayerPass) -> dict[str, LayerFilters]:
    """The filters of the layers in which they are pictures."""
    chosen = [layer.name for layer in layer_pass.layers if layer.type == "convolution"]
    found = [filters_of(layer_pass.recorded, name, 0) for name in chosen]
    return {layer.name: layer for layer in found if layer is not None and layer.is_single}


def _unreadable(images: ImageSet) -> list[str]:
    problems = images.loaded.problems
    if not problems:
        return []
    key, reason = problems[0]
    return [f"Images that could not be read: {len(problems)}, first {key}, which {reason}."]
