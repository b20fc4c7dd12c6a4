"""`convscope predict`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from convscope.cli.json_output import print_json
from convscope.cli.options import (
    BatchSize,
    ClassNames,
    Device,
    Flag,
    InputSize,
    Int,
    Mean,
    OwnCode,
    PretrainedWeights,
    Published,
    ResizeModeOption,
    Std,
    Threads,
    Trust,
)
from convscope.device import keep_freed_memory
from convscope.distributed.launch import is_first
from convscope.errors import RequestError, shell_word
from convscope.startup import collect_again, exported_folder
from convscope.words.screen import Screen


def predict(
    run: str,
    /,
    *images: str,
    format: Literal["table", "json", "csv", "coco"] = "table",  # noqa: A002
    model: OwnCode = None,
    trust: Trust = False,
    weights: PretrainedWeights = None,
    pretrained: Published = False,
    class_names: ClassNames = None,
    input_size: InputSize = None,
    resize_mode: ResizeModeOption = None,
    mean: Mean = None,
    std: Std = None,
    top: Int = 3,
    batch_size: BatchSize = None,
    device: Device = "auto",
    threads: Threads = None,
    min_score: float | None = None,
    max_overlap: float | None = None,
    draw: Path | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    json: Flag = False,
) -> None:
    """Classify images with a trained network, or find the objects in them.

    The folder of an exported network answers without PyTorch. So does a run that was exported into
    its own folder by `convscope export RUN`, unless its weights have changed since, or --device,
    --model or --trust asks for PyTorch.

    Parameters
    ----------
    run
        A run folder, or that of an exported network; a file of Keras or ConvNetJS; with --weights
        or --pretrained a network's name, layer table, or module:attr.
    images
        Image files, folders (with all images inside), or globs.
    format
        A table for people; csv or json for programs, coco for boxes. A row of CSV has path, label,
        probability, label_2, probability_2 ...; of several labels path, labels, label_1 ...; of an
        object path, label, score and edges in pixels. By what `decide` chose, answer and set, too.
    top
        Number of most probable classes to show per image.
    min_score
        Least score of an object, by default 0.5.
    max_overlap
        IoU above which of two boxes of a class only the better one is kept, by default 0.5.
    draw
        Folder for the images with the boxes of their objects.
    output
        For any number of images: a folder for predictions, whose name ends in .parquet or .csv. The
        same command goes on where it was stopped, and several at once share the work. It needs an
        exported network.
    json
        The same as --format json.
    """
    if json and format not in ("table", "json"):
        raise RequestError(f"`json` is `format=json`, and `format` is {format}: leave out one.")
    if output is not None:
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
            "device": None if device in ("auto", "cpu") else device,
            "draw": draw,
            "format": None if format == "table" else format,
        }
        objects = min_score, max_overlap
        _write_parts(run, images, output, options, objects, top, batch_size, threads, json=json)
        return
    if not exported_folder(["predict", run]):  # it has no activations to keep memory for
        keep_freed_memory()
    from convscope.cli.printed_predictions import print_predictions  # noqa: PLC0415 -- numpy
    from convscope.evaluation.predict import predict as predict_images  # noqa: PLC0415

    collect_again()
    predictions = predict_images(
        run,
        images,
        model=model,
        trust=trust,
        weights=weights,
        pretrained=pretrained,
        class_names=class_names,
        input_size=input_size,
        resize_mode=resize_mode,
        mean=mean,
        std=std,
        top=top,
        batch_size=batch_size,
        device=device,
        threads=threads,
        min_score=min_score,
        max_overlap=max_overlap,
        draw=draw,
    )
    if not is_first():
        return
    print_predictions(predictions, "json" if json else format)
    if draw is not None:
        Screen(stderr=True).say(f"{shell_word(draw)} has the images with their boxes.")


def _write_parts(
    run: str,
    images: Sequence[str],
    output: Path,
    others: Mapping[str, object],
    objects: tuple[float | None, float | None],
    top: int,
    batch_size: int | None,
    threads: int | None,
    *,
    json: bool,
) -> None:
    """Predict into part files; `others` are options that do not go with it, None if not set,
    `objects` the least score and the largest overlap of boxes.
    """
    wrong = [f"`{name}`" for name, value in others.items() if value is not None]
    if wrong:
        raise RequestError(f"With `output` an exported network answers; leave out {wrong[0]}.")
    from convscope.cli.batch_progress import batch_progress  # noqa: PLC0415
    from convscope.exported.batch import batch_predict  # noqa: PLC0415 -- numpy

    collect_again()
    with batch_progress(is_shown=is_first()) as on_progress:
        written = batch_predict(
            run,
            images,
            output,
            top=top,
            batch_size=batch_size,
            threads=threads,
            min_score=objects[0],
            max_overlap=objects[1],
            on_progress=on_progress,
        )
    if not is_first():
        return
    if json:
        print_json(written.to_dict())
        return
    parts = "1 file" if written.num_parts == 1 else f"{written.num_parts:,} files"
    Screen().say(f"Wrote predictions for {written.num_images:,} images to {output} ({parts}).")
    if written.num_unreadable:
        some = "1 image" if written.num_unreadable == 1 else f"{written.num_unreadable:,} images"
        Screen(stderr=True).say(f'{some} could not be read; the column "error" says why.')
