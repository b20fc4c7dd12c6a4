"""Small files built by hand: what the tests of the sources read."""

import gzip
import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def png() -> bytes:
    """A valid image of 2 x 2 pixels."""
    stream = io.BytesIO()
    Image.new("RGB", (2, 2), (10, 200, 30)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def plant(tmp_path: Path, png: bytes) -> Callable[..., Path]:
    """Write images under a root by their keys, and give the root back."""

    def write(*keys: str, root: str = "root") -> Path:
        for key in keys:
            path = tmp_path / root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png)
        return tmp_path / root

    return write


def _idx(array: NDArray[np.uint8]) -> bytes:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


@pytest.fixture
def idx() -> Callable[[NDArray[np.uint8]], bytes]:
    """The bytes of an IDX file, packed here independently of the reader."""
    return _idx


@pytest.fixture
def idx_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write a small source in MNIST's files; `labels` are those of train and test."""

    def write(
        labels: tuple[list[int], list[int]] = ([0, 1, 2, 1], [2, 0]),
        *,
        names: tuple[str, str] = ("train", "t10k"),
        kinds: tuple[str, str] = ("images-idx3-ubyte", "labels-idx1-ubyte"),
        zipped: bool = True,
        where: str = "idx",
    ) -> Path:
        folder = tmp_path / where
        folder.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(0)
        for name, part in zip(names, labels, strict=True):
            pixels = random.integers(0, 256, (len(part), 5, 4), dtype=np.uint8)
            for kind, array in zip(kinds, (pixels, np.array(part, dtype=np.uint8)), strict=True):
                data = _idx(array)
                path = folder / f"{name}-{kind}{'.gz' if zipped else ''}"
                path.write_bytes(gzip.compress(data) if zipped else data)
        return folder

    return write


@pytest.fixture
def real_mnist() -> Path:
    """The 70,000 digits, where they lie beside the repository."""
    folder = ROOT.parent / "shared" / "data" / "mnist"
    if not folder.is_dir():
        pytest.skip("the real MNIST files are not beside the repository")
    return folder
