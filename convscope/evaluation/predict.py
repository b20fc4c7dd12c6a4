"""`predict`: labels and probabilities for images."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from convscope.card import Card, ResizeMode
from convscope.data.images import ImageLike
from convscope.distributed.launch import current_launch
from convscope.errors import RequestError
from convscope.exported.folder import ExportedModel
from convscope.exported.of_run import export_of_run, named_export
from convscope.predictions.answering import collect
from convscope.predictions.loading import find_images
from convscope.predictions.object_options import ObjectOptions
from convscope.predictions.result import Predictions
from convscope.synonyms import takes_synonyms

if TYPE_CHECKING:
    from torch import nn

    from convscope.data.loading import ProgressCallback
    from convscope.models import ModelLike
    from convscope.weights.class_names import ClassNamesLike
    from convscope.weights.preprocessing import PerChannel
    from convscope.weights.source import WeightsSource


@takes_synonyms
def predict(
    run: "ModelLike",
    images: ImageLike | Iterable[ImageLike],
    *,
    model: "str | nn.Module | None" = None,
    trust: bool = False,
    weights: "WeightsSource | None" = None,
    pretrained: bool = False,
    class_names: "ClassNamesLike | None" = None,
    input_size: int | tuple[int, int] | None = None,
    resize_mode: ResizeMode | None = None,
    mean: "PerChannel | None" = None,
    std: "PerChannel | None" = None,
    top: int = 5,
    batch_size: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    min_score: float | None = None,
    max_overlap: float | None = None,
    draw: str | Path | None = None,
    on_progress: "ProgressCallback" = lambda done, total: None,
) -> Predictions:
    """Label images: files, folders (all images below them), glob patterns, PIL images, arrays and
    tensors, one or many; see `convscope.data.images` for the arrays that are taken.

    Each prediction has the `top` most probable classes; where an image may have several labels, all
    that reach their thresholds, one half by default, and more of them up to `top`. What `decide`
    chose for a run is followed. Images that cannot be read are listed and do not stop the others.

    A run of a network of your own needs `model`, that code again, or `trust`: see `convscope.load`.

    `run` may also be a network: a name with `weights` (`torchvision:resnet50`, a file) or with
    `pretrained`, its published ones, or a module that has them. Then `class_names`, `input_size`,
    `resize_mode`, `mean` and `std` are what the weights do not say themselves.

    `run` may also be the folder of an exported network, which answers on the CPU without PyTorch.
    So does a run that was exported into its own folder, as `convscope.export(run)` does, as long as
    its weights are those that were exported, in float32; within a rounding error, PyTorch would
    answer the same. With a `device`, `model` or `trust`, and on a machine with an NVIDIA GPU, a run
    is computed by PyTorch.

    Of a network that finds objects, each prediction has its `objects`: those with a score of at
    least `min_score`, by default 0.5, and of two boxes of a class whose intersection over union is
    above `max_overlap`, by default 0.5, only the better one. `draw` is a folder for the images with
    their boxes.

    Processes that torchrun started share the images, and each returns the predictions for all.

    `batch_size` images are computed at a time, by default as many as `evaluate` takes.

    Raises RequestError for a path that does not exist or has no images.
    """
    counts = (top, *(1 if count is None else count for count in (batch_size, threads)))
    if not all(isinstance(count, int) and count >= 1 for count in counts):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise RequestError("`top`, `batch_size` and `threads` must be integers, at least 1.")
    folder = None if draw is None else Path(draw)
    objects = ObjectOptions(min_score=min_score, max_overlap=max_overlap, draw=folder)
    options = {
        "model": model,
        "trust": trust or None,
        "weights": weights,
        "pretrained": pretrained or None,
        "class_names": class_names,
        "input_size": input_size,
        "resize_mode": resize_mode,
        "mean": mean,
        "std": std,
    }
    stated = [f"`{name}`" for name, value in options.items() if value is not None]
    exported, note = _find_exported(run, stated, device)
    if exported is not None:
        objects.check(exported.card, str(exported.path))
        return _predict_exported(
            exported,
            images,
            top=top,
            batch_size=batch_size,
            threads=threads,
            objects=objects,
            on_progress=on_progress,
        )
    from convscope.evaluation.network_predictions import predict_by_torch  # noqa: PLC0415 -- torch
    from convscope.runs.own_code import Consent  # noqa: PLC0415
    from convscope.weights.preprocessing import InputSettings  # noqa: PLC0415

    return predict_by_torch(
        run,
        images,
        consent=Consent(model, trust),
        weights=weights,
        pretrained=pretrained,
        class_names=class_names,
        settings=InputSettings(input_size=input_size, resize_mode=resize_mode, mean=mean, std=std),
        top=top,
        batch_size=batch_size,
        device=device,
        threads=threads,
        objects=objects,
        on_progress=on_progress,
        notes=[note] if note else [],
    )


def _find_exported(run: object, stated: list[str], device: str) -> tuple[ExportedModel | None, str]:
    """The exported network that answers for `run`, and a note; None where PyTorch does.

    Raises RequestError for options that an exported network cannot follow.
    """
    named = named_export(run)
    if named is None:
        is_open = not stated and str(device).strip().lower() == "auto" and not _has_gpu()
        return export_of_run(run) if is_open else (None, "")
    if stated:
        raise RequestError(
            f"{named.path} is an exported network, whose classes and images are known; leave out "
            f"{' and '.join(stated)}."
        )
    if str(device).strip().lower() not in ("auto", "cpu"):
        raise RequestError(
            f"{named.path} is an exported network, which is computed on the CPU; leave out "
            "`device`, or predict with the run that it was exported from."
        )
    return named, ""


def _predict_exported(
    model: ExportedModel,
    images: ImageLike | Iterable[ImageLike],
    *,
    top: int,
    batch_size: int | None,
    threads: int | None,
    objects: ObjectOptions,
    on_progress: "ProgressCallback",
) -> Predictions:
    from convscope.exported.predictions import predict_exported  # noqa: PLC0415 -- NumPy

    if isinstance(images, Iterator):
        images = [*images]  # which are read once more to be drawn
    answer = partial(
        predict_exported,
        model,
        images,
        top=top,
        batch_size=batch_size,
        threads=threads,
        objects=objects,
        on_progress=on_progress,
    )
    launch = current_launch()
    if launch is None or launch.size == 1:
        answers, notes = answer()
        return _drawn(collect([answers], notes, model.card, objects), images, model.card, objects)
    from convscope.distributed.joining import joined  # noqa: PLC0415 -- torch

    with joined() as group:
        answers, notes = answer(rank=group.rank, size=group.size)
        found = collect(group.gathered(answers, "at the predictions"), notes, model.card, objects)
        return found if group.rank else _drawn(found, images, model.card, objects)


def _drawn(
    predictions: Predictions,
    images: ImageLike | Iterable[ImageLike],
    card: Card,
    objects: ObjectOptions,
) -> Predictions:
    """The predictions, drawn if that is asked for."""
    if objects.draw is not None:
        from convscope.predictions.drawing import draw_predictions  # noqa: PLC0415 -- seldom

        draw_predictions(predictions, find_images(images)[0], card, objects.draw)
    return predictions


def _has_gpu() -> bool:
    """Whether there is an NVIDIA GPU, without PyTorch, which would take seconds to say."""
    return Path("/dev/nvidia0").exists()
