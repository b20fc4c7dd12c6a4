"""Training and resuming: from a request to a run folder with a tested network."""

import contextlib
import json
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from convscope.card import Card
from convscope.data.classes import order_classes
from convscope.data.loading import LoadedDataset
from convscope.data.options import saved_options
from convscope.data.source import DataLike, open_source
from convscope.data.split import apply_splits, fill_splits, write_splits
from convscope.device import choose_device, threads_set
from convscope.errors import RequestError, WorkError
from convscope.evaluation.measure import EvaluationOutputs, compute_metrics
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
from convscope.training.assemble import Session, Task, assemble
from convscope.training.callbacks.base import Callback, CallbackError, CallbackList
from convscope.training.callbacks.interrupt import handle_signals
from convscope.training.callbacks.live_status import LiveStatus
from convscope.training.config import TABLES, TrainConfig
from convscope.training.events import EvaluationStart, RunEnd, RunStart
from convscope.training.executors.base import ExecutorName
from convscope.training.executors.eager import torch_logits
from convscope.training.nonfinite import StepError
from convscope.training.prepare import (
    describe,
    finalize_preprocessing,
    infer_preprocessing,
    load_checked,
    load_pretrained,
    with_output,
)
from convscope.training.run_config import (
    check_disk_space,
    environment,
    environment_changes,
    problems_csv,
    run_config,
)
from convscope.training.signature import takes_settings
from convscope.training.trainer import Trainer
from convscope.weights.source import Weights, open_weights
from convscope.zoo import default_lr
from convscope.zoo.table_file import is_table


@dataclass(frozen=True)
class TrainingResult:
    """What a training leaves: the run folder, its test, and the seconds from start to end."""

    run: Path
    test: Metrics
    seconds: float


@takes_settings(TrainConfig)
def train(
    data: DataLike = "digits",
    *,
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    **settings: Any,
) -> TrainingResult:
    """Train a network on labeled images and test it once, with the best weights, at the end.

    `data` is a named data set, a folder, a CSV file, (images, labels), a torch Dataset or a Hugging
    Face data set, or a dictionary of splits of these; `out` is the run folder to create;
    `callbacks` are called at every stage, see `convscope.Callback`; `settings` are the fields of
    `TrainConfig`, which the command line has as flags.

    Raises RequestError for an invalid request, WorkError for work that failed, Interrupted when a
    signal asked to stop.
    """
    return train_run(data, TrainConfig.from_dict(settings), out=out, callbacks=callbacks)


def train_run(
    data: DataLike,
    config: TrainConfig,
    *,
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
) -> TrainingResult:
    """`train` with its settings in one object."""
    began, user = time.perf_counter(), CallbackList(callbacks)
    device = choose_device(config.device)
    dataset = open_source(
        data, data_dir=config.data_dir, on_progress=user.downloading, **config.data_options()
    )
    dataset = fill_splits(dataset, val=config.val, test=config.test, seed=config.split_seed)
    model = Path(config.model).stem if is_table(config.model) else config.model
    run = Run.create(Path(out) if out else None, name=f"{slugify(model)}_{slugify(dataset.name)}")
    with (
        _restored(config),
        handle_signals() as request,
        run.locked(),
        _discarded_unless_begun(run),
    ):
        weights = _open_weights(config, user)
        start = weights and weights.card
        card = infer_preprocessing(dataset, config, user, start)
        loaded = load_checked(dataset, card, config, user)
        num_images = len(loaded.dataset.indices("train"))
        config = config.resolve(num_images, default_lr=default_lr(config.model))
        card = finalize_preprocessing(card, loaded, config.model, start)
        torch.manual_seed(config.seed)
        network = build_network(config.model, card)
        card = with_output(card, network, user)
        if weights is not None:
            card, weights = load_pretrained(weights, network, card), None  # frees their memory
        session = Session(run, request, user)
        task = Task.of(network, loaded, card, config, device)
        status = LiveStatus(session.live, request)
        trainer = assemble(task, session, status)
        _write_start(data, task, run, engine=trainer.executor.name)
        with status.session(), _naming_checkpoint(run):
            return _fit_and_test(trainer, task, session, began)


def resume(
    run: str | Path,
    *,
    threads: int | None = None,
    device: str | None = None,
    callbacks: Sequence[Callback] = (),
) -> TrainingResult:
    """Resume a training exactly where it stopped; see `train`.

    With the same machine and threads the result has the same bits as one that was never stopped;
    otherwise a message says why not. Callbacks are not saved: pass them again.
    """
    if threads is not None and threads < 1:
        raise RequestError(f"`threads` must be at least 1, not {threads}.")
    began, user, folder = time.perf_counter(), CallbackList(callbacks), Run.open(run)
    saved = folder.read_config()
    config = TrainConfig.from_dict(
        {name: value for name, value in saved.items() if name not in ("data", *TABLES)},
        source=str(folder.path / "config.toml"),
    )
    config = replace(config, threads=threads or saved["machine"]["threads"])
    chosen = choose_device(device or saved["machine"]["device"])
    with _restored(config), handle_signals() as request, folder.locked():
        session = Session(folder, request, user)
        with LiveStatus(session.live, request).session() as status, _naming_checkpoint(folder):
            trainer, task = _reassemble(session, status, saved, config, chosen)
            return _fit_and_test(trainer, task, session, began)


