"""The phases of a step on several threads: torch's own OpenMP team, or a pool of Python's."""

import ctypes
import glob
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm  # pyright: ignore[reportMissingTypeStubs]
import torch

from convscope.errors import WorkError

_OPENMP = ("omp_get_thread_num", "omp_get_num_threads")
_KIND = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)


@cache
def openmp() -> Any:
    """GNU OpenMP as torch brings it, its threads shared with torch; None where there is none."""
    found = glob.glob(str(Path(torch.__file__).parent / "lib" / "libgomp*"))  # noqa: PTH207
    for name in found:
        try:
            library = ctypes.CDLL(name)
            parallel = library.GOMP_parallel
            for symbol in _OPENMP:
                address = ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value
                llvm.add_symbol(symbol, address)
        except (OSError, AttributeError):
            continue
        parallel.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
        parallel.restype = None
        return parallel
    return None


def write_teams(phases: Sequence[str]) -> str:
    """For every phase a function that OpenMP calls on each thread of its team.

    A team may have fewer threads than requested: then each does the work of several.
    """
    declared = [f"declare i32 @{name}()\n" for name in _OPENMP]
    return "".join([*declared, *map(_pool, phases)])


def _pool(phase: str) -> str:
    return f"""define void @team_{phase}(ptr %job) nounwind {{
entry:
  %ctx = load ptr, ptr %job, align 8
  %place = getelementptr i64, ptr %job, i64 1
  %threads = load i64, ptr %place, align 8
  %me = call i32 @omp_get_thread_num()
  %all = call i32 @omp_get_num_threads()
  %first = zext i32 %me to i64
  %step = zext i32 %all to i64
  %any = icmp slt i64 %first, %threads
  br i1 %any, label %turn, label %done
turn:
  %thread = phi i64 [ %first, %entry ], [ %next, %turn ]
  call void @{phase}(ptr %ctx, i64 %thread)
  %next = add i64 %thread, %step
  %more = icmp slt i64 %next, %threads
  br i1 %more, label %turn, label %done
done:
  ret void
}}
"""


class ThreadPool:
    """Runs the phases of one compiled module, each on all threads; they wait between.

    Threads do not survive a fork, so only the process that made a team may run it.
    """

    def __init__(
        self, address: dict[str, int], phases: Sequence[str], *, with_openmp: bool = True
    ) -> None:
        self._address = address
        self._phases = {phase: _KIND(address[phase]) for phase in phases}
        self._parallel = openmp() if with_openmp else None
        self._pool: ThreadPoolExecutor | None = None
        self._process = os.getpid()

    def run(self, phases: Sequence[str], context: int, threads: int) -> None:
        """Every phase for every thread number below `threads`.

        Raises WorkError in a process that was forked off.
        """
        if os.getpid() != self._process:
            raise WorkError(
                "The engine works only in the process that created it. Start workers with spawn, "
                "not fork."
            )
        for phase in phases:
            if threads == 1:
                self._phases[phase](context, 0)
            elif self._parallel is not None:
                job = (ctypes.c_int64 * 2)(context, threads)
                self._parallel(self._address[f"team_{phase}"], ctypes.byref(job), threads, 0)
            else:
                self._with_pool(phase, context, threads)

    def _with_pool(self, phase: str, context: int, threads: int) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(64, thread_name_prefix="lanes")
        call = self._phases[phase]
        coming = [self._pool.submit(call, context, thread) for thread in range(1, threads)]
        call(context, 0)
        for one in coming:
            one.result()
