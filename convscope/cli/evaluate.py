"""`convscope evaluate`."""

import shlex
from typing import Literal

from convscope.cli.messages import in_flags
from convscope.cli.options import (
    BatchSize,
    ClassNames,
    DataDir,
    Device,
    InputSize,
    Json,
    Mean,
    PretrainedWeights,
    ResizeModeOption,
    Std,
    Threads,
)
from convscope.cli.terminal import console, print_json, print_metrics
from convscope.evaluation.evaluate import evaluate as evaluate_run


def evaluate(
    run: str,
    data: str | None = None,
    /,
    *,
    split: Literal["train", "val", "test"] | None = None,
    data_dir: DataDir = None,
    image_column: str | None = None,
    label_column: str | None = None,
    weights: PretrainedWeights = None,
    class_names: ClassNames = None,
    input_size: InputSize = None,
    resize_mode: ResizeModeOption = None,
    mean: Mean = None,
    std: Std = None,
    batch_size: BatchSize = 256,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Evaluate a trained network: accuracy, loss, metrics per class, and the confusion matrix.

    Parameters
    ----------
    run
        A run folder; with --weights a network's name, layer table, or module:attr.
    data
        The data to evaluate on, as for train; by default the run's own test images.
    split
        The split of the data; by default the test split, or all images if there is none.
    image_column
        Column of a CSV file that names the images; by default the one whose header says so.
    label_column
        Column of a CSV file with the classes; by default the one whose header says so.
    """
    screen = console(json=json)
    result = evaluate_run(
        run,
        data,
        split=split,
        data_dir=data_dir,
        image_column=image_column,
        label_column=label_column,
        weights=weights,
        class_names=class_names,
        input_size=input_size,
        resize_mode=resize_mode,
        mean=mean,
        std=std,
        batch_size=batch_size,
        device=device,
        threads=threads,
    )
    for note in result.notes:
        screen.print(in_flags(note), markup=False)
    metrics = result.metrics
    if json:
        print_json({"run": run, "data": result.data, **metrics.to_dict()})
        return
    screen.print(f"{run} on {result.data}", markup=False)
    screen.print()
    print_metrics(screen, metrics)
    screen.print(f"\nNext:  convscope predict {shlex.quote(run)} IMAGE...", markup=False)
