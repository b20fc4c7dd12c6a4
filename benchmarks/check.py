#!/usr/bin/env python3
"""What `convscope check` finds of planted faults, what it finds besides, and how long it takes.

    python benchmarks/check.py planted          faults in generated photographs
    python benchmarks/check.py alarms DATA...   what is found where nothing was planted
    python benchmarks/check.py files 100000     time and memory on so many small JPEG files

`files` also times CleanVision, where it is installed, and imagehash's loop over the same files.
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

import convscope
from convscope.checks.report import DataReport

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.checks.pictures import COPIES, disc, leaves

_CLEANVISION = (
    "import sys; from cleanvision import Imagelab; "
    "lab = Imagelab(data_path=sys.argv[1]); lab.find_issues(verbose=False, n_jobs=2)"
)
_IMAGEHASH = (
    "import sys, imagehash; from pathlib import Path; from PIL import Image; "
    "print(len({str(imagehash.phash(Image.open(p))) for p in Path(sys.argv[1]).rglob('*.jpg')}))"
)


def planted() -> None:
    """Print a table: of each fault, how many were planted, found, and found besides."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        faults = _plant(root, np.random.default_rng(0))
        report = convscope.check(root, skip=["shortcuts", "wrong-labels"])
        near = set(map(frozenset, _pairs(report)))
        everything = {key for keys in faults.values() for key in keys}
        print("| fault | planted | found |\n| --- | --- | --- |")
        for fault, keys in faults.items():
            if fault in COPIES:
                found = sum(any(key in pair for pair in near) for key in keys)
            else:
                found = len(set(report.images(fault)) & set(keys))
            print(f"| {fault} | {len(keys)} | {found} |")
        for outcome in report.outcomes:
            besides = set(report.images(outcome.check)) - everything
            if outcome.check not in {"near-duplicates", "leaks"}:
                print(f"{outcome.check}: {len(besides)} besides")
        strange = [pair for pair in near if not any(key in everything for key in pair)]
        print(f"near-duplicates: {len(strange)} pairs besides")


def _pairs(report: DataReport) -> list[tuple[str, ...]]:
    key = report.inspection.key
    if "near-duplicates" not in report:
        return []
    return [tuple(map(key, finding.images)) for finding in report["near-duplicates"].findings]


def _plant(root: Path, random: np.random.Generator) -> dict[str, list[str]]:
    """Write 1,200 photographs of two classes in two splits, and the faults; their keys."""
    images = [leaves(random) for _ in range(1200)]
    for number, image in enumerate(images):
        _save(root, _key(number), image)
    faults: dict[str, list[str]] = {}
    changes: dict[str, Callable[[Image.Image], Image.Image]] = {
        **COPIES,
        "blank": lambda image: Image.new("RGB", image.size, image.getpixel((3, 3))),
        "dark": lambda image: image.point(lambda value: value // 6),
        "bright": lambda image: image.point(lambda value: 215 + value // 7),
        "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(4)),
    }
    for place, (fault, change) in enumerate(changes.items()):
        faults[fault] = []
        for k in range(30):
            source = images[place * 30 + k] if fault in COPIES else leaves(random)
            key = _key(5000 + place * 100 + k)
            _save(root, key, change(source))
            faults[fault].append(key)
    return faults


def _key(number: int) -> str:
    return f"{('train', 'test')[number % 3 == 0]}/{('cat', 'dog')[number % 2]}/{number:06d}.jpg"


def _save(root: Path, key: str, image: Image.Image) -> None:
    (root / key).parent.mkdir(parents=True, exist_ok=True)
    image.save(root / key, quality=90)


def alarms(data: list[str]) -> None:
    """Print what is found in data in which nothing was planted; `discs` are generated."""
    with tempfile.TemporaryDirectory() as folder:
        for name in data:
            if name == "discs":
                random = np.random.default_rng(1)
                for number in range(1000):
                    _save(Path(folder), _key(number), disc(random))
            report = convscope.check(folder if name == "discs" else name)
            found = [f"{one.check} {len(one.findings):,}" for one in report.outcomes]
            count = len(report.inspection.dataset)
            print(f"{name}, {count:,} images: {', '.join(found) or 'nothing'}", flush=True)


def files(count: int) -> None:
    """Print the time and the memory for so many JPEGs of 96 x 72, all different."""
    with tempfile.TemporaryDirectory() as folder:
        root, random = Path(folder), np.random.default_rng(0)
        sources = [leaves(random, 192, 144) for _ in range(200)]
        for number in range(count):
            x, y = random.integers(0, 97), random.integers(0, 73)
            image = sources[number % 200].crop((x, y, x + 96, y + 72))
            _save(root, _key(number), image.transpose(Image.Transpose(number % 7)))
        for name, words in {
            "convscope check": ["-m", "convscope", "check", folder, "--json"],
            "  without near-duplicates and wrong-labels": [
                "-m", "convscope", "check", folder, "--json",
                "--skip", "near-duplicates", "wrong-labels",
            ],
            "cleanvision": ["-c", _CLEANVISION, folder],
            "imagehash, phash alone": ["-c", _IMAGEHASH, folder],
        }.items():  # fmt: skip
            began = time.perf_counter()
            done = subprocess.run([sys.executable, *words], capture_output=True, check=False)
            seconds = time.perf_counter() - began
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            status = "" if done.returncode == 0 else "  (failed, or not installed)"
            print(f"{name}: {seconds:.0f} s; peak so far {peak:,.0f} MB{status}", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["planted"]:
            planted()
        case ["alarms", *data] if data:
            alarms(data)
        case ["files", number]:
            files(int(number))
        case _:
            sys.exit(__doc__)
