"""The verbs `train` and `resume`: from a request to a run folder with a tested network."""

import contextlib
import json
import time
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from convscope.card import Card
from convscope.data.loading import LoadedDataset
from convscope.data.source import open_source
from convscope.data.split import apply_splits, fill_splits, write_splits
from convscope.device import choose_device, threads_set
from convscope.errors import RequestError
from convscope.evaluation.metrics import Metrics
from convscope.reports import report
from convscope.runs.folder import Run, slugify
from convscope.runs.network import (
    build_network,
    load_state,
    model_source,
    on_sys_path,
    save_model_source,
)
from convscope.training.callbacks.base import Quiet, Watcher
from convscope.training.callbacks.interrupt import Wish, wish_to_stop
from convscope.training.callbacks.live_status import Teller
from convscope.training.config import TABLES, TrainConfig
from convscope.training.prepare import (
    check_space,
    config_of,
    differences,
    first_card,
    full_card,
    load_checked,
    machine_facts,
    problems_csv,
    start_from,
    told,
    with_output,
)
from convscope.training.signature import takes_settings
from convscope.training.trainer import Training
from convscope.weights.source import Weights, open_weights
from convscope.zoo import default_lr
from convscope.zoo.check import reads_channels_last
from convscope.zoo.table_file import is_table


@dataclass(frozen=True)
class Trained:
    """What a training leaves: the run folder, its test, and the seconds from start to end."""

    run: Path
    test: Metrics
    seconds: float


@takes_settings(TrainConfig)
def train(
    data: str = "digits",
    *,
    out: str | Path | None = None,
    watcher: Watcher | None = None,
    **settings: Any,
) -> Trained:
    """Train a network on labeled images and test it once, with the best weights, at the end.

    `data` is a named data set, a folder or a CSV file; `out` is the run folder to create;
    `settings` are the fields of `TrainConfig`, which the command line has as flags.

    Raises RequestError for whatever was asked wrongly, WorkError for work that failed, Interrupted
    when a signal asked for the end.
    """
    return train_run(data, TrainConfig.from_dict(settings), out=out, watcher=watcher or Quiet())


def train_run(
    data: str, settings: TrainConfig, *, out: str | Path | None, watcher: Watcher
) -> Trained:
    """`train` with its settings made already."""
    began = time.perf_counter()
    device = choose_device(settings.device)
    dataset = open_source(data, data_dir=settings.data_dir, progress=watcher.downloading)
    dataset = fill_splits(dataset, val=settings.val, test=settings.test, seed=settings.split_seed)
    model = Path(settings.model).stem if is_table(settings.model) else settings.model
    run = Run.create(Path(out) if out else None, name=f"{slugify(model)}_{slugify(dataset.name)}")
    with _left_as_found(settings), wish_to_stop() as wish, run.locked(), _kept_if_begun(run):
        weights = _weights(settings, watcher)
        start = weights and weights.card
        card = first_card(dataset, settings, watcher, start)
        loaded = load_checked(dataset, card, settings, watcher)
        settings = settings.resolve(
            len(loaded.dataset.indices("train")), default_lr=default_lr(settings.model)
        )
        card = full_card(card, loaded, settings.model, start)
        torch.manual_seed(settings.seed)
        net = build_network(settings.model, card)
        card = with_output(card, net, watcher)
        if weights is not None:
            card, weights = start_from(weights, net, card), None  # their memory is given back
        teller = Teller(run, wish, watcher)
        training = _training(net, loaded, card, settings, run, device, watcher, wish, teller)
        training.choose_engine()
        check_space(run.path, sum(t.numel() * t.element_size() for t in net.state_dict().values()))
        save_model_source(run, settings.model)
        run.write("card.json", card.to_json())
        run.write("splits.csv", write_splits(loaded.dataset))
        run.write("problems.csv", problems_csv(loaded))
        settings = replace(settings, engine=training.stepper.name)
        run.write_config(config_of(data, settings, loaded, device))
        with teller.truthful():
            training.train()
            return _finish(training, began)