def _reassemble(
    session: Session,
    status: LiveStatus,
    saved: dict[str, Any],
    config: TrainConfig,
    device: torch.device,
) -> tuple[Trainer, Task]:
    """The trainer of a run, in its last intact state."""
    run, user = session.run, session.user
    stored, skipped = run.read_state()
    for problem in skipped:
        user.message(f"{problem} The checkpoint before it is used.")
    card = run.read_card()
    loaded = _same_data(run, saved, card, config, user)
    changed = environment_changes(saved["machine"], environment(device))
    if changed:
        user.message(f"Not bit-identical to an uninterrupted run: {', '.join(changed)}.")
    torch.manual_seed(config.seed)
    with on_sys_path(saved):
        network = build_network(model_source(run, config.model), card)
    weights = _open_weights(config, user) if stored is None else None
    if weights is not None:  # it was stopped before its first checkpoint
        load_pretrained(weights, network, card)
    task = Task.of(network, loaded, card, config, device)
    return assemble(task, session, status, stored=stored), task


def _write_start(data: DataLike, task: Task, run: Run, *, engine: ExecutorName) -> None:
    """Write what a resume needs beside the checkpoint; config.toml, the last, makes it a run."""
    tensors = task.network.state_dict().values()
    check_disk_space(run.path, sum(tensor.numel() * tensor.element_size() for tensor in tensors))
    save_model_source(run, task.config.model)
    run.write("card.json", task.card.to_json())
    run.write("splits.csv", write_splits(task.loaded.dataset))
    run.write("problems.csv", problems_csv(task.loaded))
    config = replace(task.config, engine=engine)
    run.write_config(run_config(data, config, task.loaded, task.inputs.device))


def _same_data(
    run: Run, saved: dict[str, Any], card: Card, config: TrainConfig, user: CallbackList
) -> LoadedDataset:
    """The data of a run, as they were. Raises RequestError where they have changed."""
    dataset = open_source(saved["data"], data_dir=config.data_dir, **saved_options(saved))
    dataset = order_classes(dataset, card.classes)
    if dataset.classes != card.classes:
        raise RequestError(
            f"The classes of {saved['data']} are {', '.join(dataset.classes)} and the run was "
            f"trained on {', '.join(card.classes)}. Restore the data, or start a new run."
        )
    dataset = apply_splits(dataset, run.read("splits.csv"))
    loaded = load_checked(dataset, card, config, user)
    if loaded.fingerprint != saved["dataset"]["fingerprint"]:
        raise RequestError(
            f"The images of {saved['data']} are not those that {run.path} was trained on. "
            "Restore them, or start a new run."
        )
    return loaded


def _open_weights(config: TrainConfig, user: CallbackList) -> Weights | None:
    if config.weights is None:
        return None
    return open_weights(config.weights, on_progress=user.downloading)


def _fit_and_test(trainer: Trainer, task: Task, session: Session, began: float) -> TrainingResult:
    """Train, test the best weights, once, and write the report."""
    run, state, call = session.run, trainer.state, trainer.callbacks.call
    description = describe(task.config, task.loaded.dataset, task.card, task.network)
    start = RunStart(run.path, task.network, task.card, task.config, description)
    call("on_run_start", start)
    resumed = f"Resuming after step {state.step:,}. " if state.step else ""
    session.user.message(f"{resumed}{description}")
    trainer.fit()
    if state.stop_reason and not trainer.limits.reached(state):
        session.user.message(f"Stopped early: {state.stop_reason}.")
    test = _test(trainer, task, run)
    run.write("test.json", json.dumps(test.metrics.to_dict(), indent=1, ensure_ascii=False) + "\n")
    page = report(
        title=run.path.name,
        description=description,
        metrics=state.history,
        test=test,
        indices=task.loaded.dataset.indices("test"),
        loaded=task.loaded,
        net=task.network,
    )
    run.write("report.html", page)
    seconds = time.perf_counter() - began
    call("on_run_end", RunEnd(run.path, test.metrics, seconds))
    return TrainingResult(run.path, test.metrics, seconds)


def _test(trainer: Trainer, task: Task, run: Run) -> EvaluationOutputs:
    """Test the best weights by PyTorch, for `convscope evaluate` has to find the same bits."""
    weights, dataset = run.read_weights().tensors, task.loaded.dataset
    load_state(task.network, weights, where=str(run.path / "model.safetensors"), card=task.card)
    indices = dataset.indices("test")
    start = EvaluationStart("test", len(indices))
    trainer.callbacks.call("on_evaluation_start", trainer.state, start)
    on_batch = partial(trainer.report_batch, "test")
    logits = torch_logits(task.network, task.inputs, indices, on_batch)
    return compute_metrics(logits, dataset.labels[indices], task.card)


@contextlib.contextmanager
def _naming_checkpoint(run: Run) -> Generator[None]:
    """Where a step or a callback failed, say what is kept."""
    try:
        yield
    except (StepError, CallbackError) as error:
        kept = f" The last good state is kept in {run.path}." if run.has_state() else ""
        raise WorkError(f"{error}{kept}") from error


@contextlib.contextmanager
def _restored(config: TrainConfig) -> Generator[None]:
    """Threads and random state as they were, whatever happens in between."""
    with torch.random.fork_rng(), threads_set(config.threads):
        yield


@contextlib.contextmanager
def _discarded_unless_begun(run: Run) -> Generator[None]:
    """A request that is refused leaves no folder behind."""
    try:
        yield
    finally:
        run.discard_if_unstarted()
