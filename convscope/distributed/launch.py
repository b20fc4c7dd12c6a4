"""What a launcher such as torchrun tells a process of its place among the others.

PyTorch's names of environment variables: torchrun, Kubernetes' PyTorchJob and Ray Train set them.
"""

import os
from dataclasses import dataclass

from convscope.errors import RequestError

TIME_LIMIT = "CONVSCOPE_PROCESS_TIMEOUT"
"""The environment variable for the seconds that a process waits for the others."""

_DEFAULT_LIMIT = 300.0
_NEEDED = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Launch:
    """One process among those that were launched together.

    Attributes:
        rank: its number, from 0, among all `size` processes.
        local_rank: its number among the `local_size` processes of its machine.
        node: the number of its machine.
        attempt: how often the processes have been restarted.
        can_restart: whether the launcher will restart processes that fail.
        address: host and port where the processes meet.
        hosted: whether the launcher holds the store there; else rank 0 does.
        seconds: how long it waits for the others before it gives up.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int
    node: int
    attempt: int
    can_restart: bool
    address: tuple[str, int]
    hosted: bool
    seconds: float


def current_launch() -> Launch | None:
    """How this process was launched; None where it was started alone.

    Raises RequestError for variables that are no numbers.
    """
    if not all(os.environ.get(name) for name in _NEEDED):
        return None
    rank, size = _count("RANK"), _count("WORLD_SIZE")
    return Launch(
        rank=rank,
        size=size,
        local_rank=_count("LOCAL_RANK", 0),
        local_size=_count("LOCAL_WORLD_SIZE", 1),
        node=_count("GROUP_RANK", rank),
        attempt=_count("TORCHELASTIC_RESTART_COUNT", 0),
        can_restart=_count("TORCHELASTIC_MAX_RESTARTS", 0) > 0,
        address=(os.environ["MASTER_ADDR"], _count("MASTER_PORT")),
        hosted=os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
        seconds=_seconds(),
    )


def is_first() -> bool:
    """Whether this process speaks for all: it is alone, or has rank 0."""
    launch = current_launch()
    return launch is None or launch.rank == 0


def _count(name: str, default: int | None = None) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdigit():
        raise RequestError(f"The environment variable {name} must be a whole number, not {text!r}.")
    return int(text)


def _seconds() -> float:
    text = os.environ.get(TIME_LIMIT, "")
    try:
        seconds = float(text) if text else _DEFAULT_LIMIT
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e7:
        raise RequestError(
            f"The environment variable {TIME_LIMIT} must be a number of seconds above 0, not "
            f"{text!r}."
        )
    return seconds
