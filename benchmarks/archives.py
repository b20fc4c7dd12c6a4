"""How fast images are opened and read: a folder of files, a tar file, zip, shards, Parquet, Arrow.

10,000 JPEGs of 96x72 in ten classes, of the package's two photographs, in each of the sources.
Times are of listing the source and of decoding every image once on one thread, by processor time.
The peer is the library webdataset, which reads shards in order only, with Pillow.

    python benchmarks/archives.py --images 10000 --rounds 3
"""

import argparse
import importlib
import io
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rounds import machine, rotated, spread

from convscope.data.samples import photograph
from convscope.data.source import open_source


def jpegs(count: int) -> list[bytes]:
    """Different windows of the photographs, as files of some 3 kB."""
    contents: list[bytes] = []
    photographs = [photograph("flower"), photograph("palace")]
    for number in range(count):
        image = photographs[number % 2]
        left, top = number * 37 % 500, number * 53 % 330
        stream = io.BytesIO()
        image.crop((left, top, left + 96, top + 72)).save(stream, "JPEG", quality=90)
        contents.append(stream.getvalue())
    return contents


def write(folder: Path, contents: list[bytes]) -> dict[str, Path]:
    """The same images in each source."""
    sources = {name: folder / name for name in
               ("folder", "a.tar", "a.zip", "shards", "a.parquet", "saved")}  # fmt: skip
    keys = [f"c{n % 10}/{n:05d}.jpg" for n in range(len(contents))]
    with (
        tarfile.open(sources["a.tar"], "w") as tar,
        zipfile.ZipFile(sources["a.zip"], "w") as zipped,
    ):
        for key, content in zip(keys, contents, strict=True):
            path = sources["folder"] / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            tar.add(path, key)
            zipped.writestr(key, content)
    sources["shards"].mkdir()
    for start in range(0, len(contents), 1000):
        with tarfile.open(sources["shards"] / f"{start // 1000:03d}.tar", "w") as tar:
            for n in range(start, min(start + 1000, len(contents))):
                for ending, data in (("jpg", contents[n]), ("cls", str(n % 10).encode())):
                    info = tarfile.TarInfo(f"{n:05d}.{ending}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    images = [{"bytes": content, "path": None} for content in contents]
    table = arrow.table({"image": images, "label": [n % 10 for n in range(len(contents))]})
    parquet.write_table(table, sources["a.parquet"], row_group_size=100)
    sources["saved"].mkdir()
    name = "data-00000-of-00001.arrow"
    with (
        arrow.OSFile(str(sources["saved"] / name), "wb") as sink,
        arrow.ipc.new_stream(sink, table.schema) as writer,
    ):
        writer.write_table(table, max_chunksize=1000)
    (sources["saved"] / "state.json").write_text(f'{{"_data_files": [{{"filename": "{name}"}}]}}')
    return sources


def read(path: Path) -> tuple[float, float]:
    """Seconds of listing a source, and of decoding all of its images."""
    start = time.process_time()
    data = open_source(path)
    listed = time.process_time()
    for index in range(len(data)):
        data.images.image(index)
    return listed - start, time.process_time() - listed


def read_by_webdataset(path: Path) -> tuple[float, float]:
    webdataset: Any = importlib.import_module("webdataset")
    shards = [str(one) for one in sorted(path.glob("*.tar"))]
    start = time.process_time()
    for _ in webdataset.WebDataset(shards, shardshuffle=False).decode("pil").to_tuple("jpg", "cls"):
        pass
    return 0.0, time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        sources = write(Path(folder), jpegs(asked.images))
        readers: dict[str, Callable[[], tuple[float, float]]] = {
            name: (lambda path=path: read(path)) for name, path in sources.items()
        }
        readers["webdataset"] = lambda: read_by_webdataset(sources["shards"])
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in readers}
        for number in range(asked.rounds):
            for name in rotated(list(readers), number):
                times[name].append(readers[name]())
    base = [sum(one) for one in times["folder"]]
    for name, found in times.items():
        rates = [asked.images / sum(one) for one in found]
        ratios = [sum(one) / whole for one, whole in zip(found, base, strict=True)]
        listed = [1e6 * one[0] / asked.images for one in found]
        print(f"{name:12} {spread(rates, ',.0f')} images/s, {spread(ratios)} of the folder's time, "
              f"listing {spread(listed, '.0f')} us an image")  # fmt: skip


if __name__ == "__main__":
    main()
