"""`study`: train the networks of a study on a person's data, and compare them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import cast, get_args

from convscope.atomic import write_atomically
from convscope.data.source import open_source
from convscope.errors import RequestError
from convscope.evaluation.metrics import Metrics
from convscope.evaluation.multi_label import AnyMetrics
from convscope.evaluation.opening import open_trained
from convscope.features.unit_layers import record_blank
from convscope.runs.folder import Run, slugify
from convscope.studies.connections import count_connections
from convscope.studies.equivariance import shift_curves
from convscope.studies.result import MOST_SEEDS, StudyResult, VariantResult
from convscope.studies.variants import StudyName, Variant, first_volume, make_variants
from convscope.summaries.api import summary
from convscope.training.api import resume, train
from convscope.training.image_sample import sample_images
from convscope.training.result import TrainingResult
from convscope.words.time_left import time_left

_LARGEST = 64  # pixels of a side to which larger images are brought
_SMALLEST = 8

OnMessage = Callable[[str], None]


@dataclass(frozen=True)
class _Budget:
    """How long and how often each network is trained."""

    epochs: int
    seeds: int
    threads: int | None
    device: str


def study(
    name: str,
    data: str | Path,
    *,
    seeds: int = 3,
    epochs: int = 5,
    out: str | Path | None = None,
    data_dir: str | Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    on_message: OnMessage = lambda text: None,
) -> StudyResult:
    """Train small networks that differ in one respect, and say what can be told apart.

    `name` is "sharing" (a convolution, a locally connected and a dense first layer of the same
    output volume), "pooling" (max, average, min, overlapping max, stride), "depth" (1 to 4
    convolutions), "filters" (2 to 32) or "activation" (ReLU and tanh). Each network is trained
    `seeds` times for `epochs` epochs with the settings of `convscope.train`; seeds decide weights,
    the order of the images and which of them validate. Images larger than 64 pixels are reduced.

    Every training is a run in the folder `out`, by default runs/study-NAME-DATA. The same call goes
    on where it was stopped: what is finished is read, not repeated.

    Raises RequestError for an unknown study, and as `train` does.
    """
    if name not in get_args(StudyName):
        allowed = ", ".join(get_args(StudyName))
        raise RequestError(f"There is no study {name!r}. Choose one of {allowed}.")
    if not 2 <= seeds <= MOST_SEEDS or epochs < 1:
        raise RequestError(
            f"`seeds` must be from 2 to {MOST_SEEDS}, and `epochs` at least 1: an interval needs "
            "two trainings."
        )
    chosen, folder = cast("StudyName", name), None if data_dir is None else Path(data_dir)
    source = str(data)
    dataset = open_source(source, data_dir=folder)
    sample = sample_images(dataset)
    height, width = (min(max(side, _SMALLEST), _LARGEST) for side in sample.typical_size)
    path = Path(out) if out is not None else Path("runs") / f"study-{name}-{slugify(dataset.name)}"
    variants = make_variants(chosen, 1 if sample.all_gray else 3, (height, width))
    budget = _Budget(epochs, seeds, threads, device)
    path.mkdir(parents=True, exist_ok=True)
    found = _train_all(variants, source, folder, path, budget, on_message)
    on_message("Shifting test images.")
    volume = first_volume((height, width))
    results = [_result(variant, found[variant.name], volume) for variant in variants]
    num_test = found[variants[0].name][0].test.num_images
    return StudyResult(chosen, dataset.name, num_test, tuple(results), path)


def _train_all(
    variants: list[Variant],
    data: str,
    data_dir: Path | None,
    path: Path,
    budget: _Budget,
    on_message: OnMessage,
) -> dict[str, list[TrainingResult]]:
    """The trainings of every network: one seed of all before the next."""
    found: dict[str, list[TrainingResult]] = {variant.name: [] for variant in variants}
    total, done, began = budget.seeds * len(variants), 0, time.perf_counter()
    for seed in range(budget.seeds):
        for variant in variants:
            run = path / f"{variant.name}-{seed}"
            is_new = not (run / "test.json").exists()
            found[variant.name].append(_trained(variant, run, seed, data, data_dir, budget))
            done += 1
            if is_new:
                left = (time.perf_counter() - began) / done * (total - done)
                rest = f", {time_left(left)}" if done < total else ""
                on_message(f"{run.name} is trained: {done} of {total} trainings{rest}.")
    return found


def _trained(
    variant: Variant, run: Path, seed: int, data: str, data_dir: Path | None, budget: _Budget
) -> TrainingResult:
    """The result of a run: read, resumed, or trained."""
    if (run / "test.json").exists():
        finished = TrainingResult.read(Run.open(run), seconds=0.0)
        epochs = Run.open(run).read_config().get("epochs")
        if epochs != budget.epochs:
            raise RequestError(
                f"{run} was trained for {epochs} epochs, not {budget.epochs}: name another folder "
                "with `out`, or take `epochs` of before."
            )
        return finished
    if (run / "config.toml").exists():
        return resume(run, progress=False)
    table = run.with_name(f"{variant.name}.toml")
    write_atomically(table, variant.table)
    return train(
        data,
        out=run,
        progress=False,
        model=str(table),
        data_dir=data_dir,
        epochs=budget.epochs,
        seed=seed,
        device=budget.device,
        threads=budget.threads,
    )


def _result(
    variant: Variant, trainings: list[TrainingResult], volume: tuple[int, int, int]
) -> VariantResult:
    cost = summary(trainings[0].run)
    opened = open_trained(trainings[0].run)
    rows = zip(*(training.history for training in trainings), strict=False)
    errors = [fmean(1 - epoch["val_top1"] for epoch in epochs) for epochs in rows]
    return VariantResult(
        variant.name,
        cost.parameters,
        cost.multiply_adds,
        count_connections(record_blank(opened.net, opened.card).operations),
        tuple(training.test.top1 for training in trainings),
        fmean(training.history[-1]["seconds"] for training in trainings),
        tuple(errors),
        tuple(training.run for training in trainings),
        tuple(shift_curves(training.run, volume) for training in trainings),
        sum(_has_failed(training.test) for training in trainings),
    )


def _has_failed(test: AnyMetrics) -> bool:
    """Whether a network is no better than one that always answers with the most frequent class."""
    if not isinstance(test, Metrics):
        return False
    return bool(test.interval[0] <= test.support.max() / test.num_images)
