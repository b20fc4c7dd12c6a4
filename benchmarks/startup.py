"""Time how soon the command answers: `convscope --help` and `--version` against bare Python.

    python benchmarks/startup.py --rounds 20

Whole processes, in turn, in rotating order; the first run of each is not counted. What the command
costs is the difference to `python -c pass` in the same round.
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rounds import machine, rotated, spread

BARE = "python -c pass"


def timed(words: list[str]) -> float:
    """Seconds from the start to the end of a process."""
    began = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main(rounds: int) -> None:
    command = shutil.which("convscope", path=Path(sys.executable).parent)
    if command is None:
        raise SystemExit(f"There is no convscope beside {sys.executable}. Install it there first.")
    contenders = {
        BARE: [sys.executable, "-c", "pass"],
        "convscope --version": [command, "--version"],
        "convscope --help": [command, "--help"],
    }
    for words in contenders.values():
        timed(words)
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        for name in rotated(list(contenders), turn):
            seconds[name].append(timed(contenders[name]))
    print(machine())
    print(f"{rounds} rounds; seconds: median [min-max]\n")
    for name, own in seconds.items():
        extra = [mine - bare for mine, bare in zip(own, seconds[BARE], strict=True)]
        more = "" if name == BARE else f"   more than bare Python: {spread(extra, '.3f')}"
        print(f"{name:20} {spread(own, '.3f')}{more}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    main(parser.parse_args().rounds)
