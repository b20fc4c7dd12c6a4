"""`predict`: labels and probabilities for image files."""

import glob
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.card import Card
from convscope.data.decode import UnreadableImage, decode_image
from convscope.data.formats import EXTENSIONS
from convscope.data.loading import ProgressCallback
from convscope.data.normalize import normalize
from convscope.data.resize import resize_image
from convscope.device import choose_device, threads_set
from convscope.errors import RequestError
from convscope.inference import probabilities
from convscope.runs.network import load_network
from convscope.synonyms import takes_synonyms
from convscope.zoo.check import reads_channels_last


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image; `top_k` are (class, probability), the most probable first."""

    path: str
    top_k: tuple[tuple[str, float], ...]

    @property
    def label(self) -> str:
        return self.top_k[0][0]

    @property
    def probability(self) -> float:
        return self.top_k[0][1]

    def to_dict(self) -> dict[str, Any]:
        """The prediction as it is written to JSON."""
        probabilities = dict(self.top_k)
        return dict(
            path=self.path,
            label=self.label,
            probability=self.probability,
            probabilities=probabilities,
        )


@dataclass(frozen=True)
class Predictions(Sequence[Prediction]):
    """A sequence of predictions in the order of the paths.

    Attributes:
        predictions: the same as a tuple.
        unreadable: (path, reason) of each image that could not be read; it has no prediction.
    """

    predictions: tuple[Prediction, ...]
    unreadable: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.predictions)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Prediction, ...]: ...

    def __getitem__(self, index: int | slice) -> Prediction | tuple[Prediction, ...]:
        return self.predictions[index]


@takes_synonyms
def predict(
    run: str | Path,
    paths: str | Path | Sequence[str | Path],
    *,
    top: int = 5,
    batch_size: int = 64,
    device: str = "auto",
    threads: int | None = None,
    on_progress: ProgressCallback = lambda done, total: None,
) -> Predictions:
    """Label images: files, folders (all images below them) and glob patterns, one or several.

    Each prediction has the `top` most probable classes. Images that cannot be read are listed and
    do not stop the others.

    Raises RequestError for a path that does not exist or has no images.
    """
    if min(top, batch_size, 1 if threads is None else threads) < 1:
        raise RequestError("`top`, `batch_size` and `threads` must be at least 1.")
    net, card = load_network(run)
    torch_device = choose_device(device)
    net.to(torch_device)
    channels_last = reads_channels_last(
        net, in_channels=card.in_channels, input_size=card.input_size
    )
    files = find_images([paths] if isinstance(paths, str | Path) else paths)
    predictions: list[Prediction] = []
    unreadable: list[tuple[str, str]] = []
    done = 0
    with threads_set(threads), torch.inference_mode():
        for names, pixels, problems in _load_batches(files, card, batch_size):
            unreadable += problems
            if names:
                batch = torch.from_numpy(pixels).to(torch_device)
                outputs = net(normalize(batch, card, channels_last=channels_last))
                predictions += _ranked(names, probabilities(outputs, card).cpu().numpy(), card, top)
            done += len(names) + len(problems)
            on_progress(done, len(files))
    return Predictions(tuple(predictions), tuple(unreadable))


def find_images(paths: Sequence[str | Path]) -> list[Path]:
    """The image files of some paths, each once, in the order of the paths; folders are sorted."""
    if not paths:
        raise RequestError("Pass at least one image file, folder or glob pattern.")
    files: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            images = sorted(_images_below(path))
            if not images:
                raise RequestError(f"There are no images below {path}.")
            files |= dict.fromkeys(images)
        elif path.exists() or path.is_symlink():
            files[path] = None
        elif matches := sorted(glob.glob(str(path), recursive=True)):  # noqa: PTH207 -- any pattern
            files |= dict.fromkeys(p for p in map(Path, matches) if _is_image(p))
        else:
            raise RequestError(f"{path} does not exist. Pass files, folders or glob patterns.")
    if not files:
        raise RequestError(f"No images match {', '.join(map(str, paths))}.")
    return list(files)


def _is_image(path: Path) -> bool:
    return path.suffix.lower().lstrip(".") in EXTENSIONS


def _images_below(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if not name.startswith(".") and _is_image(Path(name)):
                yield Path(here, name)


def _load_batches(
    files: Sequence[Path], card: Card, size: int
) -> Iterator[tuple[list[str], NDArray[np.uint8], list[tuple[str, str]]]]:
    """Per batch: the readable files, their bytes (n, h, w, c), and (file, reason) of the others."""

    def load(path: Path) -> NDArray[np.uint8] | str:
        try:
            return resize_image(decode_image(path), card)
        except UnreadableImage as error:
            return str(error)

    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="convscope-decode") as pool:
        for start in range(0, len(files), size):
            batch = files[start : start + size]
            results = list(pool.map(load, batch))
            named = list(zip(map(str, batch), results, strict=True))
            images = {name: image for name, image in named if not isinstance(image, str)}
            problems = [(name, reason) for name, reason in named if isinstance(reason, str)]
            pixels = np.stack(list(images.values())) if images else np.empty(0, np.uint8)
            yield list(images), pixels, problems


def _ranked(
    names: Sequence[str], probabilities: NDArray[np.float64], card: Card, top: int
) -> list[Prediction]:
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return [
        Prediction(
            name, tuple((card.classes[int(index)], float(row[int(index)])) for index in best)
        )
        for name, row, best in zip(names, probabilities, order, strict=True)
    ]
