"""The source files of a user's own network: their digests, and an import of exactly these."""

import hashlib
import os
import site
import sys
import sysconfig
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    ExtensionFileLoader,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import spec_from_file_location
from pathlib import Path, PurePosixPath
from threading import get_ident
from types import CodeType, ModuleType

from convscope.errors import ConsentError

_SCRIPT = frozenset({"__main__", "__mp_main__"})
"""The names of the script of a process; `multiprocessing` adds the second."""


@dataclass(frozen=True)
class SourceFile:
    """A module's file: its name, its path below the folder of its `Sources`, and its SHA-256."""

    module: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Sources:
    """What a network's code is made of.

    Attributes:
        module: the module that was named.
        folder: where it was imported from, the folder of the top-level package.
        files: of that module, and of all others from this folder that were loaded with it, unless
            they are installed packages.
    """

    module: str
    folder: str
    files: tuple[SourceFile, ...]

    @property
    def main(self) -> SourceFile:
        """The file of the module that was named."""
        return next(each for each in self.files if each.module == self.module)


def sources_of(module: str) -> Sources | None:
    """The sources of an imported module; None of one that was not read from a file."""
    path = _path_of(sys.modules.get(module))
    if path is None:
        return None
    folder = path.parent
    for _ in range(module.count(".") + (path.stem == "__init__")):
        folder = folder.parent
    files = [
        SourceFile(name, path.relative_to(folder).as_posix(), digest)
        for name, path in sorted(_loaded_from(folder, module))
        if (digest := sha256_of(path)) is not None
    ]
    is_complete = any(each.module == module for each in files)
    return Sources(module, str(folder), tuple(files)) if is_complete else None


def _loaded_from(folder: Path, module: str) -> Iterator[tuple[str, Path]]:
    inside = os.path.normcase(os.path.join(folder, ""))  # noqa: PTH118 -- ends with a separator
    for name, loaded in [*sys.modules.items()]:
        file = _file_of(loaded)
        if file is None or not os.path.normcase(file).startswith(inside):
            continue  # of thousands: a `Path` of each would take longer than all else here
        path = Path(file)
        is_ours = name.partition(".")[0] == "convscope"
        is_script = name in _SCRIPT or module in _SCRIPT  # it may import other modules later
        if name == module or not (is_ours or is_script or is_installed(path)):
            yield name, path


def _path_of(module: ModuleType | None) -> Path | None:
    """The absolute path of a module's file."""
    file = _file_of(module)
    return None if file is None else Path(file)


def _file_of(module: ModuleType | None) -> str | None:
    spec = getattr(module, "__spec__", None)
    origin = spec.origin if spec is not None and spec.has_location else None
    if spec is None:  # of a script
        origin = getattr(module, "__file__", None)
    return os.path.abspath(origin) if isinstance(origin, str) else None  # noqa: PTH100 -- `resolve` would follow links


def loaded_path(module: str) -> Path | None:
    """The file that a module was read from; None if it is not imported, or is of no file."""
    return _path_of(sys.modules.get(module))


