"""The sizes of images, read from the heads of their files."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from PIL import Image

from convscope.data.dataset import Dataset, FileImages
from convscope.data.decode import decode_image
from convscope.data.depth import size_of
from convscope.data.dicom_headers import open_file
from convscope.data.formats import FORMATS
from convscope.data.orientation import SIDEWAYS, orientation_of
from convscope.data.pillow_settings import READER_ERRORS, quiet_pillow
from convscope.data.unreadable import UnreadableImage
from convscope.errors import RequestError

_THREADS = 8
_CHUNK = 64


def upright_sizes(root: Path, keys: Sequence[str]) -> Mapping[str, tuple[int, int]]:
    """The (width, height) of each image below `root` that can be read, upright."""
    chunks = [keys[start : start + _CHUNK] for start in range(0, len(keys), _CHUNK)]

    def read(chunk: Sequence[str]) -> list[tuple[str, tuple[int, int] | None]]:
        return [(key, _upright_size(root / key)) for key in chunk]

    with ThreadPoolExecutor(_THREADS, thread_name_prefix="convscope-sizes") as pool:
        return {key: size for part in pool.map(read, chunks) for key, size in part if size}


def refuse_other_sizes(dataset: Dataset) -> None:
    """Raise RequestError for an image of another size than the file of its boxes states.

    Its boxes would be elsewhere. Images that cannot be read are passed over.
    """
    objects, images = dataset.objects, dataset.images
    if objects is None or not dataset.has_stated_sizes or not isinstance(images, FileImages):
        return
    found = upright_sizes(images.root, images.paths)
    sizes: list[list[int]] = objects.images.tolist()
    stated = {key: (one[0], one[1]) for key, one in zip(images.paths, sizes, strict=True)}
    wrong = [key for key in images.paths if found.get(key, stated[key]) != stated[key]]
    if wrong:
        first, several = (
            wrong[0],
            "1 image has" if len(wrong) == 1 else f"{len(wrong):,} images have",
        )
        width, height = found[first]
        says = "{}x{}".format(*stated[first])
        raise RequestError(
            f"{dataset.name}: {several} another size than the file of their boxes says, first "
            f"{first}: it has {width}x{height} pixels, and its boxes are for {says}. Correct the "
            "size or the boxes there. A photograph may be turned by its EXIF orientation. "
            f"`convscope check` lists all such images."
        )


def _upright_size(path: Path) -> tuple[int, int] | None:
    try:
        with (
            quiet_pillow(),
            closing(open_file(path)) as stream,
            Image.open(stream, formats=FORMATS) as image,
        ):
            width, height = image.size
            return (height, width) if orientation_of(image) in SIDEWAYS else (width, height)
    except READER_ERRORS:
        pass
    try:  # a format that Pillow does not read, such as DICOM
        return size_of(decode_image(path))
    except UnreadableImage:
        return None
