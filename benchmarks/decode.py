"""How many images a second of the processor reads: files to the bytes that a network gets.

Contenders, in turn: `earlier`, as before `reading` was in the card (every JPEG decoded whole and
copied once, scaled by Pillow); `whole`, the same without the copy; `fast`, what new trainings do,
by Pillow and PyTorch alone; `simplejpeg`, the same with the extra `fast-jpeg`, if it is installed.
`first` is the first reading of a training, which also takes digests of the pixels.

The files are made of the package's two photographs: enlarged to 12 megapixels, without and with
grain, reduced to 354 and 464 pixels, and 32 pixels.

    python benchmarks/decode.py --rounds 7
"""

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
import torch
from PIL import Image
from rounds import machine, rotated, spread

from convscope.card import Card
from convscope.data import jpeg
from convscope.data.decode import decode_image
from convscope.data.depth import to_bytes
from convscope.data.pixel_digests import digest_image
from convscope.data.resize import resize_image
from convscope.data.samples import photograph
from convscope.data.turbo import is_used

NAMES = ("flower", "palace")
FAST = Card(
    classes=("a", "b"),
    input_size=(224, 224),
    in_channels=3,
    resize_mode="crop",
    reading="fast",
    mean=(0.0,) * 3,
    std=(1.0,) * 3,
)


@dataclass(frozen=True)
class Job:
    """Files that are read for a network with inputs of `side` pixels, `repeats` times a round."""

    name: str
    files: list[bytes]
    side: int
    repeats: int

    def card(self, contender: str) -> Card:
        reading = "whole" if contender in ("earlier", "whole") else "fast"
        return replace(FAST, input_size=(self.side, self.side), reading=reading)


def encoded(image: Image.Image) -> bytes:
    """With Pillow's usual subsampling, 4:2:0."""
    file = BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def photographs(width: int, height: int, *, grain: float = 0.0) -> list[bytes]:
    """The two photographs at this size; `grain` is the standard deviation of added noise."""
    way = Image.Resampling.LANCZOS if width < 640 else Image.Resampling.BICUBIC
    files: list[bytes] = []
    for seed, name in enumerate(NAMES):
        image = photograph(name).resize((width, height), way)
        if grain:
            noise = np.random.default_rng(seed).normal(0, grain, (height, width, 3))
            noisy = np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)
            image = Image.fromarray(noisy)
        files.append(encoded(image))
    return files


def tiles() -> list[bytes]:
    """Parts of the photographs of 32 by 32 pixels, as CIFAR's images are."""
    small = [photograph(name).resize((160, 107)) for name in NAMES]
    corners = [(x, y) for x in range(0, 128, 32) for y in range(0, 75, 32)]
    return [encoded(image.crop((x, y, x + 32, y + 32))) for image in small for x, y in corners]


def jobs() -> list[Job]:
    smooth, grainy = photographs(4243, 2828), photographs(4243, 2828, grain=3)
    return [
        Job("12 megapixels to 224", smooth, 224, 1),
        Job("12 megapixels to 96", smooth, 96, 1),
        Job("12 megapixels with grain to 224", grainy, 224, 1),
        Job("12 megapixels with grain to 96", grainy, 96, 1),
        Job("531x354 to 224", photographs(531, 354), 224, 20),
        Job("696x464 to 224", photographs(696, 464), 224, 20),
        Job("32x32 to 32", tiles(), 32, 20),
    ]


def read(content: bytes, card: Card, *, is_copied: bool, is_first: bool) -> np.ndarray:
    image = decode_image(content, card)
    if is_copied:
        image = to_bytes(image).copy()
    if is_first:
        digest_image(image)
    return resize_image(image, card)


def seconds(job: Job, contender: str, *, is_first: bool) -> float:
    """Of the processor, for one image."""
    card, is_copied = job.card(contender), contender == "earlier"
    start = time.process_time()
    for _ in range(job.repeats):
        for content in job.files:
            read(content, card, is_copied=is_copied, is_first=is_first)
    return (time.process_time() - start) / job.repeats / len(job.files)


def differences(job: Job) -> str:
    """Between what is read whole and fast, of 255."""
    ways = [[read(content, job.card(way), is_copied=False, is_first=False).astype(int)
             for content in job.files] for way in ("whole", "fast")]  # fmt: skip
    off = np.abs(np.array(ways[0]) - ways[1])
    return f"difference {off.mean():.3f} on average, {off.max()} at most"


def compare(job: Job, contenders: list[str], rounds: int, run: Callable[..., float]) -> None:
    kilobytes = np.mean([len(content) for content in job.files]) / 1000
    print(f"\n{job.name} ({kilobytes:,.0f} kB): {differences(job)}")
    for is_first in (False, True):
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        for turn in range(rounds):
            for name in rotated(contenders, turn):
                taken[name].append(run(job, name, is_first=is_first))
        for name in contenders:
            rate = spread([1 / each for each in taken[name]], ",.0f")
            pairs = zip(taken["earlier"], taken[name], strict=True)
            gain = spread([before / now for before, now in pairs])
            what = "first" if is_first else "read"
            print(f"  {what:5} {name:10} {rate:>24} images/s   earlier / {name} {gain}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--jobs", nargs="*", default=[], help="words of their names")
    arguments = parser.parse_args()
    rounds, words = arguments.rounds, arguments.jobs
    torch.set_num_threads(1)
    print(machine())
    contenders = ["earlier", "whole", "fast", *(["simplejpeg"] if is_used() else [])]
    with ThreadPoolExecutor(1) as pool:  # as images are read everywhere

        def run(job: Job, contender: str, *, is_first: bool) -> float:
            jpeg.is_used = (lambda: False) if contender == "fast" else is_used
            return pool.submit(seconds, job, contender, is_first=is_first).result()

        for job in jobs():
            if words and not any(word in job.name for word in words):
                continue
            for contender in contenders:
                run(job, contender, is_first=False)
            compare(job, contenders, rounds, run)


if __name__ == "__main__":
    main()
