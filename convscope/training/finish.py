"""What new and resumed trainings share: the loop, the test of the best weights, the report."""

import contextlib
import time
from collections.abc import Generator
from dataclasses import replace
from functools import partial

import torch

from convscope.atomic import WriteError
from convscope.device import threads_set
from convscope.errors import (
    ConvscopeError,
    LostProcessError,
    NetworkError,
    WorkError,
    shell_word,
)
from convscope.evaluation.imbalance import imbalance_of_result
from convscope.evaluation.measure import EvaluationOutputs, compute_metrics
from convscope.evaluation.result import EvaluationResult, groups_of
from convscope.memory import is_out_of_memory, least_available
from convscope.models import OpenedModel
from convscope.reports.content import Report
from convscope.reports.page import report_page
from convscope.runs.folder import Run
from convscope.runs.network import load_state
from convscope.runs.tensor_file import TensorFile
from convscope.training.assemble import Session, Task
from convscope.training.callbacks.base import CallbackError
from convscope.training.callbacks.early_stopping import stop_message
from convscope.training.callbacks.loggers import end_logging
from convscope.training.config import TrainConfig
from convscope.training.events import EvaluationStart, RunEnd, RunStart
from convscope.training.executors.eager import torch_logits
from convscope.training.meeting import check_alike
from convscope.training.nonfinite import StepError
from convscope.training.prepare import describe
from convscope.training.recipe import outcome_of
from convscope.training.result import TrainingResult
from convscope.training.state import TrainState
from convscope.training.trainer import Trainer
from convscope.words.json_text import to_json


def fit_and_test(trainer: Trainer, task: Task, session: Session, began: float) -> TrainingResult:
    """Train, test the best weights, once, and write the report."""
    description = _fit(trainer, task, session)
    run, state, call = session.run, trainer.state, trainer.callbacks.call
    test = _test(trainer, task, session)
    if imbalance := imbalance_of_result(test.metrics):
        session.user.message(imbalance)
    if session.group.is_first:
        _write_result(run, test, state, task, description)
    session.group.wait("at the report")
    read = TrainingResult.read(run, seconds=time.perf_counter() - began)
    result = replace(read, test=test.metrics)
    call("on_run_end", RunEnd(run.path, test.metrics, result.seconds, test))
    return result


def _write_result(
    run: Run, test: EvaluationOutputs, state: TrainState, task: Task, description: str
) -> None:
    run.write("test.json", test.metrics.to_json())
    outcome = outcome_of(run, test.metrics, epochs=len(state.history))
    if outcome is not None:
        run.write("recipe.json", to_json(outcome.to_dict()) + "\n")
    dataset = task.loaded.dataset
    indices = dataset.indices("test")
    result = EvaluationResult(
        test,
        description,
        paths=tuple(dataset.images.key(int(index)) for index in indices),
        labels=dataset.truth(indices),
        model=run.path.name,
        groups=groups_of(dataset, indices),
        split="test",
        loaded=task.loaded,
        indices=indices,
        opened=OpenedModel(run.path.name, task.network, task.card, run),
    )
    note = "" if outcome is None else outcome.describe()
    content = Report(run.path.name, result, [*state.history], note, thorough=False)
    run.write("report.html", report_page(content))


def fit_alone(trainer: Trainer, task: Task, session: Session, _began: float) -> None:
    """Train, and leave the test split untouched: a resume of the run tests it."""
    _fit(trainer, task, session)
    end_logging(trainer.callbacks)


def _fit(trainer: Trainer, task: Task, session: Session) -> str:
    """Train; returns what is trained on what."""
    check_alike(task, trainer.state, session.group)
    run, state, call = session.run, trainer.state, trainer.callbacks.call
    description = describe(task.config, task.loaded.dataset, task.card, task.network)
    start = RunStart(run.path, task.network, task.card, task.config, description)
    call("on_run_start", start)
    resumed = f"Resuming after step {state.step:,}. " if state.step else ""
    session.user.message(f"{resumed}{description}")
    trainer.fit()
    if state.stop_reason and not trainer.limits.reached(state):
        session.user.message(stop_message(state, task.config))
    return description


def _test(trainer: Trainer, task: Task, session: Session) -> EvaluationOutputs:
    """Test the best weights by PyTorch, for `convscope evaluate` has to find the same bits."""
    dataset, run, group = task.loaded.dataset, session.run, session.group
    task.network.zero_grad()  # their memory is needed for the weights of the file
    if group.is_first:
        where = str(run.path / "model.safetensors")
        load_state(task.network, run.read_weights().tensors, where=where, card=task.card)
    group.copy_from_first(task.network.state_dict().values(), "at the best weights")
    indices = dataset.indices("test")
    start = EvaluationStart("test", len(indices))
    trainer.callbacks.call("on_evaluation_start", trainer.state, start)
    on_batch = partial(trainer.report_batch, "test")
    logits = torch_logits(task.network, task.inputs, indices, on_batch, group)
    return compute_metrics(logits, dataset.truth(indices), task.card, intervals=True)


@contextlib.contextmanager
def naming_checkpoint(run: Run) -> Generator[None]:
    """Where a step, a callback or somebody's network failed, say what is kept."""
    try:
        yield
    except (StepError, CallbackError) as error:
        raise WorkError(f"{error}{_kept(run)}") from error
    except LostProcessError as error:
        error.args = (f"{error}{_kept(run)}{_how_to_go_on(run)}",)
        raise
    except NetworkError as error:
        raise NetworkError(f"{error}{_kept(run)}") from error
    except WriteError as error:
        raise WorkError(
            f"{error}{_kept(run)} Continue with `convscope resume {shell_word(run.path)}`."
        ) from error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        least = least_available()
        raise WorkError(
            f"Out of memory: {least.bytes / 1e6:,.0f} MB are {least.limit}.{_kept(run)}"
            f"{_how_to_continue(run)}"
        ) from error


def _how_to_go_on(run: Run) -> str:
    return "" if _state(run) is None else " The same command goes on with it."


def _how_to_continue(run: Run) -> str:
    if _state(run) is None:
        return " Train with a smaller `batch_size` or `input_size`, or a smaller network."
    return (
        " Continue where more memory is free, with "
        f"`convscope resume {shell_word(run.path)}`, or train again with a smaller `batch_size`."
    )


def _kept(run: Run) -> str:
    """Which state and which weights are on disk, each only if it is there and whole."""
    kept, stored = "", _state(run)
    if stored is not None and (step := stored.metadata["state"]["step"]):
        kept += f" The last good state, after step {step:,}, is kept in {run.path}."
    with contextlib.suppress(ConvscopeError, RuntimeError, MemoryError):
        epoch = run.read_weights().metadata["epoch"]
        kept += f" The best weights, of epoch {epoch}, are in {run.path / 'model.safetensors'}."
    return kept


def _state(run: Run) -> TensorFile | None:
    """The last state that can be read; None if there is none."""
    with contextlib.suppress(ConvscopeError, RuntimeError, MemoryError):
        return run.read_state()[0]
    return None


@contextlib.contextmanager
def restored(config: TrainConfig) -> Generator[None]:
    """Threads and random state as they were, whatever happens in between."""
    with torch.random.fork_rng(), threads_set(config.threads):
        yield
