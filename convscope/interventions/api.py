"""`intervene`: change numbers inside a network, and see its answers change."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.card import Card
from convscope.data.dataset import Split
from convscope.data.images import ImageLike
from convscope.data.normalize import normalize
from convscope.data.source import DataLike
from convscope.errors import RequestError
from convscope.evaluation.measure import EvaluationOutputs, compute_metrics
from convscope.evaluation.opening import open_trained
from convscope.evaluation.paired import PairedAccuracy
from convscope.evaluation.selection import DataRequest
from convscope.explanation.api import record_image, record_or_load
from convscope.explanation.network_request import NetworkRequest
from convscope.explanation.recording import Recording
from convscope.features.image_set import ImageSet, open_images
from convscope.features.unit_layers import record_blank
from convscope.forward import call_network, like_parameters
from convscope.inference import inference_mode, probabilities
from convscope.interventions.changed_pass import ChangedPass, Values, own_mean
from convscope.interventions.changes import (
    OperationChange,
    UnitChange,
    operation_changes,
    unit_change,
)
from convscope.interventions.edits import Edit, parse_edit
from convscope.interventions.replayed import changed_recording
from convscope.models import ModelLike, OpenedModel
from convscope.runs.own_code import Consent
from convscope.synonyms import takes_synonyms

_BATCH = 64


@dataclass(frozen=True, eq=False)
class ImageIntervention:
    """What changes did to a network's pass on one image.

    Attributes:
        edits: the changes.
        before, after: the recorded passes; `after` holds the changed numbers. An explanation of a
            changed unit itself does not add up, as the number was put there.
        card: of the network.
    """

    edits: tuple[Edit, ...]
    before: Recording
    after: Recording
    card: Card

    def probabilities(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of the classes, before and after: (classes,) each."""
        return tuple(
            probabilities(each[each.output].value, self.card).numpy()
            for each in (self.before, self.after)
        )  # pyright: ignore[reportReturnType] -- two of them

    def operations(self) -> list[OperationChange]:
        """The operations whose results differ, in the order of execution."""
        return operation_changes(self.before, self.after)

    def unit(self, name: str, at: int | Sequence[int]) -> UnitChange:
        """Why a unit changed, as a sum over its terms: of a convolution, a dense layer, a sum.

        Raises RequestError for another unit.
        """
        index = (at,) if isinstance(at, int) else tuple(at)
        return unit_change(self.before, self.after, name, index)

    def to_dict(self) -> dict[str, Any]:
        """Answers and operations as values of JSON."""
        before, after = self.probabilities()
        return {
            "edits": list(map(str, self.edits)),
            "classes": list(self.card.classes),
            "before": before.tolist(),
            "after": after.tolist(),
            "operations": [vars(change) for change in self.operations()],
        }


@dataclass(frozen=True, eq=False)
class DataIntervention:
    """What changes did to a network's answers for many images.

    Attributes:
        edits: the changes.
        data: which images these are.
        accuracy: of all of them; of several labels, whether all are right.
        classes: of the images of each class, by its name; a class without images is left out. Where
            images may have several labels, of all images: whether that label is right.
    """

    edits: tuple[Edit, ...]
    data: str
    accuracy: PairedAccuracy
    classes: dict[str, PairedAccuracy]

    def to_dict(self) -> dict[str, Any]:
        """Counts, changes and intervals as values of JSON."""
        return {
            "edits": list(map(str, self.edits)),
            "data": self.data,
            "accuracy": self.accuracy.to_dict(),
            "classes": {name: each.to_dict() for name, each in self.classes.items()},
        }


def _edits(texts: str | Iterable[str]) -> tuple[Edit, ...]:
    several = (texts,) if isinstance(texts, str) else tuple(texts)
    if not several:
        raise RequestError("Name a change with `set`, such as 'conv1[3]=0'.")
    return tuple(map(parse_edit, several))


@takes_synonyms
def intervene(
    model: ModelLike | Recording,
    image: ImageLike | None = None,
    *,
    set: str | Iterable[str],  # noqa: A002 -- as on the command line
    weights: str | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    trust: bool = False,
) -> ImageIntervention:
    """Change numbers inside a network while it runs on an image, and record both passes.

    `set` are changes, made in order as soon as an operation has returned: `conv1[3]=0` silences map
    3 of the operation `conv1`, by its name in a recording, `conv1[3,5,7]*=2` scales a unit,
    `relu1[4]+=0.1` adds to a map, `conv1[3]=mean` replaces a map by its mean, and
    `conv1[3]=@other.png` patches in what it is for another image. A parameter's name changes
    weights: `conv1.weight[3]=0`. `image` is as in `convscope.explain`. A recording, or the path of
    a saved one, stands for network and image; it is replayed, for changes of results alone.

    Raises RequestError for what is no change, an unknown name and an index out of range.
    """
    edits = _edits(set)
    consent = Consent(trust=trust)
    request = NetworkRequest(weights=weights, pretrained=pretrained, card=card, consent=consent)
    recorded = record_or_load(model, image, request)
    if image is None or isinstance(model, Recording):
        before = recorded.recording
        return ImageIntervention(edits, before, changed_recording(before, edits), recorded.card)
    opened = request.open(model)
    before, classes = recorded.recording, len(recorded.card.classes)
    changed = ChangedPass(opened.net, before.operations, edits)
    values: dict[Edit, Tensor] = {}
    for edit in edits:
        if edit.action == "patch":
            known = NetworkRequest(card=None if opened.is_assumed else recorded.card)
            other = record_image(opened.net, edit.image, known).recording
            if edit.name not in other or other[edit.name].shape != before[edit.name].shape:
                raise RequestError(f"{edit}: {edit.name} has another shape for {edit.image}.")
            values[edit] = other[edit.name].tensor[(slice(None), *edit.index)]
    fed = before["image"].tensor.clone()
    with inference_mode(opened.net), torch.inference_mode(mode=False):
        done, _ = changed.run(
            fed, values, should_keep=lambda module, kind: True, num_classes=classes
        )
    return ImageIntervention(edits, before, Recording(done, before.note), recorded.card)


