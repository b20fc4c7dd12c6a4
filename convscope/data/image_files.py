"""The image files that a path means: itself, those below a folder, or the matches of a pattern."""

import glob
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from convscope.data.walk import describe_left_out, ending, is_image_path, walk_images
from convscope.errors import RequestError, nearest


@dataclass
class ImageFiles:
    """Image files, and how many other files of each ending were left out in finding them."""

    paths: list[Path] = field(default_factory=list[Path])
    left_out: Counter[str] = field(default_factory=Counter[str])


def find_image_files(name: str | os.PathLike[str]) -> ImageFiles:
    """The images of a path; in folders and patterns by their endings, or without one by content.

    A file that is named is taken whatever its ending is. Folders are walked as for training. Raises
    RequestError for what does not exist, or has no images.
    """
    text = os.fspath(name)
    if not text.strip() or "\0" in text:
        raise RequestError(f"{text!r} is not the path of an image.")
    path = Path(text)
    if text.startswith("~") and not path.exists():
        path = path.expanduser()
    try:
        if path.is_dir():
            return _below(path)
        if path.exists() or path.is_symlink():
            return ImageFiles([path])
        return _matching(path, text)
    except OSError as error:  # the name is too long, for example
        raise RequestError(f"{text} cannot be read: {error.strerror or error}.") from error


def _below(folder: Path) -> ImageFiles:
    found = walk_images(folder)
    if not found.keys:
        others = f"; there are {describe_left_out(found.left_out)}" if found.left_out else ""
        raise RequestError(f"There are no images below {folder}{others}.")
    return ImageFiles([folder / key for key in found.keys], found.left_out)


def _matching(path: Path, text: str) -> ImageFiles:
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  any pattern
    if not matches:
        if "://" in text:
            raise RequestError(f"{text} is an address. Download it, and pass the file.")
        if glob.has_magic(text):
            raise RequestError(f"No files match {text}.")
        beside = [p.name for p in path.parent.glob("*")] if path.parent.is_dir() else []
        raise RequestError(
            f"{text} does not exist.{nearest(path.name, beside)} Pass files, folders or glob "
            "patterns."
        )
    files = ImageFiles()
    for match in map(Path, matches):
        if is_image_path(match):
            files.paths.append(match)
        elif not match.is_dir():
            files.left_out[ending(match.name)] += 1
    if not files.paths:
        others = f"; its files are {describe_left_out(files.left_out)}" if files.left_out else ""
        raise RequestError(f"No images match {text}{others}.")
    return files
