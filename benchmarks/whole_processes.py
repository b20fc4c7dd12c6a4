"""Time and memory of whole processes: `convscope` against plain PyTorch, one thread.

    python benchmarks/whole_processes.py --jobs evaluate predict train digits --rounds 3

Jobs: `evaluate` and `predict`, ResNet-18 on photographs of 224x224; `train`, a few steps of it;
`digits`, LeNet-5 on MNIST's 10,000 test images. Plain scripts take turns with ours; their weights
are random and those of ours are read. Per process: seconds, CPU seconds, page faults, peak memory.
"""

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from rounds import environment, machine, rotated, spread

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("CONVSCOPE_DATA", HERE.parent.parent / "shared" / "data" / "mnist"))
OURS = [sys.executable, "-m", "convscope"]
JOBS = ("evaluate", "predict", "train", "digits")


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds, CPU seconds, page faults, megabytes at the peak."""

    wall: float
    cpu: float
    faults: float
    peak: float


def measured(words: list[str]) -> Cost:
    """Run a process to its end, and end the benchmark where it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, env=environment())
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} failed.")
    cpu = used.ru_utime + used.ru_stime
    return Cost(wall, cpu, used.ru_minflt, used.ru_maxrss * 1024 / 1e6)


def photographs(folder: Path, count: int) -> None:
    """Noisy copies of the package's two photographs, 224x224, as JPEGs in two classes."""
    random = np.random.default_rng(0)
    for label in ("flower", "palace"):
        (folder / label).mkdir(parents=True)
        with Image.open(HERE.parent / f"convscope/data/bundled/{label}.jpg") as file:
            pixels = np.asarray(file.convert("RGB").resize((224, 224)), np.float64)
        for number in range(count // 2):
            noisy = (pixels + random.normal(0, 12, pixels.shape)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(folder / label / f"{number}.jpg", quality=90)


def contenders(job: str, args: argparse.Namespace, folder: Path) -> dict[str, list[str]]:
    """The command lines of one job; a run is trained where one is needed."""
    plain = [sys.executable, str(HERE / "plain_photographs.py")]
    images, run = folder / "photographs", folder / f"run-{job}"
    recipe = ["--threads=1", "--lr=0.001", "--device=cpu"]
    on_photographs = [*OURS, "train", str(images), "--model=resnet18", "--input-size=224", *recipe]
    if job == "train":
        more = [f"--batch-size={args.batch}", f"--steps={args.steps}"]
        script = [*plain, "train", str(images), f"--batch={args.batch}", f"--steps={args.steps}"]
        return {"ours": [*on_photographs, *more], "plain": script}
    data = [f"--data-dir={args.data.resolve()}"]
    if job == "digits":
        on_mnist = [*OURS, "train", "mnist", "--model=lenet5", "--steps=20", *recipe, *data]
        measured([*on_mnist, f"--out={run}"])
        script = [*plain, "digits", str(args.data), "--batch=256"]
        return {"ours": [*OURS, "evaluate", str(run), *data, "--threads=1"], "plain": script}
    measured([*on_photographs, "--batch-size=2", "--steps=1", f"--out={run}"])
    words = [*OURS, job, str(run), str(images), "--threads=1"]
    scripts = {
        f"plain, batches of {n}": [*plain, "evaluate", str(images), f"--batch={n}"] for n in (8, 64)
    }
    return {"ours": words, **scripts}


def compare(job: str, args: argparse.Namespace, folder: Path) -> None:
    words = contenders(job, args, folder)
    costs: dict[str, list[Cost]] = {name: [] for name in words}
    for turn in range(args.rounds):
        for name in rotated(list(words), turn):
            out = [f"--out={folder}/{job}-{turn}"] if (job, name) == ("train", "ours") else []
            costs[name].append(measured([*words[name], *out]))
    print(f"\n{job}")
    for name, own in costs.items():
        for kind, form in (("wall", ".2f"), ("cpu", ".2f"), ("faults", ".0f"), ("peak", ".0f")):
            values = [getattr(cost, kind) for cost in own]
            ratios = [
                getattr(mine, kind) / getattr(cost, kind)
                for mine, cost in zip(costs["ours"], own, strict=True)
            ]
            more = "" if name == "ours" else f"   ours / this: {spread(ratios)}"
            print(f"{name:22} {kind:7} {spread(values, form)}{more}", flush=True)


def main(args: argparse.Namespace) -> None:
    print(machine())
    print(f"{args.rounds} rounds, {args.photographs} photographs, one thread; median [min-max]")
    with TemporaryDirectory() as folder:
        photographs(Path(folder, "photographs"), args.photographs)
        for job in args.jobs:
            compare(job, args, Path(folder))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=JOBS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photographs", type=int, default=256)
    parser.add_argument("--batch", type=int, default=16, help="of the training")
    parser.add_argument("--steps", type=int, default=6, help="of the training")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of MNIST's four files")
    main(parser.parse_args())
