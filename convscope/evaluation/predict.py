"""The verb `predict`: labels and probabilities for files."""

import glob
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.card import Card
from convscope.data.decode import UnreadableImage, decode
from convscope.data.folder import EXTENSIONS
from convscope.data.loading import ProgressCallback
from convscope.data.normalize import normalize
from convscope.data.resize import resize_image
from convscope.device import choose_device, threads_set
from convscope.errors import RequestError
from convscope.inference import probabilities
from convscope.runs.network import load_network
from convscope.zoo.check import reads_channels_last


@dataclass(frozen=True)
class Prediction:
    """What the network says of one image: its classes by falling probability."""

    path: str
    top_k: tuple[tuple[str, float], ...]

    @property
    def label(self) -> str:
        return self.top_k[0][0]

    @property
    def probability(self) -> float:
        return self.top_k[0][1]

    def to_dict(self) -> dict[str, Any]:
        """The facts as JSON has them."""
        probabilities = dict(self.top_k)
        return dict(
            path=self.path,
            label=self.label,
            probability=self.probability,
            probabilities=probabilities,
        )


@dataclass(frozen=True)
class Predictions:
    """A sequence of predictions in the order of the paths.

    Attributes:
        predictions: the same as a tuple.
        unreadable: (path, reason) of each image that could not be read; it has no prediction.
    """

    predictions: tuple[Prediction, ...]
    unreadable: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.predictions)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.predictions)

    def __getitem__(self, index: int) -> Prediction:
        return self.predictions[index]


def predict(
    run: str | Path,
    paths: Sequence[str | Path],
    *,
    top: int = 5,
    batch_size: int = 64,
    device: str = "auto",
    threads: int | None = None,
    on_progress: ProgressCallback = lambda done, total: None,
) -> Predictions:
    """Label images: files, folders (all images below them) and globs.

    `top` is how many classes each answer ranks. An image that cannot be read is listed and does not
    stop the rest.

    Raises RequestError for a path that is not there or holds no image.
    """
    if min(top, batch_size, 1 if threads is None else threads) < 1:
        raise RequestError("`top`, `batch_size` and `threads` must be at least 1.")
    net, card = load_network(run)
    place = choose_device(device)
    net.to(place)
    channels_last = reads_channels_last(
        net, in_channels=card.in_channels, input_size=card.input_size
    )
    files = find_images(paths)
    predictions: list[Prediction] = []
    unreadable: list[tuple[str, str]] = []
    done = 0
    with threads_set(threads), torch.inference_mode():
        for names, pixels, bad in _decoded(files, card, batch_size):
            unreadable += bad
            if names:
                moved = torch.from_numpy(pixels).to(place)
                outputs = net(normalize(moved, card, channels_last=channels_last))
                predictions += _ranked(names, probabilities(outputs, card).cpu().numpy(), card, top)
            done += len(names) + len(bad)
            on_progress(done, len(files))
    return Predictions(tuple(predictions), tuple(unreadable))


def find_images(paths: Sequence[str | Path]) -> list[Path]:
    """The image files that paths name, each once, in their order; folders are searched, sorted."""
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            below = sorted(_images_below(path))
            if not below:
                raise RequestError(f"There are no images below {path}.")
            found |= dict.fromkeys(below)
        elif path.exists() or path.is_symlink():
            found[path] = None
        elif matches := sorted(glob.glob(str(path), recursive=True)):  # noqa: PTH207 -- any pattern
            found |= dict.fromkeys(p for p in map(Path, matches) if _is_image(p))
        else:
            raise RequestError(f"There is no {path}. predict takes files, folders and globs.")
    if not found:
        raise RequestError(f"No images match {', '.join(map(str, paths))}.")
    return list(found)


def _is_image(path: Path) -> bool:
    return path.suffix.lower().lstrip(".") in EXTENSIONS


def _images_below(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if not name.startswith(".") and _is_image(Path(name)):
                yield Path(here, name)


def _decoded(
    files: Sequence[Path], card: Card, size: int
) -> Iterator[tuple[list[str], NDArray[np.uint8], list[tuple[str, str]]]]:
    """Per batch: the names that could be read, their bytes (n, h, w, c), the rest and why."""

    def one(path: Path) -> NDArray[np.uint8] | str:
        try:
            return resize_image(decode(path), card)
        except UnreadableImage as error:
            return str(error)

    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="convscope-decode") as pool:
        for start in range(0, len(files), size):
            batch = files[start : start + size]
            results = list(pool.map(one, batch))
            rows = [
                (str(p), r) for p, r in zip(batch, results, strict=True) if not isinstance(r, str)
            ]
            bad = [(str(p), r) for p, r in zip(batch, results, strict=True) if isinstance(r, str)]
            pixels = np.stack([row for _, row in rows]) if rows else np.empty(0, np.uint8)
            yield [name for name, _ in rows], pixels, bad


def _ranked(
    names: Sequence[str], probabilities: NDArray[np.float64], card: Card, top: int
) -> list[Prediction]:
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return [
        Prediction(
            name, tuple((card.classes[int(place)], float(own[int(place)])) for place in best)
        )
        for name, own, best in zip(names, probabilities, order, strict=True)
    ]
