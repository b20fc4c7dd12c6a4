"""The forms of the files of a run folder: which keys each has, of which type, in which range.

Settings in config.toml are listed in `convscope.training.config`; here are those that are read
without a training.
"""

from typing import Annotated, Any, Literal, Required, TypedDict, cast

from convscope.errors import RequestError
from convscope.strict import Between, Count, Share, Text, checked

Seconds = Annotated[float, Between(0, 1e12)]

_ROUNDING = 1e-9


class DatasetTable(TypedDict, total=False):
    """The data of a run: what they are called, and their digest, see `LoadedDataset`."""

    name: Required[str]
    fingerprint: Required[Text]
    splits: Text
    train: Count
    val: Count
    test: Count


class MachineTable(TypedDict, total=False):
    """What the bits of a training depend on."""

    device: Required[Text]
    threads: Required[Annotated[int, Between(1, 4096)]]
    cpu: str
    torch: str
    processes: Annotated[int, Between(1, 1 << 20)]


class NetworkTable(TypedDict, total=False):
    """Where a network of the user's own comes from."""

    folder: str


class LongerTable(TypedDict):
    """From which step on a finished run was trained for longer."""

    step: Count
    before: str


class RunConfig(TypedDict, total=False):
    """config.toml. Other keys are settings, which `TrainConfig` checks when they are used."""

    data: Required[Text]
    model: Required[Text]
    data_dir: Text
    image_column: str
    label_column: str
    metric: str
    task: str
    dataset: Required[DatasetTable]
    machine: Required[MachineTable]
    versions: dict[str, str]
    network: NetworkTable
    lengthened: LongerTable


class MetricsLine(TypedDict, total=False):
    """A line of metrics.jsonl, see `convscope.training.events.EpochEnd`."""

    epoch: Required[Count]
    step: Required[Count]
    best: Required[bool]
    seconds: Seconds
    lr: float
    lr_changes: Text
    images_per_second: Annotated[float, Between(0)]
    train_loss: float | None
    train_top1: Share
    val_loss: float | None
    val_top1: Share
    val_top5: Share | None
    val_f1: Share
    val_balanced: Share
    val_map: Share
    val_micro_f1: Share
    val_kappa: Annotated[float, Between(-1, 1)]
    val_mae: Annotated[float, Between(0)]
    val_ap50: Share
    val_ap: Share


class LabelRow(TypedDict):
    """The scores of a label where an image may have several."""

    name: str
    images: Count
    precision: Share
    recall: Share
    f1: Share
    average_precision: Share | None
    auc: Share | None


class LabelScores(TypedDict, total=False):
    """The scores of a network that gives an image any number of labels."""

    task: Required[Literal["multi-label"]]
    images: Required[Annotated[int, Between(1, 2**53)]]
    correct: Required[Count]
    map: Share | None
    top1: Required[Share]
    top1_interval: Required[tuple[Share, Share]]
    loss: Required[float]
    f1: Share
    micro_f1: Share
    classes: Required[Annotated[list[str], Between(1)]]
    confusion: Required[list[tuple[tuple[Count, Count], tuple[Count, Count]]]]
    per_class: Required[list[LabelRow]]


class SizeScores(TypedDict):
    """Average precision by the size of objects: rows are small, medium and large ones."""

    sides: tuple[Annotated[float, Between(0)], Annotated[float, Between(0)]]
    ap: Annotated[list[list[Share | None]], Between(3, 3)]
    support: Annotated[list[list[Count]], Between(3, 3)]


class ObjectScores(TypedDict, total=False):
    """The scores of a network that finds objects."""

    task: Required[Literal["detection"]]
    images: Required[Annotated[int, Between(1, 2**53)]]
    correct: Required[Count]
    top1: Required[Share]
    top1_interval: Required[tuple[Share, Share]]
    ap50: Required[Share | None]
    ap50_interval: Required[tuple[Share, Share] | None]
    ap: Required[Share | None]
    ap_interval: Required[tuple[Share, Share] | None]
    loss: Required[float]
    classes: Required[Annotated[list[str], Between(1)]]
    per_class: Required[list[dict[str, Any]]]
    by_threshold: Required[list[list[Share | None]]]
    voc: Required[list[Share | None]]
    ilsvrc: Required[list[Share | None]]
    support: Required[list[Count]]
    shown: Required[list[Count]]
    hits: Required[list[Count]]
    mistakes: Required[list[list[Count]]]
    similar: list[list[str]]
    by_size: SizeScores | None


