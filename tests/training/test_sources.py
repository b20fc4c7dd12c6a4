"""Trainings on archives and tables end to end: the bits of the folder, stopped or not."""

import importlib
import io
import os
import signal
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.errors import Interrupted, RequestError
from convscope.training.callbacks.base import Callback
from tests.training.small import Net, digest_of_weights

SETTINGS: Any = dict(
    model=f"{Net.__module__}:Net", input_size=32, in_channels=1, epochs=2, batch_size=8
)
KEYS = [f"{name}/{n:02d}.png" for name in ("circle", "square") for n in range(16)]


def picture(number: int) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (12, 12), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, key in enumerate(KEYS):
        path = tmp_path / "shapes" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(number))
    return tmp_path / "shapes"


def tar_of(folder: Path) -> Path:
    with tarfile.open(folder.with_suffix(".tar"), "w") as tar:
        tar.add(folder, arcname=".")
    return folder.with_suffix(".tar")


class StopAt(Callback):
    def on_step_end(self, state: Any, event: Any) -> None:
        if event.step == 3:
            os.kill(os.getpid(), signal.SIGINT)


def test_a_tar_file_trains_to_the_bits_of_its_folder(tmp_path: Path, folder: Path):
    convscope.train(folder, out=tmp_path / "plain", **SETTINGS)
    packed = tar_of(folder)
    with pytest.raises(Interrupted):
        convscope.train(packed, out=tmp_path / "packed", callbacks=[StopAt()], **SETTINGS)
    moved = packed.rename(tmp_path / "moved.tar")
    with pytest.raises(RequestError, match="If they were moved, say where they are now"):
        convscope.resume(tmp_path / "packed")
    original = (folder / KEYS[3]).read_bytes()
    (folder / KEYS[3]).write_bytes(picture(99))
    with pytest.raises(RequestError, match="are not those that"):
        convscope.resume(tmp_path / "packed", data=tar_of(folder))
    (folder / KEYS[3]).write_bytes(original)
    tar_of(folder).unlink()
    convscope.resume(tmp_path / "packed", data=moved)
    assert digest_of_weights(tmp_path / "plain") == digest_of_weights(tmp_path / "packed")
    for data in (folder, moved):
        result: Any = convscope.evaluate(tmp_path / "packed", data)
        assert (result.metrics.num_images, result.in_training) == (32, 22)


def test_a_parquet_file_is_trained_on(tmp_path: Path):
    arrow = pytest.importorskip("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    images = [{"bytes": picture(n), "path": key} for n, key in enumerate(KEYS)]
    table = arrow.table({"image": images, "label": [key.partition("/")[0] for key in KEYS]})
    parquet.write_table(table, tmp_path / "shapes.parquet", row_group_size=5)
    settings = SETTINGS | {"cache_fraction": 0.0}  # so that every epoch reads them anew
    result = convscope.train(tmp_path / "shapes.parquet", out=tmp_path / "run", **settings)
    assert result.test.num_images == 6
    assert convscope.evaluate(tmp_path / "run").top1 == result.test.top1
