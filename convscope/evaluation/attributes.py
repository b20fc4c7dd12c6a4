"""Properties of evaluated images: folder, size, brightness, camera, the cells of a table."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from convscope.data.file_properties import read_properties
from convscope.data.loading import LoadedDataset

_FEW = 12  # numbers or sizes, up to which each is a value by itself
_BLOCK = 256  # images whose brightness is measured at once
_EMPTY = "nothing stated"
_QUARTERS = 4

Attributes = Mapping[str, Sequence[str]]
"""By the name of a property, its value for each image; "" where it has none."""


def attributes_of(
    paths: Sequence[str],
    loaded: LoadedDataset | None,
    indices: NDArray[np.int64],
    groups: Sequence[str] | None,
) -> Attributes:
    """The properties of images (n,) by their paths, their files, their pixels and their table."""
    found: dict[str, Sequence[str]] = {"folder": _folders(paths, 1), "subfolder": _folders(paths)}
    if groups is not None:
        found["group"] = groups
    if loaded is not None:
        found |= _of_files(loaded, indices)
        found["brightness"] = quarters(_brightness(loaded, indices), lambda x: f"{x:.0f}")
        for name, cells in loaded.dataset.columns.items():
            found[name] = _of_column([cells[int(index)].strip() for index in indices])
    return {name: values for name, values in found.items() if len(set(values)) > 1}


def quarters(values: NDArray[np.float64], text: Callable[[float], str]) -> list[str]:
    """Numbers (n,) as the quarter that each is in: "12 to 40"; "" where one is NaN.

    Equal numbers are in one quarter, so that there may be fewer than four.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        return [""] * len(values)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _QUARTERS + 1)))
    places = np.clip(np.searchsorted(edges, values, "right") - 1, 0, max(len(edges) - 2, 0))
    names = [f"{text(low)} to {text(high)}" for low, high in pairwise(edges.tolist())]
    names = names or [text(float(edges[0]))]
    return ["" if np.isnan(v) else names[p] for v, p in zip(values, places, strict=True)]


def _folders(paths: Sequence[str], depth: int | None = None) -> list[str]:
    """The folder of each image, or the first folders of its path."""
    return ["/".join(PurePosixPath(path).parts[:-1][:depth]) for path in paths]


def _of_files(loaded: LoadedDataset, indices: NDArray[np.int64]) -> Iterator[tuple[str, list[str]]]:
    images = loaded.dataset.images
    read = read_properties(images, indices.tolist(), workers=min(8, 2 * (os.cpu_count() or 1)))
    rows = [read.get(int(index)) for index in indices]
    if not read:
        return
    for name in ("camera", "format"):
        yield name, ["" if row is None else row[name] for row in rows]
    sizes = ["" if row is None else row["size"] for row in rows]
    if len(set(sizes)) <= _FEW:
        yield "size", sizes
        return
    sides = [min(map(int, size.split("x"))) if size else np.nan for size in sizes]
    yield "shorter side", quarters(np.array(sides, np.float64), lambda x: f"{x:.0f}")


def _of_column(cells: Sequence[str]) -> list[str]:
    """Cells as they are; of many numbers the quarters."""
    different = {cell for cell in cells if cell}
    if len(different) > _FEW:
        try:
            numbers = np.array([float(cell) if cell else np.nan for cell in cells])
        except ValueError:
            pass
        else:
            return [text or _EMPTY for text in quarters(numbers, lambda x: f"{x:g}")]
    return [cell or _EMPTY for cell in cells]


def _brightness(loaded: LoadedDataset, indices: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of the bytes of each image as the network gets it, 0..255."""
    blocks = [indices[start : start + _BLOCK] for start in range(0, len(indices), _BLOCK)]
    means = [
        pixels.reshape(len(pixels), -1).float().mean(1).numpy().astype(np.float64)
        for pixels in loaded.batch_source.batches(blocks)
    ]
    return np.concatenate(means)
