"""What a network is trained to say of an image: one class, any number of labels, or a grade."""

from collections.abc import Callable
from dataclasses import replace

from convscope.card import TaskName
from convscope.data.classes import match_classes
from convscope.data.dataset import Dataset
from convscope.data.grades import look_like_grades, order_grades
from convscope.errors import RequestError
from convscope.evaluation.metrics import METRICS
from convscope.runs.own_code import is_own_code
from convscope.training.config import TrainConfig
from convscope.weights.class_names import parse_class_names


def settle_task(
    dataset: Dataset, config: TrainConfig, notify: Callable[[str], None]
) -> tuple[Dataset, TrainConfig]:
    """The data with grades in their order, and the settings with the task and its metric.

    Raises RequestError for grades whose order is not plain, for a metric of another task, and for
    what needs one class per image where there may be several.
    """
    if dataset.objects is not None:
        return _of_objects(dataset, config)
    if dataset.is_multi_label:
        return dataset, _with_task(config, "multi-label")
    if config.task != "ordinal" and config.grades is None:
        if config.task == "auto" and look_like_grades(dataset.classes):
            notify(
                f"The classes of {dataset.name} look like grades. `task='ordinal'` trains them as "
                "such: a mistake then costs the more, the more grades it is off."
            )
        return dataset, _with_task(config, "single-label")
    settled = _with_task(config, "ordinal")
    stated = None if config.grades is None else parse_class_names(config.grades)
    grades = order_grades(dataset.classes, stated, where=dataset.name)
    notify(f"The grades of {dataset.name}, from the lowest: {', '.join(grades)}.")
    return match_classes(dataset, grades), settled


def _of_objects(dataset: Dataset, config: TrainConfig) -> tuple[Dataset, TrainConfig]:
    """Boxes are trained as they are, unless only the classes of an image are wanted."""
    if config.task == "multi-label":
        return replace(dataset, objects=None), _with_task(config, "multi-label")
    settled = _with_task(config, "detection")
    for name in _NEED_LABELS:
        if getattr(config, name) not in (0, "none", "shuffle"):
            raise RequestError(
                f"`{name}` is for classes of images, and {dataset.name} is about objects and their "
                "boxes. Leave it out."
            )
    if is_own_code(config.augment or ""):
        raise RequestError(
            "A function of your own does not say where boxes go. Choose an `augment` that has a "
            "name, and settings such as `zoom` and `translation`."
        )
    return dataset, settled


_NEED_LABELS = ("mixup", "cutmix", "label_smoothing", "class_weights", "sampling")


def _with_task(config: TrainConfig, task: TaskName) -> TrainConfig:
    if config.grades is not None and config.task == "single-label":
        raise RequestError("`grades` make the task ordinal; leave out `task='single-label'`.")
    if config.grades is not None and task != "ordinal":
        raise RequestError("`grades` are the classes of one label, and these images have several.")
    if config.task not in ("auto", task):
        raise RequestError(f"`task='{config.task}'` does not fit these labels, which are {task}.")
    metric = config.metric or METRICS[task][0]
    if metric not in METRICS[task]:
        raise RequestError(
            f"`metric='{metric}'` is not measured with `task='{task}'`. Choose one of "
            f"{', '.join(METRICS[task])}."
        )
    if task == "multi-label" and config.sampling == "balanced":
        raise RequestError(
            "`sampling='balanced'` needs one class per image. With several labels, "
            "`class_weights='balanced'` weights rare ones."
        )
    if task == "ordinal" and config.label_smoothing:
        raise RequestError(
            "`label_smoothing` is for classes without an order; `task='ordinal'` already counts "
            "near grades as less wrong."
        )
    restore = config.restore_best_weights
    if restore is None and config.metric is not None:  # or it would be in vain
        restore = True
    return replace(config, task=task, metric=metric, restore_best_weights=restore)