@takes_synonyms
def intervene_on_data(
    model: ModelLike,
    data: DataLike | None = None,
    *,
    set: str | Iterable[str],  # noqa: A002 -- as on the command line
    split: Split | None = None,
    weights: str | None = None,
    pretrained: bool = False,
    card: Card | None = None,
    data_dir: str | Path | None = None,
    trust: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> DataIntervention:
    """The same over many images: how many answers are lost and gained, in all and by class.

    `mean` is then the mean of a map over the units of all images, and a patched value that of the
    named image for all of them. Without `data`, the images are those of the run's test split.

    Raises RequestError as `intervene` does, and where network and data do not match.
    """
    edits = _edits(set)
    opened = open_trained(
        model, weights=weights, pretrained=pretrained, card=card, consent=Consent(trust=trust)
    )
    return intervene_on_opened(
        opened, edits, data, split=split, data_dir=data_dir, on_progress=on_progress
    )


def intervene_on_opened(
    opened: OpenedModel,
    edits: Sequence[Edit],
    data: DataLike | None = None,
    *,
    patches: Values | None = None,
    split: Split | None = None,
    data_dir: str | Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> DataIntervention:
    """The same for a network that is open.

    `patches` are the values of edits that patch; without them, the images that they name are read.
    """
    recorded = record_blank(opened.net, opened.card)
    changed = ChangedPass(opened.net, recorded.operations, edits)
    request = DataRequest(
        split=split,
        data_dir=Path(data_dir) if data_dir else None,
        image_column=None,
        label_column=None,
    )
    images = open_images(opened, data, request)
    values = _values(opened, changed, edits, images, patches or {})
    before, after = _answers(opened, changed, images, values, on_progress)
    truth = images.loaded.dataset.truth(images.indices)
    by_class: dict[str, PairedAccuracy] = {}
    for n, name in enumerate(opened.card.classes):
        if opened.card.task == "multi-label":
            pair = [each.predicted[:, n] == truth[:, n] for each in (before, after)]
        else:
            pair = [each.is_correct[truth == n] for each in (before, after)]
        if len(pair[0]):
            by_class[name] = PairedAccuracy.of(*pair)
    total = PairedAccuracy.of(before.is_correct, after.is_correct)
    return DataIntervention(tuple(edits), images.description, total, by_class)


def _batches(opened: OpenedModel, images: ImageSet) -> "Iterable[tuple[NDArray[np.int64], Tensor]]":
    indices = images.indices
    chosen = [indices[start : start + _BATCH] for start in range(0, len(indices), _BATCH)]
    source = images.loaded.batch_source
    for some, pixels in zip(chosen, source.batches(chosen), strict=True):
        fed = normalize(pixels, opened.card, channels_last=False)
        yield some, like_parameters(opened.net, fed)


def _values(
    opened: OpenedModel,
    changed: ChangedPass,
    edits: Sequence[Edit],
    images: ImageSet,
    patches: Values,
) -> Values:
    """What means over all images, and other images, put in the place of units."""
    values: dict[Edit, Tensor] = {**patches}
    for edit in edits:
        if edit.action == "patch" and edit not in values:
            known = NetworkRequest(card=opened.card)
            other = record_image(opened.net, edit.image, known).recording
            values[edit] = other[edit.name].tensor[(slice(None), *edit.index)]
    means = [e for each in changed.results.values() for e in each if e.action == "mean"]
    if not means:
        return values
    plain = ChangedPass(opened.net, record_blank(opened.net, opened.card).operations, ())
    sums: dict[Edit, Tensor] = {}
    with inference_mode(opened.net), torch.inference_mode(mode=False):
        for _, fed in _batches(opened, images):
            for edit, result in plain.results_of(fed, means).items():
                mean = own_mean(result.double(), edit, is_batch=True).sum(0, keepdim=True)
                sums[edit] = sums[edit] + mean if edit in sums else mean
    return values | {edit: total / len(images.indices) for edit, total in sums.items()}


def _answers(
    opened: OpenedModel,
    changed: ChangedPass,
    images: ImageSet,
    values: Values,
    on_progress: Callable[[int, int], None],
) -> tuple[EvaluationOutputs, EvaluationOutputs]:
    """The predictions for each image, before and after."""
    count = len(opened.card.classes)
    before, after = list[Tensor](), list[Tensor]()
    done = 0
    with inference_mode(opened.net), torch.inference_mode(mode=False), torch.no_grad():
        for some, fed in _batches(opened, images):
            before.append(call_network(opened.net, fed.clone(), count).float().cpu())
            _, output = changed.run(fed, values, num_classes=count)
            after.append(output.float().cpu())
            done += len(some)
            on_progress(done, len(images.indices))
    truth = images.loaded.dataset.truth(images.indices)
    return (
        compute_metrics(torch.cat(before), truth, opened.card),
        compute_metrics(torch.cat(after), truth, opened.card),
    )
