"""Where the time of `convscope train` goes, phase by phase: whole processes, nothing left out.

    python benchmarks/train_phases.py --rounds 3 -- mnist --model lenet5 --epochs 3 --threads 1

What follows `--` are the words of `convscope train`. Functions are timed from outside, so that the
order of imports, and what happens beside them, is as in life. Time in no function of the table is
the last line.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rounds import environment, machine, spread

TOLD = "TRAIN_PHASES"  # the environment variable with when the parent began, and where to tell
PHASES = {
    "opening the data, as far as not done beside the imports": "training.start:_opened",
    "making the splits": "training.start:_with_splits",
    "resizing all images, their digests": "training.start:load_checked",
    "looking for duplicates": "training.start:settle_duplicates",
    "the text of splits.csv": "training.start:write_splits",
    "mean and standard deviation": "training.start:finalize_preprocessing",
    "choosing the engine": "training.assemble:select_executor",
    "writing the run folder": "training.start:_write_start",
    "training steps": "training.trainer:Trainer._fit_epoch",
    "validation": "training.trainer:Trainer._validated",
    "testing by PyTorch": "training.finish:_test",
    "the report": "training.finish:report",
}
_INSIDE = {"validation": "training steps"}


def child(words: list[str]) -> None:
    """Be `convscope train WORDS`, and tell when what began and ended."""
    began, path = json.loads(os.environ[TOLD])
    startup = import_module("convscope.startup")
    startup.begin(["train", *words])
    seconds = {"starting Python": time.time() - began}
    command = import_module("convscope.cli.train")

    def imported() -> None:
        startup.collect_again()
        seconds["importing"] = time.time() - began - seconds["starting Python"]
        for name, place in PHASES.items():
            _time(place, name, seconds)

    vars(command)["collect_again"] = imported
    try:
        import_module("convscope.cli").main(["train", *words])
    finally:
        seconds["until the end of Python"] = time.time() - began
        Path(path).write_text(json.dumps(seconds), encoding="utf-8")


def _time(place: str, name: str, seconds: dict[str, float]) -> None:
    """Add the time in a function, `module:name`, to `seconds[name]`."""
    module, _, path = place.partition(":")
    owner: Any = import_module(f"convscope.{module}")
    *owners, last = path.split(".")
    for one in owners:
        owner = getattr(owner, one)
    real: Callable[..., Any] = getattr(owner, last)

    def timed(*words: Any, **more: Any) -> Any:
        began = time.perf_counter()
        try:
            return real(*words, **more)
        finally:
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began

    setattr(owner, last, timed)


def one_round(words: list[str], folder: Path) -> dict[str, float]:
    """The seconds of each phase of one process; its whole time as `whole`."""
    told = folder / "seconds.json"
    began = time.time()
    told_where = {**environment(), TOLD: json.dumps([began, str(told)])}
    run = [sys.executable, __file__, "--child", "--", *words, f"--out={folder / 'run'}"]
    done = subprocess.run(run, env=told_where, capture_output=True, text=True, check=False)
    whole = time.time() - began
    if done.returncode:
        raise SystemExit(done.stderr)
    seconds: dict[str, float] = json.loads(told.read_text(encoding="utf-8"))
    for inner, outer in _INSIDE.items():
        seconds[outer] -= seconds.get(inner, 0.0)
    ended = seconds.pop("until the end of Python")
    seconds["the rest"] = ended - sum(seconds.values())
    return {**seconds, "ending Python": whole - ended, "whole": whole}


def main(rounds: int, words: list[str]) -> None:
    print(machine())
    all_rounds: list[dict[str, float]] = []
    for _ in range(rounds):
        with TemporaryDirectory() as folder:
            all_rounds.append(one_round(words, Path(folder)))
    print(f"{rounds} rounds; seconds: median [min-max]\n")
    for name in all_rounds[0]:
        print(f"{spread([one[name] for one in all_rounds], '.3f'):24} {name}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("words", nargs="+", help="the words of `convscope train`")
    given = parser.parse_args()
    if given.child:
        child(given.words)
    main(given.rounds, given.words)
