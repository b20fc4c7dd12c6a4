"""What the benchmarks share: contenders in turn, medians with their spread, the machine's facts.

Contenders take turns, and each round begins with another one, so that a machine that warms up or
gets busy is unkind to all of them alike.
"""

import os
import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")


def rotated(contenders: Sequence[_T], turn: int) -> list[_T]:
    """The contenders in the order of round `turn`: each round another one begins."""
    first = turn % len(contenders)
    return [*contenders[first:], *contenders[:first]]


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """`median [min-max]`, each written with `form`."""
    median = statistics.median(values)
    return f"{median:{form}} [{min(values):{form}}-{max(values):{form}}]"


def environment() -> dict[str, str]:
    """This process's environment, in which Python keeps what it compiles, as for users."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def machine() -> str:
    """The processor, its cores, how busy it was just now, and the versions that matter."""
    load = f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"
    return (
        f"{_processor()}, {os.cpu_count()} cores, {load}; {platform.system()}, "
        f"Python {platform.python_version()}, torch {version('torch')}, "
        f"convscope {version('convscope')}"
    )


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text(encoding="utf-8").splitlines() if facts.exists() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
