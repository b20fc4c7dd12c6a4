"""Training by the processes that torchrun started, or by this one alone."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from convscope.data.augmentation.own_function import Transform
from convscope.data.dataset import Dataset
from convscope.data.source import DataLike
from convscope.distributed.joining import joined
from convscope.distributed.launch import current_launch
from convscope.errors import RequestError, shell_word
from convscope.runs.folder import Run
from convscope.runs.own_code import Consent, is_own_code
from convscope.training.callbacks.base import Callback
from convscope.training.config import TrainConfig
from convscope.training.initial_weights import with_published_weights
from convscope.training.made_with import FREE, settings_in
from convscope.training.own_augmentation import is_own
from convscope.training.result import TrainingResult
from convscope.training.resumption import resume_run
from convscope.training.run_config import absolute_paths, recorded_data
from convscope.training.start import named_network, train_run

_OF_THE_PROCESS = ("device", "threads", "fsdp", *FREE)


def train_together(
    data: DataLike,
    config: TrainConfig,
    *,
    given: Collection[str] = (),
    out: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
    module: nn.Module | None = None,
    function: Transform | None = None,
    ahead: Callable[[], Dataset | None] = lambda: None,
) -> TrainingResult:
    """`train_run` by all processes that were launched together; callbacks are rank 0's.

    A launcher starts the same command again after a failure. So a run that is at `out` already
    goes on, if it has the same settings and data.

    Raises RequestError where it has others, and where restarts would not find the run.
    """
    launch = current_launch()
    if launch is not None and launch.can_restart and out is None:
        raise RequestError(
            "Where processes are restarted, they need the folder of the run to go on with. Name it "
            "with `out`."
        )
    with joined() as group:
        callbacks = callbacks if group.is_first else []
        if launch is not None and out is not None and (Path(out) / "config.toml").exists():
            run = Run.open(out)
            _check_same(run, data, config, given, module)
            return resume_run(
                run.path,
                data=None if isinstance(data, str | Path) else data,
                consent=Consent(module or (config.model if is_own_code(config.model) else None)),
                augment=function or (config.augment if is_own(config.augment) else None),
                threads=config.threads if "threads" in given else None,
                device=config.device if "device" in given else None,
                fsdp=config.fsdp if "fsdp" in given else None,
                callbacks=callbacks,
                group=group,
            )
        return train_run(
            data,
            config,
            given=given,
            out=out,
            callbacks=callbacks,
            module=module,
            function=function,
            ahead=ahead,
            group=group,
        )


def _check_same(
    run: Run,
    data: DataLike,
    config: TrainConfig,
    given: Collection[str],
    module: nn.Module | None = None,
) -> None:
    saved, network = run.read_config(), named_network(config.model, module)
    now = with_published_weights(absolute_paths(config), network)
    now = now if network is None else replace(now, model=network.model)
    then = settings_in(saved, source=str(run.path / "config.toml"))
    names = {*given} - {*_OF_THE_PROCESS} - ({"model"} if module else set())
    if now.pretrained != config.pretrained:
        names |= {"weights"}  # which a run records in its place
    if config.pretrained and then.weights is not None:
        names -= {"pretrained"}
    changed = {name: (getattr(then, name), getattr(now, name)) for name in names}
    changed["data"] = saved["data"], recorded_data(data)
    texts = [f"`{name}` was {a} and is {b}" for name, (a, b) in changed.items() if a != b]
    if texts:
        raise RequestError(
            f"{run.path} is a run already, and not of this command: {', '.join(texts)}. Name a new "
            f"folder with `out`, or go on with `convscope resume {shell_word(run.path)}`."
        )
