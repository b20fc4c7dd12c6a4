"""Time LeNet-5 on MNIST from nothing to 99 %: `convscope train` against plain PyTorch.

    python benchmarks/train_mnist.py --rounds 5 --epochs 10

Three contenders, each a whole process from its start to its end, in turn, in rotating order:
`ours`, `convscope train mnist`; `loader` and `memory`, the two modes of plain_mnist.py. All train
the same network with the same optimizer, schedule, batch size, threads and number of epochs, and no
augmentation, validate on 6,000 pictures after every epoch and test once, at the end, on 10,000.
Round r has the seed `--seed` + r, so that accuracies spread as they do in life. What ours does
besides, it pays for: the run folder, the state to resume from, the report.

A time counts as time to 99 % where the test says so; runs that stay below are marked `*`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rounds import environment, machine, rotated, spread

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("CONVSCOPE_DATA", HERE.parent.parent / "shared" / "data" / "mnist"))
GOAL = 0.99
CONTENDERS = ("ours", "loader", "memory")


@dataclass(frozen=True)
class Result:
    """One process: its wall time, what its test said, the CPU threads it computed with."""

    seconds: float
    top1: float
    threads: int


def timed(contender: str, args: argparse.Namespace, seed: int, folder: Path) -> Result:
    """Run one contender as a process; end the benchmark where it fails."""
    words = (ours if contender == "ours" else plain)(contender, args, seed, folder)
    began = time.perf_counter()
    process = subprocess.run(words, capture_output=True, text=True, check=False, env=environment())
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(f"{contender} failed:\n{process.stderr}")
    told = json.loads(process.stdout.splitlines()[-1])
    if contender != "ours":
        return Result(seconds, told["top1"], told["threads"])
    config = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
    return Result(seconds, told["test"]["top1"], config["machine"]["threads"])


def ours(_contender: str, args: argparse.Namespace, seed: int, folder: Path) -> list[str]:
    """The command line of `convscope train`, all that matters said aloud."""
    program = [sys.executable, "-m", "convscope", "train", "mnist"]
    recipe = (
        "--model lenet5 --optimizer sgd --momentum 0.9 --weight-decay 5e-4 --lr-schedule cosine"
    )
    ways = "--augment none --device cpu --json"
    return [*program, *recipe.split(), *ways.split(), *shared(args, seed), f"--out={folder}"]


def plain(contender: str, args: argparse.Namespace, seed: int, _folder: Path) -> list[str]:
    """The command line of plain_mnist.py in one of its modes."""
    program = [sys.executable, str(HERE / "plain_mnist.py"), f"--data={contender}"]
    return [*program, f"--workers={args.workers}", *shared(args, seed)]


def shared(args: argparse.Namespace, seed: int) -> list[str]:
    """What all contenders are told, in the same words."""
    names = ("epochs", "batch_size", "lr", "warmup_epochs", "val", "steps", "threads")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    return [*options, f"--seed={seed}", f"--data-dir={args.data.resolve()}"]


def report(results: dict[str, list[Result]]) -> None:
    """A line for each contender, and how many times as long as ours the plain ones took."""
    print("\ncontender   seconds: median [min-max]   test accuracy of each round (* below 99.0 %)")
    for contender, runs in results.items():
        accuracies = " ".join(f"{r.top1:.2%}{'' if r.top1 >= GOAL else '*'}" for r in runs)
        print(f"{contender:11} {spread([r.seconds for r in runs]):27} {accuracies}")
    everything = [run for runs in results.values() for run in runs]
    below = sum(run.top1 < GOAL for run in everything)
    print(f"\n{below} of {len(everything)} runs stayed below {GOAL:.1%} on the test pictures.")
    print(f"threads: {', '.join(sorted({str(run.threads) for run in everything}))}")
    if "ours" not in results:
        return
    for contender in [name for name in results if name != "ours"]:
        pairs = zip(results[contender], results["ours"], strict=True)
        ratios = [other.seconds / own.seconds for other, own in pairs]
        each = " ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"{contender}/ours: {spread(ratios)}   per round: {each}")


def main(args: argparse.Namespace) -> None:
    contenders: Sequence[str] = args.only or CONTENDERS
    results: dict[str, list[Result]] = {name: [] for name in contenders}
    print(machine())
    print("told to all:", *shared(args, args.seed))
    warm = [sys.executable, "-c", "import convscope.training.api, torch.utils.data"]
    subprocess.run(
        warm, check=True, env=environment()
    )  # nobody pays for fetching PyTorch from a cold disk
    with TemporaryDirectory() as folder:
        for turn in range(args.rounds):
            for contender in rotated(contenders, turn):
                out = Path(folder, f"{contender}-{turn}")
                result = timed(contender, args, args.seed + turn, out)
                results[contender].append(result)
                line = f"{contender:8} {result.seconds:8.2f} s   {result.top1:.2%}"
                print(f"round {turn + 1}   {line}", flush=True)
    report(results)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--data", type=Path, default=DATA, help="folder of MNIST's four files; or $CONVSCOPE_DATA")
    add("--rounds", type=int, default=5)
    add("--only", nargs="+", choices=CONTENDERS, help="these contenders alone")
    add("--epochs", type=int, default=10)
    add("--steps", type=int, help="instead of epochs, for a trial; reaches no 99 %%")
    add("--batch-size", type=int, default=64)
    add("--lr", type=float, default=0.05, help="peak of the half cosine")
    add(
        "--warmup-epochs",
        type=float,
        default=1.0,
        help="epochs in which the rate rises to its peak",
    )
    add("--val", type=float, default=0.1, help="share of the training pictures held out")
    add("--workers", type=int, default=2, help="of the plain loader")
    add("--threads", type=int, help="default one per core, as PyTorch has it")
    add("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main(arguments())
