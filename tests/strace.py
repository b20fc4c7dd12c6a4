"""System calls that fail, and processes that are killed at one, by strace."""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.forked import Forked

_ANY_TRACER, _SET_TRACER = ctypes.c_ulong(-1), 0x59616D61


@dataclass(frozen=True)
class Traced:
    """What a command did: its status, what it said, and the system calls that were looked at.

    Attributes:
        hit: the lines of the calls that failed or killed; empty where there were not so many calls.
    """

    status: int
    stderr: str
    calls: list[str]
    hit: list[str]

    def files(self) -> list[str]:
        """The paths in the calls that failed or killed."""
        return [path for line in self.hit for path in re.findall(r'[<"](/[^>"]*)[>"]', line)]


def trace(*words: object, calls: str, inject: str, log: Path) -> Traced:
    """Run `convscope WORDS` with `inject` (as strace has it) from the command's first line on."""
    process = Forked(*words, prepare=_wait)
    _until_stopped(process.pid)
    flags = ["-f", "-y", "-qq", "-s", "0", "-e", f"trace={calls}", "-e", "signal=none"]
    if inject:
        flags += ["-e", f"inject={inject}"]
    tracer = subprocess.Popen(
        ["strace", *flags, "-o", log, "-p", str(process.pid)], stderr=subprocess.PIPE, text=True
    )
    try:
        _until_traced(process.pid, tracer)
        process.signal(signal.SIGCONT)
        status = process.wait(120)
    finally:
        process.signal(signal.SIGKILL)
        tracer.wait(30)
        tracer.stderr.close()
    lines = log.read_text(errors="replace").splitlines()
    hit = [line for line in lines if "(INJECTED)" in line]
    if "signal=KILL" in inject and status == -signal.SIGKILL:
        hit = lines[-1:]
    return Traced(status, process.stderr, lines, hit)


@cache
def why_not() -> str:
    """Why no process can be traced here; empty where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(
        ["strace", "-o", os.devnull, sys.executable, "-c", ""], capture_output=True, check=False
    )
    return "" if done.returncode == 0 else "strace may trace no process here"


def _wait() -> None:
    """In the process: let any other trace it, and wait for it."""
    ctypes.CDLL(None).prctl(_SET_TRACER, _ANY_TRACER, 0, 0, 0)
    os.kill(os.getpid(), signal.SIGSTOP)


def _until_stopped(pid: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt":
            return
        time.sleep(0.005)
    raise TimeoutError(f"process {pid} does not wait")


def _until_traced(pid: int, tracer: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and tracer.poll() is None:
        tasks = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/status")]
        if all("TracerPid:\t0\n" not in task for task in tasks):
            return
        time.sleep(0.005)
    raise TimeoutError(f"strace does not trace process {pid}")