def resume(
    run: str | Path,
    *,
    threads: int | None = None,
    device: str | None = None,
    watcher: Watcher | None = None,
) -> Trained:
    """Go on with a training exactly where it stopped; see `train`.

    With the same machine and threads the result has the same bits as one that was never stopped;
    where it cannot, the watcher is told why.
    """
    began, watcher = time.perf_counter(), watcher or Quiet()
    folder = Run.open(run)
    config = folder.read_config()
    settings = TrainConfig.from_dict(
        {name: value for name, value in config.items() if name not in ("data", *TABLES)},
        source=str(folder.path / "config.toml"),
    )
    settings = replace(settings, threads=threads or config["machine"]["threads"])
    place = choose_device(device or config["machine"]["device"])
    with (
        _left_as_found(settings),
        wish_to_stop() as wish,
        folder.locked(),
        Teller(folder, wish, watcher).truthful() as teller,
    ):
        stored, passed_over = folder.read_state()
        for problem in passed_over:
            watcher.note(f"{problem} The state before it is used.")
        card = folder.read_card()
        loaded = _same_data(folder, config, card, settings, watcher)
        changed = differences(config["machine"], machine_facts(place))
        if changed:
            watcher.note(f"Not bit-identical to an unbroken run: {', '.join(changed)}.")
        torch.manual_seed(settings.seed)
        with on_sys_path(config):
            net = build_network(model_source(folder, settings.model), card)
        weights = _weights(settings, watcher) if stored is None else None
        if weights is not None:  # it was stopped before its first state was saved
            start_from(weights, net, card)
        training = _training(net, loaded, card, settings, folder, place, watcher, wish, teller)
        if stored is not None:
            training.restore(stored)
        training.choose_engine()
        training.train()
        return _finish(training, began)


def _same_data(
    run: Run, config: dict[str, Any], card: Card, settings: TrainConfig, watcher: Watcher
) -> LoadedDataset:
    """The data of a run, as they were. Raises RequestError where they are others now."""
    dataset = open_source(config["data"], data_dir=settings.data_dir)
    if dataset.classes != card.classes:
        raise RequestError(
            f"The classes of {config['data']} are {', '.join(dataset.classes)} and the run was "
            f"trained on {', '.join(card.classes)}. Restore the data, or train anew."
        )
    dataset = apply_splits(dataset, run.read("splits.csv"))
    loaded = load_checked(dataset, card, settings, watcher)
    if loaded.fingerprint != config["dataset"]["fingerprint"]:
        raise RequestError(
            f"The pictures of {config['data']} are not those that {run.path} was trained on. "
            "Restore them, or train anew."
        )
    return loaded


def _weights(settings: TrainConfig, watcher: Watcher) -> Weights | None:
    if settings.weights is None:
        return None
    return open_weights(settings.weights, progress=watcher.downloading)


def _training(
    net: torch.nn.Module,
    loaded: LoadedDataset,
    card: Card,
    settings: TrainConfig,
    run: Run,
    device: torch.device,
    watcher: Watcher,
    wish: Wish,
    teller: Teller,
) -> Training:
    return Training(
        net=net.to(device),
        loaded=loaded,
        card=card,
        settings=settings,
        run=run,
        device=device,
        channels_last=reads_channels_last(
            net, in_channels=card.in_channels, input_size=card.input_size
        ),
        watcher=watcher,
        wish=wish,
        teller=teller,
        facts={
            "network": card.provenance.get("network", settings.model),
            "classes": list(card.classes),
        },
        told=told(settings, loaded.dataset, card, net),
    )


def _finish(training: Training, began: float) -> Trained:
    """Test the best weights, once, and write the report."""
    run, card = training.run, training.card
    weights = run.read_weights().tensors
    load_state(training.net, weights, where=str(run.path / "model.safetensors"), card=card)
    test = training.measure_or_stop("test")
    run.write("test.json", json.dumps(test.metrics.to_dict(), indent=1, ensure_ascii=False) + "\n")
    page = report(
        title=run.path.name,
        told=training.told,
        metrics=training.counters.metrics,
        test=test,
        indices=training.loaded.dataset.indices("test"),
        loaded=training.loaded,
        net=training.net,
    )
    run.write("report.html", page)
    scores = test.metrics
    training.teller.end(
        "done",
        f"Test accuracy {scores.top1:.2%} "
        f"({scores.num_correct:,} of {scores.num_images:,} images).",
    )
    return Trained(run.path, test.metrics, time.perf_counter() - began)


@contextlib.contextmanager
def _left_as_found(settings: TrainConfig) -> Generator[None]:
    """Threads and random state as they were, whatever happens in between."""
    with torch.random.fork_rng(), threads_set(settings.threads):
        yield


@contextlib.contextmanager
def _kept_if_begun(run: Run) -> Generator[None]:
    """A request that is refused leaves no folder behind."""
    try:
        yield
    finally:
        run.discard_if_unstarted()
