"""`evaluate`: measure a trained network on the test images of its run, or on other data."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from torch import nn

from convscope.boxes.mistakes import named_groups
from convscope.card import Card, ResizeMode
from convscope.data.cache.choice import Caching
from convscope.data.classes import quote_names
from convscope.data.crops import Crops
from convscope.data.dataset import SPLITS, Split
from convscope.data.duplicates import find_duplicates
from convscope.data.fit_objects import fitted
from convscope.data.loading import LoadedDataset, ProgressCallback, load_images
from convscope.data.source import DataLike
from convscope.distributed.joining import joined
from convscope.errors import RequestError, WorkError
from convscope.evaluation.answers import Answering, check_same_classes
from convscope.evaluation.gallery import mistakes_page, write_page
from convscope.evaluation.imbalance import imbalance_of_result
from convscope.evaluation.measure import compute_metrics
from convscope.evaluation.multi_label import MultiLabelMetrics
from convscope.evaluation.opening import open_trained
from convscope.evaluation.overlap import find_overlap
from convscope.evaluation.protocol import parse_protocol
from convscope.evaluation.published_table import published_of
from convscope.evaluation.result import EvaluationResult, groups_of
from convscope.evaluation.selection import (
    DataRequest,
    Selection,
    select_images,
    select_run_images,
)
from convscope.models import ModelLike, OpenedModel, find_run
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms
from convscope.weights.class_names import ClassNamesLike
from convscope.weights.preprocessing import InputSettings, PerChannel
from convscope.weights.source import WeightsSource


@takes_synonyms
def evaluate(
    run: ModelLike,
    data: DataLike | None = None,
    *,
    split: Split | None = None,
    exclude_trained: bool = False,
    crops: Crops = "center",
    scales: int | Sequence[int] | None = None,
    flip: bool = False,
    test_size: int | tuple[int, int] | None = None,
    ensemble: ModelLike | Sequence[ModelLike] = (),
    similar: Sequence[str] | Sequence[Sequence[str]] | None = None,
    csv: str | Path | None = None,
    html: str | Path | None = None,
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
    group_column: str | None = None,
    group_pattern: str | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    on_progress: ProgressCallback = lambda done, total: None,
    on_answered: ProgressCallback = lambda done, total: None,
) -> EvaluationResult:
    """Evaluate the best weights of a run, or any trained network, on every image exactly once.

    Without `data`, on a split of the run's own data, by default the test split. With `data`, on
    their `split`, by default their test split, or the validation split of data that have only that
    and training images, as ImageNet, or else all images; classes are matched by name.
    `exclude_trained` leaves out images that the run was trained or validated on, which are
    recognized by their content. `csv` is a file to write the answer for each image to, `html` one
    for a page with the images that are most wrong.

    `crops`, `scales`, `flip` and `test_size` are the papers' ways to test: the probabilities of
    an image are the mean over several views of it. `crops` is one of `convscope.data.views.Crops`;
    `scales` are the lengths in pixels of an image's shorter side at which the crops are cut;
    `flip` adds mirrored views; `test_size` is the size of the crops, where it is not that of the
    training. The probabilities of `ensemble`, other runs or networks with the same classes, are
    averaged with those of `run`.

    `similar` are groups of classes that are alike, [["cat", "dog"], ["car", "bus"]], for the
    analysis of wrong boxes; by default those of Pascal VOC's classes.

    An evaluation of files that takes long and was interrupted is continued by the same call: its
    answers are kept in the cache until it is done.

    A run of a network of your own needs `model`, that code again, or `trust`: see `convscope.load`.

    `run` may also be a network: a name with `weights` or with `pretrained`, its published ones, or
    a module that has them. Then `data` is needed, and `class_names`, `input_size`, `resize_mode`,
    `mean` and `std`, or a `card` with all of these, are what the weights do not say themselves.

    Processes that torchrun started share the images, and each returns the result of all.

    `batch_size` images are computed at a time, by default as many as in the validations of a
    training; the last bits of the loss can depend on it. `on_progress` gets the number of images
    that were read, `on_answered` of those that were answered.

    `image_column` and `label_column` name columns of a CSV file or of a Hugging Face data set,
    where it is not plain which they are. `group_column` and `group_pattern` say, as in `train`,
    which images of `data` belong together, of one patient for example: intervals then count them as
    dependent. Of a run's own data they are those of the training.

    Raises RequestError if network and data do not match, WorkError if the network's outputs are not
    finite.
    """
    if min(1 if count is None else count for count in (batch_size, threads)) < 1:
        raise RequestError("`batch_size` and `threads` must be at least 1.")
    if split not in (None, *SPLITS):
        raise RequestError(
            f"`split` must be {', '.join(map(repr, SPLITS))} or None, not {split!r}."
        )
    for name, file in (("csv", csv), ("html", html)):
        if file is not None and not Path(file).expanduser().parent.is_dir():
            raise RequestError(f"`{name}`: the folder of {file} does not exist.")
    request = DataRequest(
        split=split,
        data_dir=Path(data_dir) if data_dir else None,
        image_column=image_column,
        label_column=label_column,
        group_column=group_column,
        group_pattern=group_pattern,
    )
    protocol = parse_protocol(crops, scales, test_size, flip=flip)
    settings = InputSettings(input_size=input_size, resize_mode=resize_mode, mean=mean, std=std)
    with joined() as group:
        opened = open_trained(
            run,
            weights=weights,
            pretrained=pretrained,
            card=card,
            class_names=class_names,
            settings=settings,
            consent=Consent(model, trust),
        )
        members = [
            opened,
            *(
                open_trained(
                    member,
                    pretrained=pretrained and isinstance(member, str) and find_run(member) is None,
                    consent=Consent(model, trust),
                )
                for member in _as_list(ensemble)
            ),
        ]
        check_same_classes(members)
        groups = _groups(opened, similar, has_page=html is not None)
        fed = protocol.card(opened.card)
        described = protocol.describe(fed)
        selection = _select(opened, data, request)
        with group.turn("images", "to read the images") as go_on:

            def progress(done: int, total: int) -> None:
                go_on()
                on_progress(done, total)

            loaded = load_images(
                selection.dataset,
                fed,
                workers=os.cpu_count() or 1,
                caching=Caching("ram" if protocol.is_plain else "none", 0.5 / group.local_size),
                on_progress=progress,
            )
        if not len(loaded.dataset.indices("test")):
            raise RequestError(f"There is no readable image in {selection.description}.")
        asked = exclude_trained or data is not None or split in (None, "test")
        overlap = find_overlap(
            opened.run if asked else None, loaded, exclude=exclude_trained, is_run_data=data is None
        )
        loaded = overlap.loaded
        indices = loaded.dataset.indices("test")
        answering = Answering(
            protocol=protocol,
            batch_size=batch_size,
            device=device,
            threads=threads,
            group=group,
            on_progress=on_answered,
        )
        network_outputs, card, said = answering.answer(members, loaded, indices)
        loaded = replace(loaded, dataset=fitted(loaded.dataset, card))
        labels = loaded.dataset.truth(indices)
        outputs = compute_metrics(network_outputs, labels, card, intervals=True, similar=groups)
        if not math.isfinite(outputs.metrics.loss):
            raise WorkError(
                f"The network of {_name(opened)} has outputs that are not finite: its weights "
                "are bad."
            )
        imbalance = imbalance_of_result(outputs.metrics)
        undefined = (
            outputs.metrics.undefined() if isinstance(outputs.metrics, MultiLabelMetrics) else []
        )
        result = EvaluationResult(
            outputs,
            selection.description,
            notes=tuple(
                filter(None, [*said, *_notes(opened, loaded), overlap.note, imbalance, *undefined])
            ),
            paths=tuple(loaded.dataset.images.key(int(index)) for index in indices),
            labels=labels,
            model=" + ".join(map(_name, members)),
            protocol=described,
            published=(
                published_of(opened, selection.dataset, selection.split)
                if len(members) == 1
                else ()
            ),
            in_training=overlap.in_training,
            in_validation=overlap.in_validation,
            groups=groups_of(loaded.dataset, indices),
            split=selection.split,
            loaded=loaded,
            indices=indices,
            opened=opened,
        )
        if csv is not None and group.is_first:
            result.write_csv(Path(csv).expanduser())
        if html is not None and group.is_first:
            write_page(Path(html).expanduser(), mistakes_page(result))
        return result


def _select(opened: OpenedModel, data: DataLike | None, request: DataRequest) -> Selection:
    if data is not None:
        return select_images(request, opened, data)
    if opened.run is None:
        raise RequestError(
            f"{opened.name} is not a run, and has no test images of its own. Name the data."
        )
    return select_run_images(opened.run, opened.run.read_config(), request)


def _groups(
    opened: OpenedModel,
    similar: Sequence[str] | Sequence[Sequence[str]] | None,
    *,
    has_page: bool,
) -> list[list[int]] | None:
    """The groups of similar classes by their numbers; None where none are stated.

    Raises RequestError for groups of a network that classifies, and a page of one that does not.
    """
    if has_page and opened.card.boxes is not None:
        raise RequestError(
            "`html` is a page of mistakes in classes, and this network finds objects. `report` "
            "writes one with boxes."
        )
    if not similar:
        return None
    if opened.card.boxes is None:
        raise RequestError(
            "`similar` is for networks that find objects: it tells boxes of similar classes from "
            "other wrong ones."
        )
    return named_groups(similar, opened.card.classes)


def _as_list(ensemble: ModelLike | Sequence[ModelLike]) -> list[ModelLike]:
    several = isinstance(ensemble, list | tuple)
    return [*cast("Sequence[ModelLike]", ensemble)] if several else [cast("ModelLike", ensemble)]


def _name(opened: OpenedModel) -> str:
    return opened.name if opened.run is None else str(opened.run.path)


def _notes(opened: OpenedModel, loaded: LoadedDataset) -> Iterator[str]:
    if opened.note:
        yield opened.note
    yield from loaded.dataset.warnings
    yield from find_duplicates(loaded.dataset, loaded.pixel_digests).describe_relabeled()
    if opened.card.task != "multi-label":
        yield from _missing_classes(opened, loaded)
    if loaded.problems:
        key, reason = loaded.problems[0]
        yield (
            f"Images that could not be read: {len(loaded.problems)}, first {key}, which {reason}."
        )


def _missing_classes(opened: OpenedModel, loaded: LoadedDataset) -> Iterator[str]:
    classes = opened.card.classes
    counts = loaded.dataset.counts("test")
    names = [name for name, count in zip(classes, counts, strict=True) if count]
    missing = [name for name, count in zip(classes, counts, strict=True) if not count]
    if len(names) == 1:
        yield (
            f"All images are of {names[0]!r}: accuracy is its recall, and precision and F1, which "
            "need images of other classes, are left out."
        )
    elif missing:
        yield f"There are no images of {quote_names(missing)}; nothing is said of them."
