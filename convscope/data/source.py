"""The word DATA: a name out of a list written by hand, or a path."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from convscope.data import cifar, emnist, idx
from convscope.data.dataset import Dataset
from convscope.data.digits import read_digits
from convscope.data.download import DownloadCallback, RemoteFile, cache_folder, fetch
from convscope.data.folder import read_folder
from convscope.data.table import read_table
from convscope.data.urls import REMOTE_FILES
from convscope.errors import ConvscopeError, RequestError, WorkError, nearest

NAMES = {
    "digits": "1,797 handwritten digits, gray 8 x 8, no download",
    "mnist": "70,000 handwritten digits, gray 28 x 28, 12 MB",
    "fashion-mnist": "70,000 pictures of clothes in 10 kinds, gray 28 x 28, 31 MB",
    "kmnist": "70,000 cursive Japanese characters in 10 kinds, gray 28 x 28, 21 MB",
    "emnist": "131,600 digits and letters in 47 kinds (EMNIST Balanced), gray 28 x 28, 562 MB",
    "emnist-byclass": "814,255 digits and letters in 62 kinds, gray 28 x 28, 562 MB",
    "emnist-bymerge": "814,255 digits and letters in 47 kinds, gray 28 x 28, 562 MB",
    "emnist-balanced": "131,600 digits and letters in 47 kinds, gray 28 x 28, 562 MB",
    "emnist-letters": "145,600 letters in 26 kinds, gray 28 x 28, 562 MB",
    "emnist-digits": "280,000 handwritten digits, gray 28 x 28, 562 MB",
    "emnist-mnist": "70,000 handwritten digits, as mnist, gray 28 x 28, 562 MB",
    "cifar10": "60,000 photographs of 10 things, color 32 x 32, 170 MB",
    "cifar100": "60,000 photographs of 100 things, color 32 x 32, 169 MB",
}
"""The named sources: what each is, and how much is downloaded once."""


Reader = Callable[[], Dataset]


@dataclass(frozen=True)
class Source:
    """How one named source is read.

    Attributes:
        home: the subfolder of the cache that its download goes to; EMNIST has one for all.
        remotes: the files to download.
        find: what reads it out of a folder, as it is downloaded or unpacked; None where it is not.
    """

    home: str
    remotes: tuple[RemoteFile, ...]
    find: Callable[[Path], Reader | None]


def open_source(
    data: str, *, data_dir: Path | None = None, progress: DownloadCallback | None = None
) -> Dataset:
    """Open what DATA means: a name of NAMES, or the path of a folder or of a CSV.

    A name wins over a path of the same spelling; write ./mnist for the folder. A named source is
    looked for in `data_dir`, in $CONVSCOPE_DATA and in the cache, each itself and its subfolder of
    that name; only then is it downloaded, into the cache's subfolder. A damaged file there is
    replaced.

    Raises RequestError for a word that is neither, and for data that are not as they should be;
    WorkError when a download fails.
    """
    try:
        if data == "digits":
            return read_digits()
        if data in NAMES:
            return _open_named(data, data_dir, progress)
        return _open_path(data)
    except PermissionError as error:
        raise RequestError(f"{error.filename} may not be read: permission denied.") from error


def is_here(name: str, *, data_dir: Path | None = None) -> bool:
    """Whether a named source can be opened without a download: it is found, or brought along."""
    if name == "digits":
        return True
    source, _, folders = _places(name, data_dir)
    try:
        return any(source.find(folder) is not None for folder in folders)
    except (ConvscopeError, OSError):  # what is damaged is downloaded again
        return False


def _places(name: str, data_dir: Path | None) -> tuple[Source, Path, list[Path]]:
    """A named source, its home in the cache, and all folders in which it may lie."""
    source, cache = _source(name), cache_folder()
    home = cache / source.home
    tops = [cache] if data_dir is None else [data_dir, cache]
    return source, home, [place for top in tops for place in (top, top / name, top / source.home)]


def _source(name: str) -> Source:
    if name.startswith("emnist"):
        return Source(
            "emnist", REMOTE_FILES["emnist"], partial(_find_emnist, emnist.selection(name))
        )
    find = _find_cifar if name in cifar.LAYOUTS else _find_idx
    return Source(name, REMOTE_FILES[name], partial(find, name))


def _find_emnist(part: emnist.Selection, folder: Path) -> Reader | None:
    if part in emnist.find_emnist(folder):
        return partial(emnist.read_emnist_folder, folder, part)
    archive = folder / REMOTE_FILES["emnist"][0].name
    return partial(emnist.read_emnist_zip, archive, part) if archive.is_file() else None


def _find_cifar(name: str, folder: Path) -> Reader | None:
    if cifar.find_cifar(folder) == name:
        return partial(cifar.read_cifar_folder, folder, name)
    archive = folder / REMOTE_FILES[name][0].name
    return partial(cifar.read_cifar_archive, archive, name) if archive.is_file() else None


def _find_idx(name: str, folder: Path) -> Reader | None:
    here = idx.find_idx(folder) is not None and idx.whose(folder) in {name, None}
    return partial(idx.read_idx_folder, folder, name) if here else None


def _open_named(name: str, data_dir: Path | None, progress: DownloadCallback | None) -> Dataset:
    if data_dir is not None and not data_dir.is_dir():
        raise RequestError(f"The data directory {data_dir} does not exist or is not a folder.")
    source, home, folders = _places(name, data_dir)
    for folder in folders:
        reader = source.find(folder)
        if reader is None:
            continue
        try:
            return reader()
        except ConvscopeError:
            if folder != home:
                raise
            break  # a damaged download: fetch replaces it
    for remote in source.remotes:
        fetch(remote, home, progress=progress)
    reader = source.find(home)
    if reader is None:
        raise WorkError(f"{home} does not hold {name} after its download. Delete it and try again.")
    return reader()


def _open_path(data: str) -> Dataset:
    try:
        path = Path(data).expanduser()
        there, is_folder = path.exists(), path.is_dir()
    except PermissionError:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise RequestError(f"{data!r} is not a path: {error}.") from error
    if not data or (not there and "/" not in data and "\\" not in data and "." not in data):
        raise RequestError(
            f"There is no source and no path {data!r}.{nearest(data.lower(), NAMES)} "
            f"Sources: {', '.join(NAMES)}; or the path of a folder of class folders, or of a CSV."
        )
    if there and not is_folder:
        return _open_file(path)
    if path.suffix.lower() in {".csv", ".tsv"} and not there:
        return read_table(path)
    if is_folder and (found := _open_known(path)):
        return found
    return read_folder(path)


def _open_file(path: Path) -> Dataset:
    if path.suffix.lower() in {".csv", ".tsv", ".txt"}:
        return read_table(path)
    for name, layout in cifar.LAYOUTS.items():
        if path.name == REMOTE_FILES[layout.name][0].name:
            return cifar.read_cifar_archive(path, name)
    if path.suffix.lower() in {".zip", ".gz", ".tgz", ".tar", ".7z", ".rar"}:
        raise RequestError(f"{path} is an archive. Unpack it and pass the folder.")
    raise RequestError(
        f"{path} is one file. Pass a folder of class folders, or a CSV of paths and labels."
    )


def _open_known(folder: Path) -> Dataset | None:
    """A folder that holds the files of a known format, or None."""
    if name := cifar.find_cifar(folder):
        return cifar.read_cifar_folder(folder, name)
    if parts := emnist.find_emnist(folder):
        part, *others = parts
        if others:
            raise RequestError(
                f"{folder} has EMNIST in several selections ({', '.join(parts)}). Name one and "
                f"the folder: emnist-{part} and `data_dir={folder}`."
            )
        return emnist.read_emnist_folder(folder, part)
    if idx.find_idx(folder):
        return idx.read_idx_folder(folder, idx.whose(folder) or folder.resolve().name)
    return None