class Scores(TypedDict, total=False):
    """test.json and validation.json: what follows from the confusion matrix, and the loss."""

    task: Literal["ordinal"]
    kappa: float | None
    mae: Annotated[float, Between(0)]

    images: Required[Annotated[int, Between(1, 2**53)]]
    top1: Required[Share]
    top1_interval: Required[tuple[Share, Share]]
    top5: Share | None
    loss: Required[float]
    f1: Share
    balanced: Share
    classes: Required[Annotated[list[str], Between(1)]]
    confusion: Required[list[list[Count]]]
    per_class: list[dict[str, Any]]


class Status(TypedDict, total=False):
    """live/now.json, see `convscope.training.callbacks.live_status`."""

    updated_at: Required[Seconds]
    state: str
    message: str
    description: str
    step: Count | None
    steps: Count | None
    epoch: Count | None
    epochs: Count | None
    batches: Count | None
    saved_step: Count | None
    acknowledged: Count
    progress: Share | None
    seconds: Seconds | None
    seconds_left: Seconds | None
    images_per_second: float | None
    steps_per_second: float | None
    lr: float | None
    lr_changes: str
    loss: float | None
    top1: Share | None


def checked_scores(values: object, *, where: str) -> dict[str, Any]:
    """Scores whose counts agree with their confusion matrix; RequestError for others."""
    if isinstance(values, dict) and cast("dict[str, object]", values).get("task") == "multi-label":
        return _checked_labels(values, where=where)
    if isinstance(values, dict) and cast("dict[str, object]", values).get("task") == "detection":
        return _checked_objects(values, where=where)
    scores: dict[str, Any] = checked(values, Scores, where=where)
    confusion: list[list[int]] = scores["confusion"]
    size = len(scores["classes"])
    if len(confusion) != size or any(len(row) != size for row in confusion):
        raise RequestError(f"{where}: confusion must have {size} rows and columns, one per class.")
    images, correct = sum(map(sum, confusion)), sum(row[i] for i, row in enumerate(confusion))
    if scores["images"] != images:
        raise RequestError(
            f"{where}: images is {scores['images']:,}, but confusion counts {images:,}."
        )
    if abs(scores["top1"] - correct / images) > _ROUNDING:
        raise RequestError(
            f"{where}: top1 is {scores['top1']}, but confusion has {correct:,} of {images:,} right."
        )
    return scores


def _checked_objects(values: object, *, where: str) -> dict[str, Any]:
    scores: dict[str, Any] = checked(values, ObjectScores, where=where)
    size = len(scores["classes"])
    columns = [*scores["by_threshold"], *(scores[name] for name in _BY_CLASS)]
    if sizes := scores.get("by_size"):
        columns += [*sizes["ap"], *sizes["support"]]
    if {name for group in scores.get("similar", []) for name in group} - {*scores["classes"]}:
        raise RequestError(f"{where}: `similar` names what is no class.")
    if any(len(column) != size for column in columns):
        raise RequestError(f"{where}: its columns must have {size} entries each, one per class.")
    if abs(scores["top1"] - scores["correct"] / scores["images"]) > _ROUNDING:
        raise RequestError(
            f"{where}: top1 is {scores['top1']}, but correct is {scores['correct']:,} of "
            f"{scores['images']:,} images."
        )
    return scores


_BY_CLASS = ("voc", "ilsvrc", "support", "shown", "hits", "mistakes", "per_class")


def _checked_labels(values: object, *, where: str) -> dict[str, Any]:
    scores: dict[str, Any] = checked(values, LabelScores, where=where)
    images, size = scores["images"], len(scores["classes"])
    if len(scores["confusion"]) != size or len(scores["per_class"]) != size:
        raise RequestError(f"{where}: confusion and per_class must have {size} entries each.")
    for name, counts in zip(scores["classes"], scores["confusion"], strict=True):
        if sum(map(sum, counts)) != images:
            raise RequestError(f"{where}: confusion of {name!r} does not count {images:,} images.")
    if abs(scores["top1"] - scores["correct"] / images) > _ROUNDING:
        raise RequestError(
            f"{where}: top1 is {scores['top1']}, but correct is {scores['correct']:,} of "
            f"{images:,} images."
        )
    return scores
