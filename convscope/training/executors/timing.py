"""How long steps take, told so that others' work on the machine changes it little."""

import itertools
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")
_MIN_TURNS = 4
_DISTURBED = 1.25  # times as long by the wall's clock
_WAITED = 0.25  # of the time, by all threads: to 0.10 on an idle machine, from 0.7 beside a program
_FINE = 1e-5  # seconds: a clock for steps of a millisecond


def least_milliseconds(
    steps: Mapping[_T, Callable[[], object]],
    *,
    threads: int,
    seconds: float,
    calls: int = 1,
    is_clear: Callable[[Mapping[_T, float]], bool] = lambda _: False,
) -> tuple[dict[_T, float], bool]:
    """The shortest of each step's calls, which take turns, `calls` of each at a time.

    And whether others had cores for a good part of the time: then threads wait for threads that do
    not run, and what several take says little.

    The first call of each prepares and is not counted. The turns, at least four, go on for so many
    seconds of `step_clock`, or for a third of them if what was found then `is_clear`.
    """
    clock = step_clock(threads)
    for step in steps.values():
        step()
    best = dict.fromkeys(steps, math.inf)
    began, began_wall, waited = clock(), time.perf_counter(), _waited()
    for turn in itertools.count():
        spent = clock() - began
        if turn >= _MIN_TURNS and (spent > seconds or (spent > seconds / 3 and is_clear(best))):
            break
        for name, step in steps.items():
            for _ in range(calls):
                start = clock()
                step()
                best[name] = min(best[name], 1000 * (clock() - start))
    wall, own = time.perf_counter() - began_wall, clock() - began
    return best, wall > _DISTURBED * own or _waited() - waited > _WAITED * wall


def step_clock(threads: int) -> Callable[[], float]:
    """Seconds of this thread's own processor time, which stand still while others have the core.

    The first thread waits until the last one is done. GNU OpenMP's, which are PyTorch's and the
    engine's, wait by spinning, so that the whole step is counted; where threads sleep instead, the
    clock is the wall's. (The time of all threads together will not do: of those that are running,
    Linux counts it every few milliseconds only.)
    """
    fine = time.get_clock_info("thread_time").resolution <= _FINE
    if threads == 1:
        return time.thread_time if fine else time.perf_counter
    from convscope.lanes.threads import openmp  # noqa: PLC0415 -- needs an extra

    policy = os.environ.get("OMP_WAIT_POLICY", "").lower()
    spins = openmp() is not None and policy != "passive" and threads <= _cores()
    return time.thread_time if fine and spins else time.perf_counter


def _waited() -> float:
    """Seconds that this process's threads could have run and had no core; 0 where none says so."""
    total = 0
    for path in Path("/proc/self/task").glob("*/schedstat"):  # Linux has it
        try:
            total += int(path.read_text().split()[1])
        except (OSError, IndexError, ValueError):  # the thread has ended, or nothing is counted
            continue
    return total / 1e9


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
