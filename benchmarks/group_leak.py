#!/usr/bin/env python3
"""What a division that ignores patients adds to the measured accuracy.

Every patient has a texture of their own, which all of their images show, and a diagnosis, which is
a faint slope of brightness. A network can learn the diagnosis from the slope, and remember textures
instead. The same images are cross-validated twice: with patients undivided, and with images dealt
out one by one. Beside both, new patients, of whom nothing was known, are predicted by the networks
of each: that is what the accuracy should have said.

    python -m benchmarks.group_leak            # three draws of patients
    python -m benchmarks.group_leak --draws 1
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import convscope

SIDE, IMAGES, PATIENTS, NEW = 32, 6, 60, 60
SLOPE, TEXTURE, NOISE = 5.0, 40.0, 20.0
"""Standard deviations of the texture and of the noise of each pixel, and half the slope's range, in
levels of 255."""


def write_patients(root: Path, count: int, random: np.random.Generator) -> None:
    """Write `IMAGES` images of each of `count` patients into the folders sick and well."""
    for patient in range(count):
        is_sick = patient % 2 == 1
        folder = root / ("sick" if is_sick else "well")
        folder.mkdir(parents=True, exist_ok=True)
        texture = _texture(random)
        slope = np.linspace(-SLOPE, SLOPE, SIDE)[None, :] * (1 if is_sick else -1)
        for image in range(IMAGES):
            noise = random.normal(0, NOISE, (SIDE, SIDE))
            pixels = np.clip(128 + texture + slope + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"p{patient:03d}_{image}.png")


def _texture(random: np.random.Generator) -> NDArray[np.float64]:
    coarse = random.normal(0, TEXTURE, (8, 8))
    return np.kron(coarse, np.ones((SIDE // 8, SIDE // 8)))


def measure(root: Path, seed: int, *, folds: int = 3, epochs: int = 12) -> dict[str, float]:
    """Accuracy with patients undivided and divided, and that of the same networks on new ones."""
    random = np.random.default_rng(seed)
    write_patients(root / "patients", PATIENTS, random)
    write_patients(root / "new", NEW, random)
    found: dict[str, float] = {}
    for name, pattern in (("grouped", r"(p\d+)_"), ("ungrouped", None)):
        result = convscope.cross_validate(
            root / "patients",
            folds=folds,
            out=root / name,
            model="lenet5",
            epochs=epochs,
            group_pattern=pattern,
            augment="none",
            threads=1,
            progress=False,
        )
        found[name] = result.accuracy
        new = [convscope.evaluate(one.result.run, root / "new") for one in result.folds]
        found[f"{name}, new patients"] = statistics.fmean(one.metrics.top1 for one in new)
        low, high = result.interval
        found[f"{name}, interval low"], found[f"{name}, interval high"] = low, high
        found[f"{name}, independent"] = result.num_independent
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure what divided patients add to accuracy.")
    parser.add_argument("--draws", type=int, default=3)
    draws = parser.parse_args().draws
    found: list[dict[str, float]] = []
    for seed in range(draws):
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure(Path(folder), seed))
        print(found[-1], flush=True)
    for name in found[0]:
        values = [one[name] for one in found]
        print(
            f"{name:28} {statistics.fmean(values):8.3f}   ({min(values):.3f} to {max(values):.3f})"
        )


if __name__ == "__main__":
    main()