@cache
def _installed() -> tuple[Path, ...]:
    folders = [*site.getsitepackages(), site.getusersitepackages()]
    folders += [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return tuple(Path(folder) for folder in dict.fromkeys(folders))


def is_installed(path: Path) -> bool:
    """Whether a file belongs to Python or to an installed package."""
    if {"site-packages", "dist-packages"} & {*path.parts}:
        return True
    return any(path.is_relative_to(folder) for folder in _installed())


def sha256_of(path: Path) -> str | None:
    """The digest of a regular file; None where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    except (OSError, ValueError):
        return None


def lies_in(path: Path, folder: Path) -> bool:
    """Whether a path lies in a folder, as it is written or after all links are followed."""
    written = Path(os.path.abspath(path))  # noqa: PTH100 -- `resolve` would follow links
    try:
        inside = folder.stat()
        parents = {place for each in (written, path.resolve()) for place in (each, *each.parents)}
    except (OSError, ValueError, RuntimeError):  # links in a circle
        return True
    for place in parents:
        with suppress(OSError, ValueError):
            if os.path.samestat(place.stat(), inside):
                return True
    return False


def is_below(file: str) -> bool:
    """Whether a recorded path stays below its folder."""
    path = PurePosixPath(file)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


@contextmanager
def importing(
    *, outside: Path, sources: Sources | None = None, folder: Path | None = None
) -> Generator[None]:
    """Import nothing from a run folder, and the modules of `sources` from `folder` alone.

    Each of these is compiled from the very bytes whose digest was compared, never from a cache of
    bytecode. Neither folder gets on `sys.path`. Other threads import as before.

    Raises ConsentError where a module lies in the run, or is not as `sources` say.
    """
    finder = _Finder(outside, sources, folder)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def imports_recorded() -> bool:
    """Whether `importing` has this thread import recorded sources."""
    return any(isinstance(each, _Finder) and each.is_for_sources for each in sys.meta_path)


class _Finder(MetaPathFinder):
    def __init__(self, run: Path, sources: Sources | None, folder: Path | None) -> None:
        self._run, self._folder, self._thread = run, folder, get_ident()
        self._files = {each.module: each for each in (sources.files if sources else ())}

    @property
    def is_for_sources(self) -> bool:
        return self._folder is not None and get_ident() == self._thread

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if get_ident() != self._thread:
            return None
        spec = self._recorded(name) or self._namespace(name)
        if spec is None:
            finders = [each for each in sys.meta_path if not isinstance(each, _Finder)]
            found = (each.find_spec(name, path, target) for each in finders)
            spec = next((each for each in found if each is not None), None)
        for place in _places(spec):
            if lies_in(Path(place), self._run):
                raise ConsentError(
                    f"Importing {name} would run {place}, which lies inside the run {self._run}: "
                    "nothing is imported from there. Move it out of the run, once you have read it."
                )
            if self._is_unrecorded(name, Path(place)):
                raise ConsentError(
                    f"Importing {name} would run {place}, which {self._run} did not record: "
                    "`trust` does not cover it. If this is your own code, name it with `model`."
                )
        return spec

    def _is_unrecorded(self, name: str, place: Path) -> bool:
        """Whether a module lies beside the recorded ones, and is none of them."""
        top = name.partition(".")[0]
        if self._folder is None or top == "convscope" or name in self._files:
            return False
        is_namespace = any(each.startswith(f"{name}.") for each in self._files)
        return not is_namespace and place.is_relative_to(self._folder) and not is_installed(place)

    def _recorded(self, name: str) -> ModuleSpec | None:
        if self._folder is None or name not in self._files:
            return None
        recorded = self._files[name]
        path = self._folder / recorded.file
        loader: SourceFileLoader | ExtensionFileLoader
        if path.name.endswith(tuple(EXTENSION_SUFFIXES)):
            if sha256_of(path) != recorded.sha256:
                raise changed(path, self._run, name)
            loader = ExtensionFileLoader(name, str(path))
        else:
            loader = _Verified(name, str(path), recorded.sha256, self._run)
        inside = [str(path.parent)] if path.stem == "__init__" else None
        return spec_from_file_location(name, path, loader=loader, submodule_search_locations=inside)

    def _namespace(self, name: str) -> ModuleSpec | None:
        """A package without a file, in which a recorded module lies."""
        if self._folder is None or not any(each.startswith(f"{name}.") for each in self._files):
            return None
        path = self._folder.joinpath(*name.split("."))
        if not path.is_dir() or (path / "__init__.py").exists():
            return None
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(path)]
        return spec


def _places(spec: ModuleSpec | None) -> Iterator[str]:
    if spec is not None:
        if spec.has_location and spec.origin:
            yield spec.origin
        yield from spec.submodule_search_locations or ()


class _Verified(SourceFileLoader):
    """Compiles the bytes whose digest it has compared."""

    def __init__(self, name: str, path: str, sha256: str, run: Path) -> None:
        super().__init__(name, path)
        self._sha256, self._run = sha256, run

    def get_code(self, fullname: str) -> CodeType:
        path = Path(self.path)
        source = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(source).hexdigest() != self._sha256:
            raise changed(path, self._run, fullname)
        return self.source_to_code(source, self.path)


def changed(path: Path, run: Path, module: str) -> ConsentError:
    """What to say of a source that is not the one that a run recorded."""
    return ConsentError(
        f"{path}, the module {module}, is not the source that {run} was trained with: its digest "
        "is another, so `trust` does not cover it. Restore it; or, if this is your own code, "
        "name it with `model`."
    )
