"""Time how soon the command answers: whole processes, against bare Python and `import torch`.

    python benchmarks/startup.py --rounds 20
    python benchmarks/startup.py --rounds 5 --verbs

`--help` and `--version` are compared with `python -c pass`: what the command costs is the
difference in the same round. With `--verbs`, commands that need PyTorch are compared with
`python -c "import torch"`, and the summary with a script that prints torchinfo's, where that is
installed; seconds are those of the processor, with those of child processes.

The processes take turns, in rotating order; the first run of each is not counted. The modules are
compiled, as in any installation.
"""

import argparse
import importlib.util
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rounds import machine, rotated, spread

BARE, TORCH = "python -c pass", "import torch"
CLAIM = 1.4
TORCHINFO = """
import torchinfo
from torch import nn

net = nn.Sequential(
    nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
)
torchinfo.summary(net, (1, 1, 32, 32))
"""
IMAGE = "from PIL import Image; import sys; Image.new('L', (32, 32), 99).save(sys.argv[1])"


def timed(words: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Seconds from the start to the end of a process, and seconds of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=environment)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def answers(command: str) -> dict[str, list[str]]:
    """What imports nothing heavy."""
    return {
        BARE: [sys.executable, "-c", "pass"],
        "convscope --version": [command, "--version"],
        "convscope --help": [command, "--help"],
    }


def verbs(command: str, folder: Path) -> dict[str, list[str]]:
    """What needs PyTorch; an image and a run are made first."""
    image, run = folder / "image.png", folder / "run"
    subprocess.run([sys.executable, "-c", IMAGE, image], check=True)
    train = [command, "train", "--model", "lenet5", "--data", "digits", "--epochs", "1"]
    subprocess.run([*train, "--out", run], check=True, capture_output=True)
    contenders = {
        TORCH: [sys.executable, "-c", TORCH],
        "geometry": [command, "geometry", "32", "--kernel", "5"],
        "models": [command, "models"],
        "summary lenet5": [command, "summary", "lenet5"],
        "summary resnet50": [command, "summary", "resnet50"],
        "explain RUN": [command, "explain", str(run), str(image)],
        "predict RUN": [command, "predict", str(run), str(image)],
        "evaluate RUN": [command, "evaluate", str(run)],
    }
    if importlib.util.find_spec("torchinfo") is not None:
        contenders["torchinfo, LeNet-5"] = [sys.executable, "-c", TORCHINFO]
    return contenders


def main(rounds: int, *, has_verbs: bool) -> None:
    command = shutil.which("convscope", path=Path(sys.executable).parent)
    if command is None:
        raise SystemExit(f"There is no convscope beside {sys.executable}. Install it there first.")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": f"{folder}/compiled"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        contenders = verbs(command, Path(folder)) if has_verbs else answers(command)
        for words in contenders.values():
            timed(words, environment)
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for turn in range(rounds):
            for name in rotated(list(contenders), turn):
                seconds[name].append(timed(contenders[name], environment)[has_verbs])
    print(machine())
    print(f"{rounds} rounds; seconds{' of CPU' * has_verbs}: median [min-max]\n")
    base = seconds[TORCH if has_verbs else BARE]
    for name, own in seconds.items():
        if has_verbs:
            more = f"   times `{TORCH}`: {spread([a / b for a, b in zip(own, base, strict=True)])}"
        else:
            extra = [mine - bare for mine, bare in zip(own, base, strict=True)]
            more = f"   more than bare Python: {spread(extra, '.3f')}"
        print(f"{name:20} {spread(own, '.3f')}{'' if own is base else more}")
    if has_verbs:
        print(f"\nClaim: summary lenet5 takes at most {CLAIM} times as long as `{TORCH}`.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--verbs", action="store_true", help="those that need PyTorch")
    args = parser.parse_args()
    main(args.rounds, has_verbs=args.verbs)
