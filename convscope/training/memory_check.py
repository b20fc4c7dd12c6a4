"""Whether a training fits into memory: known before its first epoch, with a batch size that does.

Where memory is plenty, as for small networks, nothing is tried. Otherwise what a step keeps is
measured on two and on four images, and where that comes close to what is free, a whole step is
tried. Beyond what the machine has free nothing is tried, for that could end the process.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from convscope.distributed.group import ALONE, Group
from convscope.distributed.local import local
from convscope.errors import RequestError
from convscope.forward import like_parameters
from convscope.memory import Available, is_out_of_memory, least_available, release_memory
from convscope.training.assemble import Task
from convscope.training.config import decided
from convscope.training.executors.base import Executor
from convscope.training.executors.eager import EagerExecutor
from convscope.zoo.check import unchanged

_GENEROUS = 1000  # times the bytes of its images, all that a step of a usual network keeps
_NEAR = 0.5  # of what is free, from which on a step is tried
_UNSURE = 1.5  # times what is free, up to which a step is tried where failing is harmless
_PIECES = 8  # one such part of its memory more is asked for: later steps find it in pieces
_MARGIN = 3  # the same of a size that is proposed: the next process may be left with less
_TRANSIENT = 3  # tensors as large as the largest, that a step needs beside what it keeps


def check_memory(task: Task, executor: Executor, group: Group = ALONE) -> None:
    """Check that a step by PyTorch fits, on the CPU. The network stays unchanged.

    Of several processes each computes its part of a batch, in its part of the machine's memory.

    Raises RequestError, with a batch size that was tried and fits, where it does not.
    """
    if not isinstance(executor, EagerExecutor) or task.config.compile:
        return
    if task.inputs.device.type != "cpu":
        return
    whole = min(decided(task.config.batch_size), len(task.loaded.dataset.indices("train")))
    batch_size, free = -(-whole // group.size), least_available()
    free = replace(free, bytes=free.bytes // group.local_size)
    fixed = _fixed(executor, free)
    if fixed + _GENEROUS * batch_size * _image_bytes(task) < _NEAR * free.bytes:
        return
    first, each = _kept(task, executor)
    need = fixed + first + batch_size * each
    if need < _NEAR * free.bytes or _fits(task, executor, batch_size, need, free, _PIECES):
        return
    sizes = [2**power for power in range(batch_size.bit_length()) if 2**power < batch_size]
    fitting = 0
    for size in sizes:
        if not _fits(task, executor, size, fixed + first + size * each, free, _MARGIN):
            break
        fitting = size
    advice = "No smaller one fits either: choose a smaller `input_size` or a smaller network."
    if fitting:
        fitting *= group.size
        advice = f"Batches of {fitting} were tried and fit: `batch_size={fitting}`."
    raise RequestError(
        f"A step of {task.config.model} with batches of {whole} images takes about "
        f"{_words(need)} of memory, and {_words(free.bytes)} are {free.limit}. {advice}"
    )


def _fits(
    task: Task, executor: EagerExecutor, batch_size: int, need: int, free: Available, spare: int
) -> bool:
    """Whether a step is possible, by an estimate and by trial with need / `spare` bytes taken."""
    if need > free.bytes * (_UNSURE if free.is_enforced else 1):
        return False
    release_memory()
    try:
        taken = torch.empty(need // spare, dtype=torch.uint8)
        _step(task, executor, batch_size)
        del taken
    except Exception as error:  # noqa: BLE001 -- what else a network raises is told by its step
        return not (is_out_of_memory(error) or is_out_of_memory(error.__cause__ or error))
    return True


def _step(task: Task, executor: EagerExecutor, batch_size: int) -> None:
    """The forward and backward pass of a step on black images."""
    with unchanged(task.network):
        task.network.train()
        _loss(task, executor, batch_size).backward()


def _loss(task: Task, executor: EagerExecutor, batch_size: int) -> Tensor:
    height, width = task.card.input_size
    pixels = torch.zeros(batch_size, height, width, task.card.in_channels, dtype=torch.uint8)
    images = like_parameters(task.network, task.inputs.normalized(pixels))
    targets = torch.zeros(batch_size, dtype=torch.int64)
    with executor.autocast():
        output = task.network(images)
    return executor.criterion(output, targets)[0]


def _kept(task: Task, executor: EagerExecutor) -> tuple[int, int]:
    """Bytes that a step keeps for its backward pass: of any batch, and of each image."""
    two, four = (_kept_of(task, executor, count) for count in (2, 4))
    each = max((four - two) // 2, 0)
    return max(two - 2 * each, 0), each


def _kept_of(task: Task, executor: EagerExecutor, batch_size: int) -> int:
    own = {weight.untyped_storage().data_ptr() for weight in task.network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with unchanged(task.network), saved_tensors_hooks(keep, lambda tensor: tensor):
        task.network.train()
        loss = _loss(task, executor, batch_size)
        del loss
    return sum(kept.values()) + _TRANSIENT * max(kept.values(), default=0)


def _fixed(executor: EagerExecutor, free: Available) -> int:
    """Bytes that a step takes whatever its batch: gradients, and the state of the optimizer.

    The state is allocated, which counts for `ulimit`, but not yet in use.
    """
    optimizer = executor.optimizer
    gradients = sum(local(weight).nbytes for weight in optimizer.weights)
    state = sum(local(one).nbytes for values in optimizer.state.values() for one in values)
    return gradients if free.is_enforced else gradients + state


def _image_bytes(task: Task) -> int:
    return 4 * task.card.in_channels * math.prod(task.card.input_size)


def _words(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
