"""How long augmentation takes for a batch in memory, beside torchvision's transforms v2.

Both get the same images as bytes and return bytes: ours whole batches, theirs one tensor after the
other, as in a data set's `__getitem__`. The transforms have the same ranges and probabilities; what
each is for one image is compared by the tests. torchvision has `photo` once more as Pillow images,
its other way.

    python benchmarks/augmentation.py --rounds 7
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torchvision_operators  # noqa: F401 -- before torchvision
from PIL import Image
from rounds import machine, rotated, spread
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from convscope.card import Card
from convscope.data.augmentation.pipeline import Augmentation
from convscope.data.samples import photograph
from convscope.device import keep_freed_memory
from convscope.training.augmentation import augmentation_of
from convscope.training.config import TrainConfig

SCALED, CROPPED = (256, 341), (224, 224)
BILINEAR = InterpolationMode.BILINEAR
JITTER = v2.ColorJitter(0.4, 0.4, 0.4)


@dataclass(frozen=True)
class Job:
    """What is augmented how, by us and by torchvision."""

    name: str
    settings: dict[str, object]
    theirs: Callable[[Tensor], Tensor]
    size: tuple[int, int] = CROPPED
    channels: int = 3


JOBS = (
    Job(
        "photo",
        {"augment": "photo"},
        v2.Compose([v2.RandomResizedCrop(CROPPED), v2.RandomHorizontalFlip(), JITTER]),
        SCALED,
    ),
    Job(
        "photo + hue 0.1",
        {"augment": "photo", "hue": 0.1},
        v2.Compose(
            [
                v2.RandomResizedCrop(CROPPED),
                v2.RandomHorizontalFlip(),
                v2.ColorJitter(0.4, 0.4, 0.4, 0.1),
            ]
        ),
        SCALED,
    ),
    Job(
        "medical",
        {"augment": "medical"},
        v2.Compose(
            [
                v2.RandomHorizontalFlip(),
                v2.RandomVerticalFlip(),
                v2.RandomAffine(180, (0.05, 0.05), (0.9, 1.1), interpolation=BILINEAR),
                v2.ColorJitter(0.1, 0.1, 0.1),
            ]
        ),
    ),
    Job(
        "rand-augment",
        {"augment": "resized-crop-flip", "auto_augment": "rand-augment"},
        v2.Compose(
            [
                v2.RandomResizedCrop(CROPPED),
                v2.RandomHorizontalFlip(),
                v2.RandAugment(interpolation=BILINEAR),
            ]
        ),
        SCALED,
    ),
    Job(
        "digits 28x28",
        {"augment": "digits"},
        v2.RandomAffine(10, (0.1, 0.1), (0.9, 1.1), 10, interpolation=BILINEAR),
        (28, 28),
        1,
    ),
)


def images_of(job: Job, count: int) -> list[np.ndarray]:
    """Photographs of the package, scaled and shifted, (height, width, c)."""
    height, width = job.size
    found: list[np.ndarray] = []
    for number in range(count):
        image = photograph(("flower", "palace")[number % 2])
        image = image.resize((width + number, height + number), Image.Resampling.BILINEAR)
        image = image.crop((number, number, number + width, number + height))
        pixels = np.asarray(image.convert("RGB" if job.channels == 3 else "L"))
        found.append(np.require(pixels.reshape(height, width, -1), requirements="CW").copy())
    return found


def ours(job: Job, images: list[np.ndarray]) -> Callable[[int], Tensor]:
    side = job.size if job.size != SCALED else CROPPED
    card = Card(
        classes=("a", "b"), input_size=side, in_channels=3 if job.channels == 3 else 1,
        resize_mode="crop", mean=(0.5,) * job.channels, std=(1.0,) * job.channels,
    )  # fmt: skip
    config = TrainConfig.from_dict(job.settings).resolve(10_000)
    augmentation: Augmentation = augmentation_of(config, card, None)  # pyright: ignore[reportArgumentType] -- only for PCA
    indices = np.arange(len(images))
    if augmentation.crops is not None:
        return lambda epoch: augmentation.cut(images, indices, epoch=epoch)
    batch = torch.from_numpy(np.stack(images))
    return lambda epoch: augmentation(batch, indices, epoch=epoch)


def theirs(job: Job, images: list[np.ndarray]) -> Callable[[int], Tensor]:
    tensors = [torch.from_numpy(image).permute(2, 0, 1).contiguous() for image in images]
    return lambda _epoch: torch.stack([job.theirs(tensor) for tensor in tensors])


def pillow(job: Job, images: list[np.ndarray]) -> Callable[[int], Tensor]:
    pictures = [Image.fromarray(image) for image in images]
    transform = v2.Compose([job.theirs, v2.PILToTensor()])
    return lambda _epoch: torch.stack([transform(picture) for picture in pictures])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jobs", nargs="+", default=[job.name for job in JOBS])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    print(f"{machine()}\n{args.images} images, {args.threads} thread(s), CPU time\n")
    for job in JOBS:
        if job.name not in args.jobs:
            continue
        images = images_of(job, args.images)
        contenders = {"ours": ours(job, images), "tensors": theirs(job, images)}
        if job.name == "photo":
            contenders["pillow"] = pillow(job, images)
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for warm in range(3):
            for run in contenders.values():
                run(warm)
        for turn in range(args.rounds):
            for name in rotated(list(contenders), turn):
                start = time.process_time()
                contenders[name](turn)
                times[name].append(1000 * (time.process_time() - start) / args.images)
        print(f"{job.name}: ours {spread(times['ours'], '.3f')} ms an image")
        for name in [*contenders][1:]:
            ratios = [b / a for a, b in zip(times["ours"], times[name], strict=True)]
            print(f"  torchvision, {name}: {spread(times[name], '.3f')} ms; {spread(ratios)} times")


if __name__ == "__main__":
    main()
