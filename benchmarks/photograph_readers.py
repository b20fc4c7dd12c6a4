"""Other ways from a folder of JPEGs to normalized random resized crops, for `input_pipeline.py`.

Each takes the folder of class folders, the size, the batch and the number of workers, and returns a
function that runs one epoch and yields its batches.
"""

import math
import random
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)

Epoch = Callable[[], Iterable[Any]]


def torchvision_epoch(root: Path, size: int, batch: int, workers: int) -> Epoch:
    """torchvision v2: ImageFolder in a DataLoader, whose workers stay alive between epochs."""
    import torchvision_operators  # noqa: F401, PLC0415 -- before torchvision, and here alone
    from torchvision import datasets  # noqa: PLC0415
    from torchvision.transforms import v2  # noqa: PLC0415

    steps = v2.Compose(
        [
            v2.RandomResizedCrop(size, SCALE, RATIO, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )
    images = datasets.ImageFolder(str(root), steps)
    loader = torch.utils.data.DataLoader(
        images, batch, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    return lambda: loader


def opencv_epoch(root: Path, size: int, batch: int, workers: int) -> Epoch:
    """A loop in threads: OpenCV decodes and scales."""
    import cv2  # noqa: PLC0415

    cv2.setNumThreads(1)

    def read(path: Path) -> NDArray[np.uint8]:
        return window(cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1], size)

    return lambda: threaded(root, batch, workers, read)


def simplejpeg_epoch(root: Path, size: int, batch: int, workers: int) -> Epoch:
    """A loop in threads: simplejpeg decodes, OpenCV scales."""
    import cv2  # noqa: PLC0415
    import simplejpeg  # noqa: PLC0415

    cv2.setNumThreads(1)

    def read(path: Path) -> NDArray[np.uint8]:
        return window(simplejpeg.decode_jpeg(path.read_bytes(), "RGB"), size)

    return lambda: threaded(root, batch, workers, read)


def spdl_epoch(root: Path, size: int, batch: int, workers: int) -> Epoch:
    """A loop in threads: FFmpeg decodes, cuts and scales over areas, by Meta's `spdl`."""
    import spdl.io  # noqa: PLC0415

    def read(path: Path) -> NDArray[np.uint8]:
        packets = spdl.io.demux_image(str(path))
        top, left, height, width = draw(packets.height, packets.width)
        steps = [f"crop={width}:{height}:{left}:{top}:exact=1", f"scale={size}:{size}:flags=area"]
        steps += ["hflip"] * (random.random() < 0.5)  # noqa: S311
        filters = ",".join([*steps, "format=pix_fmts=rgb24"])
        frames = spdl.io.decode_packets(packets, filter_desc=filters)
        return spdl.io.to_numpy(spdl.io.convert_frames(frames))

    return lambda: threaded(root, batch, workers, read)


def window(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """A random resized crop by OpenCV, over areas, which is its antialiasing; perhaps mirrored."""
    import cv2  # noqa: PLC0415

    top, left, height, width = draw(*image.shape[:2])
    cut = image[top : top + height, left : left + width]
    scaled = cv2.resize(np.ascontiguousarray(cut), (size, size), interpolation=cv2.INTER_AREA)
    return cv2.flip(scaled, 1) if random.random() < 0.5 else scaled  # noqa: S311


def draw(height: int, width: int) -> tuple[int, int, int, int]:
    """A window as torchvision draws it: top, left, height, width."""
    for _ in range(10):
        area = height * width * random.uniform(*SCALE)  # noqa: S311
        ratio = math.exp(random.uniform(*map(math.log, RATIO)))  # noqa: S311
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return random.randint(0, height - h), random.randint(0, width - w), h, w  # noqa: S311
    side = min(height, width)
    return (height - side) // 2, (width - side) // 2, side, side


def threaded(
    root: Path, batch: int, workers: int, read: Callable[[Path], NDArray[np.uint8]]
) -> Iterator[torch.Tensor]:
    """Batches of what `read` makes of files in random order, four batches ahead, normalized."""
    paths = sorted(root.glob("*/*.jpg"))
    random.shuffle(paths)
    scale = torch.tensor([1 / (255 * std) for std in STD])
    shift = torch.tensor([-mean / std for mean, std in zip(MEAN, STD, strict=True)])
    with ThreadPoolExecutor(workers) as pool:
        coming = iter(paths)
        ahead: deque[Future[NDArray[np.uint8]]] = deque()
        for start in range(0, len(paths), batch):
            images: list[NDArray[np.uint8]] = []
            for _ in paths[start : start + batch]:
                while len(ahead) < 4 * batch and (path := next(coming, None)) is not None:
                    ahead.append(pool.submit(read, path))
                images.append(ahead.popleft().result())
            pixels = torch.from_numpy(np.stack(images)).to(torch.float32)
            yield torch.addcmul(shift, pixels, scale).permute(0, 3, 1, 2)


READERS: dict[str, tuple[Callable[[Path, int, int, int], Epoch], int]] = {
    "torchvision, 2 workers": (torchvision_epoch, 2),
    "torchvision, 0 workers": (torchvision_epoch, 0),
    "OpenCV, 2 threads": (opencv_epoch, 2),
    "simplejpeg + OpenCV, 2 threads": (simplejpeg_epoch, 2),
    "spdl, 2 threads": (spdl_epoch, 2),
}


def available(root: Path, size: int, batch: int) -> dict[str, Epoch]:
    """The readers whose packages are installed; the others are named on standard error."""
    found: dict[str, Epoch] = {}
    for name, (make, workers) in READERS.items():
        try:
            found[name] = make(root, size, batch, workers)
        except ImportError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return found
