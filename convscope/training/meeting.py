"""Whether several processes are about to train the same network on the same images."""

from importlib.metadata import version
from typing import Any

import torch

from convscope.distributed.group import Group
from convscope.errors import RequestError
from convscope.training.assemble import Task
from convscope.training.made_with import FREE
from convscope.training.state import TrainState

_OWN = ("device", "threads", *FREE)  # settings in which processes may differ


def check_alike(task: Task, state: TrainState, group: Group) -> None:
    """Compare what the processes of a group have read, and give all the weights of rank 0.

    Raises RequestError, naming rank and difference, where one of them has anything else.
    """
    if group.size == 1:
        return
    settings = {k: v for k, v in task.config.to_dict().items() if k not in _OWN}
    mine: dict[str, Any] = {
        **{f"`{name}`": value for name, value in settings.items()},
        "images": task.loaded.fingerprint,
        "step": state.step,
        "weights": sum(tensor.numel() for tensor in task.network.state_dict().values()),
        "version of convscope": version("convscope"),
        "version of torch": torch.__version__,
    }
    first, *others = group.gathered(mine, "at the comparison of settings and images")
    for rank, other in enumerate(others, 1):
        for name in first.keys() | other.keys():
            if first.get(name) != other.get(name):
                raise RequestError(
                    f"Rank {rank} of {group.size} has other {name} than rank 0: {other.get(name)}, "
                    f"not {first.get(name)}. All processes need the same command, data and "
                    "versions."
                )
    group.copy_from_first(task.network.state_dict().values(), "at the first weights")
