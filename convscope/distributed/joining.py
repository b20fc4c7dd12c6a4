"""How processes come together for a task, and how they part."""

import itertools
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from traceback import format_exception
from typing import TYPE_CHECKING

import torch

from convscope.device import choose_device, parse_device
from convscope.distributed.group import ALONE, Group
from convscope.distributed.launch import Launch, current_launch
from convscope.errors import (
    ConvscopeError,
    Interrupted,
    LostProcessError,
    RequestError,
    ToldError,
    WorkError,
)
from convscope.words.json_text import to_json

if TYPE_CHECKING:
    from convscope.distributed.peers import Peers

_tasks = itertools.count()


@contextmanager
def joined() -> Generator[Group]:
    """The group of the processes that torchrun started together; ALONE where nothing did.

    At the end each waits until all have come to it. The failure of one is told to the others, and
    to the launcher; where rank 0 tells it to the user, ToldError ends the others.
    """
    launch = current_launch()
    if launch is None:
        yield ALONE
    elif launch.size == 1:
        try:
            yield ALONE
        except Exception as error:
            _tell_launcher(error)
            raise
    else:
        with _together(launch) as group:
            yield group


def check_alone(what: str) -> None:
    """Raise RequestError where several processes were launched together; rank 0 tells it.

    `what` is done by one process, in a sentence such as "`tune` trains with one process".
    """
    with joined() as group:
        if group.size > 1:
            raise RequestError(f"{what}: start it without torchrun.")


def own_device(name: str, group: Group) -> torch.device:
    """The device of this process, for a name as `choose_device` takes it: a GPU for each.

    Raises RequestError where there are too few.
    """
    device = choose_device(name)
    if group.local_size == 1 or device.type == "cpu":
        return device
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if group.local_size > count or parse_device(name)[1] is not None:
        raise RequestError(
            f"{group.local_size} processes of this machine need a device of the kind {device.type} "
            f"each, and have {count}; `device={name!r}`. Start as many processes as there are "
            "devices, and name none of them, or use `device='cpu'`."
        )
    return torch.device("cuda", group.local_rank)


@contextmanager
def _together(launch: Launch) -> Generator[Group]:
    from convscope.distributed.peers import Peers  # noqa: PLC0415 -- not every PyTorch has it

    peers = Peers(launch, next(_tasks))
    try:
        with _process_group(launch, peers) as group:
            yield Group(
                launch.rank, launch.size, launch.local_rank, launch.local_size, peers, group
            )
    except Interrupted as error:  # which all agreed on
        _leave(launch, peers)
        if launch.rank:
            raise ToldError(error) from error
        raise
    except BaseException as error:
        reason = _failed(error, launch, peers)
        if reason is error:
            raise
        raise reason from error
    _leave(launch, peers)


@contextmanager
def _process_group(
    launch: Launch, peers: "Peers"
) -> Generator[torch.distributed.ProcessGroup | None]:
    """PyTorch's process group: the default one, or, where a program has made that, one beside it.

    With a time limit of ours, and for tensors on the CPU and on GPUs.
    """
    from torch._C._distributed_c10d import PrefixStore  # noqa: PLC0415 -- not every PyTorch has it

    peers.meet("here", "to the start")
    has_nccl = torch.cuda.is_available() and torch.distributed.is_nccl_available()
    backend = "cpu:gloo,cuda:nccl" if has_nccl else "gloo"
    os.environ.setdefault("TORCH_NCCL_BLOCKING_WAIT", "1")  # so that its time limit is an error
    limit, group = timedelta(seconds=launch.seconds), None
    try:
        if torch.distributed.is_initialized():
            made = torch.distributed.new_group(backend=backend, timeout=limit)
            group = made if isinstance(made, torch.distributed.ProcessGroup) else None
        else:
            torch.distributed.init_process_group(
                backend,
                store=PrefixStore("torch", peers.store),
                rank=launch.rank,
                world_size=launch.size,
                timeout=limit,
            )
    except RuntimeError as error:
        raise peers.lost(error, "at the start") from error
    try:
        yield group
    finally:
        with suppress(RuntimeError):
            torch.distributed.destroy_process_group(group)


def _leave(launch: Launch, peers: "Peers") -> None:
    """Wait for the others: one that is gone while they still talk to it would look like a failure.

    Results are on disk by now, so that nobody's absence is an error any more.
    """
    with suppress(LostProcessError, RuntimeError):
        peers.meet("done", "to the end")
        peers.publish(f"left/{launch.rank}")
        if launch.rank == 0:  # the last one, for it may hold the store
            peers.wait_for("left", range(launch.size), "to the end")


def _failed(error: BaseException, launch: Launch, peers: "Peers") -> BaseException:
    """Tell the others and the launcher; the error to raise."""
    _tell_launcher(error)
    text, told = str(error) or type(error).__name__, error
    if launch.rank and isinstance(error, ConvscopeError):
        told = WorkError(f"Rank {launch.rank} of {launch.size}: {text}")
        told.status = error.status
    with suppress(RuntimeError):  # the store is gone
        if isinstance(error, LostProcessError):
            told = ToldError(error) if error.is_told else error
        elif peers.fail(text):
            told = ToldError(error)
        peers.end()
    return told


def _tell_launcher(error: BaseException) -> None:
    """Leave the reason where torchrun looks for it, in its form."""
    if (path := os.environ.get("TORCHELASTIC_ERROR_FILE")) and isinstance(error, Exception):
        text = str(error) if isinstance(error, ConvscopeError) else "".join(format_exception(error))
        told = {"py_callstack": text, "timestamp": str(int(time.time()))}
        message = {"message": f"{type(error).__name__}: {error}", "extraInfo": told}
        with suppress(OSError):
            Path(path).write_text(to_json({"message": message}), "utf-8")
