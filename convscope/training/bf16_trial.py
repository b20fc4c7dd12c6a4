"""What bf16 would bring to a long training in float32: timed on a copy, told in a sentence."""

import copy
import time
from contextlib import suppress

import torch
from torch import Tensor, nn

from convscope.gradients import contiguous_gradients
from convscope.mixed_precision import autocast, instructions
from convscope.training.assemble import Task
from convscope.training.config import decided
from convscope.training.executors.base import Executor
from convscope.training.executors.eager import EagerExecutor
from convscope.training.limits import Limits

_LONG = 120  # seconds that a training takes at least for a trial
_SHARE = 0.02  # of the training that a trial may take
_TURNS = 3  # passes in each precision that are timed, after one that prepares
_WORTH = 1.2  # times as fast, from which on it is told


def bf16_note(task: Task, executor: Executor, limits: Limits) -> str:
    """How much faster the passes of a step would be in bf16, for the user; "" if not to be told.

    The random state stays as it is, and so does the network: its copy takes no more memory than
    what the optimizer has not used yet.
    """
    if not isinstance(executor, EagerExecutor) or not _is_possible(task):
        return ""
    passes = 2 * (_TURNS + 1)
    if limits.steps is not None and passes > _SHARE * limits.steps:
        return ""
    with torch.random.fork_rng(devices=()), suppress(Exception):  # its steps say what fails
        trial = _Trial(task, executor)
        began = time.perf_counter()
        trial.seconds(bf16=False)
        each, accumulate = time.perf_counter() - began, task.config.accumulate
        whole = (
            decided(limits.seconds) if limits.steps is None else limits.steps * accumulate * each
        )
        if whole < _LONG or passes * each > _SHARE * whole:
            return ""
        trial.seconds(bf16=True)
        turns = [(trial.seconds(bf16=False), trial.seconds(bf16=True)) for _ in range(_TURNS)]
        float32, bf16 = map(min, zip(*turns, strict=True))
        if bf16 > 0 and float32 / bf16 >= _WORTH:
            return (
                f"With `precision='bf16'`, forward and backward passes would be "
                f"{float32 / bf16:.1f} times as fast on this processor; the accuracy may differ."
            )
    return ""


def _is_possible(task: Task) -> bool:
    config, weights = task.config, task.network.parameters()
    return (
        config.precision == "float32"
        and not config.compile
        and task.inputs.device.type == "cpu"
        and task.card.output == "logits"
        and all(weight.dtype == torch.float32 for weight in weights)
        and bool(instructions("bf16"))
    )


class _Trial:
    """Passes on noise, in batches as large as those of the training."""

    def __init__(self, task: Task, executor: EagerExecutor) -> None:
        card = task.card
        noise = torch.Generator().manual_seed(0)
        size = min(decided(task.config.batch_size), len(task.loaded.dataset.indices("train")))
        shape = (size, *card.input_size, card.in_channels)
        pixels = torch.randint(256, shape, dtype=torch.uint8, generator=noise)
        self.network: nn.Module = copy.deepcopy(task.network).train()
        self.images: Tensor = task.inputs.normalized(pixels)
        self.targets = torch.randint(len(card.classes), (size,), generator=noise)
        self.criterion = executor.criterion

    def seconds(self, *, bf16: bool) -> float:
        """Of processor time, for a forward and backward pass."""
        self.network.zero_grad()
        began = time.process_time()
        with autocast(self.images.device, "bf16" if bf16 else "float32"):
            output = self.network(self.images)
        loss, _ = self.criterion(output, self.targets)
        contiguous_gradients(loss).backward()
        return time.process_time() - began
