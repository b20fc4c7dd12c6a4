"""Measure the memory of each of two processes on the CPU, with `--fsdp` and without; on Linux.

    python benchmarks/sharding.py [--model vgg16] [--input-size 64] [--batch-size 8]

AdamW, two epochs of eight steps on random images. The peaks of resident memory in steps, in
validations and while the state is saved, in MB, less what the process has before it trains; tensors
that are freed go back to the system at once.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch.distributed.fsdp  # noqa: F401 -- its own memory is not the training's
from rounds import environment, machine

import convscope
from convscope.training.callbacks.checkpoint import Checkpoint
from convscope.training.executors.eager import EagerExecutor

PHASES = {
    "in a step": (EagerExecutor, "step"),
    "in a validation": (EagerExecutor, "logits"),
    "in a save": (Checkpoint, "on_checkpoint"),
}


def resident(name: str = "VmRSS") -> float:
    """Resident memory of this process in MB, or its peak, VmHWM, since it was last forgotten."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split(f"{name}:")[1].split()[0]) * 1024 / 1e6


def train(args: argparse.Namespace) -> dict[str, float]:
    """The most that this process has, by what it does, and the most that it has between steps."""
    before = resident()
    most = dict.fromkeys(["between steps", *PHASES], 0.0)
    for name, (kind, method) in PHASES.items():
        called = getattr(kind, method)

        def noted(*words: Any, _called: Any = called, _name: str = name) -> Any:
            Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
            answer = _called(*words)
            most[_name] = max(most[_name], resident("VmHWM") - before)
            if _name == "in a step":
                most["between steps"] = max(most["between steps"], resident() - before)
            return answer

        setattr(kind, method, noted)
    shape = (10 * args.batch_size, args.input_size, args.input_size, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    convscope.train(
        (images, np.arange(len(images)) % 10), model=args.model, input_size=args.input_size,
        batch_size=args.batch_size, out=f"{args.folder}/run", optimizer="adamw", epochs=2,
        fsdp=args.fsdp, engine="torch", device="cpu", threads=1, progress=False,
    )  # fmt: skip
    return most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="vgg16")
    parser.add_argument("--input-size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--fsdp", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.folder:
        Path(args.folder, f"{os.environ['RANK']}.json").write_text(json.dumps(train(args)))
        return
    print(machine())
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    env = environment() | {"MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    for name, words in (("without", []), ("with --fsdp", ["--fsdp"])):
        with tempfile.TemporaryDirectory() as folder:
            command = [*launcher, __file__, *sys.argv[1:], *words, f"--folder={folder}"]
            subprocess.run(command, check=True, env=env)
            for rank in range(2):
                most = json.loads(Path(folder, f"{rank}.json").read_text())
                texts = ", ".join(f"{phase} {value:,.0f}" for phase, value in most.items())
                print(f"{name}, rank {rank}: {texts}")


if __name__ == "__main__":
    main()
