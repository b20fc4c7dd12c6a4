"""ONNX Runtime Web: two files of the npm package, taken by npm once, checked, kept in the cache."""

import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from convscope.data.download import cache_dir, digest_of
from convscope.errors import RequestError, WorkError

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
SCRIPT, BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
DIGESTS = {
    SCRIPT: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    BINARY: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
"""The SHA-256 of the files of VERSION."""

_SECONDS = 600  # for 33 MB
_BY_HAND = f"`npm pack {PACKAGE}@{VERSION}`, unpack it, and name its folder by `web_runtime`"


def find_runtime(folder: Path | None = None) -> Path:
    """A folder with SCRIPT and BINARY: below `folder`, in the cache, or taken by npm.

    The files in `folder` may be of another version; those that npm brings must have DIGESTS.

    Raises RequestError where they are not in `folder`, or npm is missing; WorkError where npm fails
    or brings other files.
    """
    if folder is not None:
        return _in_package(folder)
    kept = cache_dir() / f"{PACKAGE}-{VERSION}"
    if not _is_complete(kept):
        _take(kept)
    return kept


def copy_runtime(source: Path, target: Path) -> None:
    """Copy the two files into a folder."""
    for name in DIGESTS:
        shutil.copyfile(source / name, target / name)


def _in_package(folder: Path) -> Path:
    for place in (folder, folder / "dist", folder / "package" / "dist", folder / PACKAGE / "dist"):
        if all((place / name).is_file() for name in DIGESTS):
            return place
    raise RequestError(
        f"{folder} has no ONNX Runtime Web: {SCRIPT} and {BINARY} are neither there nor in its "
        "folder dist."
    )


def _is_complete(folder: Path) -> bool:
    return all(
        (folder / name).is_file() and digest_of(folder / name) == digest
        for name, digest in DIGESTS.items()
    )


def _take(folder: Path) -> None:
    """Have npm bring the package into a folder of the cache. Raises RequestError, WorkError."""
    npm = shutil.which("npm")
    if npm is None:
        raise RequestError(
            "The page runs the network by ONNX Runtime Web, which npm brings, and npm is not "
            f"installed. Install Node.js; or elsewhere {_BY_HAND}."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{PACKAGE}.") as beside:
        archive = _packed(npm, Path(beside))
        taken = Path(beside, "files")
        taken.mkdir()
        try:
            _unpack(archive, taken)
        except (OSError, tarfile.TarError, KeyError) as error:
            raise WorkError(f"npm brought no {PACKAGE} {VERSION}: {error}.") from error
        if not _is_complete(taken):
            raise WorkError(
                f"npm brought another {PACKAGE} {VERSION} than the published one: wrong checksum. "
                f"Otherwise {_BY_HAND}."
            )
        shutil.rmtree(folder, ignore_errors=True)
        taken.rename(folder)


def _packed(npm: str, folder: Path) -> Path:
    """The archive of the package. Raises WorkError."""
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--ignore-scripts"]
    try:
        done = subprocess.run(  # noqa: S603 -- no shell, and nothing of the user's
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WorkError(f"npm failed: {error}. Otherwise {_BY_HAND}.") from error
    archives = [*folder.glob("*.tgz")]
    if done.returncode or len(archives) != 1:
        reason = next(iter(done.stderr.strip().splitlines()), f"status {done.returncode}")
        raise WorkError(
            f"npm could not bring {PACKAGE} {VERSION} ({reason}). Otherwise {_BY_HAND}."
        )
    return archives[0]


def _unpack(archive: Path, folder: Path) -> None:
    """Only the two files, whatever else is in the archive."""
    with tarfile.open(archive) as package:
        for name in DIGESTS:
            content = package.extractfile(f"package/dist/{name}")
            if content is None:
                raise KeyError(name)
            with content, (folder / name).open("wb") as file:
                shutil.copyfileobj(content, file)
