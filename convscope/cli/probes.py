"""`convscope probes`."""

from rich.table import Table

from convscope.cli.activity_progress import ActivityProgress
from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.options import (
    BatchSize,
    DataDir,
    Device,
    Int,
    Json,
    Layers,
    OwnCode,
    PretrainedWeights,
    Published,
    Threads,
    TrainedNetwork,
    Trust,
)
from convscope.device import keep_freed_memory
from convscope.features.probes import probes as probe_layers
from convscope.startup import collect_again
from convscope.words.screen import Screen, cell


def probes(
    run: TrainedNetwork,
    data: str | None = None,
    /,
    *,
    layers: Layers = (),
    max_train: Int = 5000,
    max_images: Int = 2000,
    data_dir: DataDir = None,
    model: OwnCode = None,
    trust: Trust = False,
    weights: PretrainedWeights = None,
    pretrained: Published = False,
    batch_size: BatchSize = None,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Measure how well a linear classifier tells the classes from each layer's features.

    Parameters
    ----------
    data
        Data with a train and a test split; by default the run's own.
    max_train
        Training images to which the classifiers are fitted at most, evenly out of all.
    max_images
        Test images at most, evenly out of all.
    """
    collect_again()
    keep_freed_memory()
    screen = Screen(stderr=json)
    with ActivityProgress({"Fitting classifiers": "steps"}) as progress:
        result = probe_layers(
            run,
            data,
            layers=layers or None,
            max_train=max_train,
            max_images=max_images,
            model=model,
            trust=trust,
            weights=weights,
            pretrained=pretrained,
            data_dir=data_dir,
            batch_size=batch_size,
            device=device,
            threads=threads,
            on_progress=progress,
        )
    for line in (*result.notes, *result.lines):
        screen.say(in_flags(line))
    if json:
        print_json(result.to_dict())
        return
    table = Table("layer", box=None, pad_edge=False)
    has_labels = any(each.label for each in result.layers)
    columns = ("features", "accuracy", "95% interval", "on training images")
    if has_labels:
        table.add_column("label")
    for name in (*columns, *["AUC"] * has_labels):
        table.add_column(name, justify="right")
    for each in result.layers:
        low, high = each.interval
        table.add_row(
            cell(each.layer),
            *([cell(each.label)] if has_labels else []),
            f"{each.num_features:,}",
            f"{each.accuracy:.2%}",
            f"{low:.2%} to {high:.2%}",
            f"{each.train_accuracy:.2%}",
            *([] if each.area is None else [str(each.area)]),
        )
    screen.say()
    screen.print(table)
