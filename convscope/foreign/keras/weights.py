"""The weights of a Keras file: of Keras 3 by class and number, of the older form by name."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from convscope.errors import RequestError
from convscope.foreign.layer import Reader

_MOST_PER_STORED = 1000  # bytes that one stored byte may stand for
_SPARE = 1_000_000

READ_ERRORS = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError)
"""What h5py raises for damaged files."""


class Store(Protocol):
    """Where the layers of a file find their weights."""

    def reader(self, path: Sequence[str], names: Sequence[str]) -> Mapping[str, Reader] | Reader:
        """What reads the weights of a layer: `path` is by class and number, `names` by name, each
        from the outermost network.
        """
        ...


class NumberedStore:
    """Keras 3: layers/CLASS_NUMBER/vars/0, a network in the network with layers of its own."""

    def __init__(self, file: Any, where: str) -> None:
        self._file, self._where = file, where
        old = "_layer_checkpoint_dependencies"  # of Keras 2.12 to 2.15
        self._folder = old if old in file and "layers" not in file else "layers"

    def reader(self, path: Sequence[str], names: Sequence[str]) -> Reader:
        folder = f"/{self._folder}/".join(["", *path])
        where = f"{self._where}: the layer {names[-1]}"

        def read(number: int, shape: tuple[int, ...]) -> Tensor:
            return _read(self._file, f"{folder}/vars/{number}", shape, where)

        return read


class NamedStore:
    """The older form: model_weights/LAYER, with a list of the names of its weights."""

    def __init__(self, group: Any, where: str) -> None:
        self._group, self._where = group, where

    def reader(self, path: Sequence[str], names: Sequence[str]) -> Mapping[str, Reader]:
        del path
        where = f"{self._where}: the layer {names[-1]}"
        outer = names[0]
        if outer not in self._group:
            return {}
        listed = [*_listed(self._group[outer], "weight_names")]
        own = [name for name in listed if _is_of(name, names)]
        readers: dict[str, Reader] = {}
        for name in own if len(names) > 1 else listed:
            short = name.rpartition("/")[2].partition(":")[0]
            if short in readers:
                raise RequestError(f"{where} has two weights named {short!r} in the file.")
            readers[short] = self._one(f"{outer}/{name}", where)
        return readers

    def _one(self, place: str, where: str) -> Reader:
        return lambda _, shape: _read(self._group, place, shape, where)


def _is_of(weight: str, names: Sequence[str]) -> bool:
    """Whether a weight's name is that of a layer in a network: with its path, or alone."""
    folder = weight.rpartition("/")[0]
    return folder == names[-1] or folder.endswith(f"/{names[-1]}")


def _listed(group: Any, key: str) -> list[str]:
    """A list of names, which may be spread over several attributes."""
    values: list[Any] = []
    if key in group.attrs:
        values = [*group.attrs[key]]
    else:
        while f"{key}{len(values)}" in group.attrs:  # parts, each a list
            values.append(group.attrs[f"{key}{len(values)}"])
        values = [name for part in values for name in part]
    return [
        name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in values
    ]


def _read(root: Any, place: str, shape: tuple[int, ...], where: str) -> Tensor:
    """A data set as float32, after its type, size and place in the file are checked."""
    h5py = library()
    place = place.strip("/")
    try:
        parts, group = place.split("/"), root
        for part in parts:
            link = group.get(part, getlink=True)
            if link is None:
                raise RequestError(f"{where} has no weights in the file ({place}).")
            if not isinstance(link, h5py.HardLink):
                raise RequestError(
                    f"{where} has weights that lie in another file, which is not read."
                )
            group = group[part]
        data: Any = group
        if not isinstance(data, h5py.Dataset) or data.is_virtual or data.external:
            raise RequestError(f"{where} has weights that are no array of their own ({place}).")
        found = tuple(data.shape or ())
        if found != shape:
            raise RequestError(
                f"{where} has weights of {_sizes(found)}, and needs {_sizes(shape)}."
            )
        if data.dtype.kind != "f":
            raise RequestError(
                f"{where} has weights of type {data.dtype}, not floats: a quantized network is not "
                "read. Save it in float32."
            )
        if data.nbytes > data.id.get_storage_size() * _MOST_PER_STORED + _SPARE:
            raise RequestError(f"{where} states {data.nbytes:,} bytes that are not in the file.")
        values = np.asarray(data[()], dtype=np.float32)
    except READ_ERRORS as error:
        raise RequestError(
            f"{where} has weights that cannot be read ({str(error).splitlines()[0][:150]}). The "
            "file is damaged; save or download it again."
        ) from error
    tensor = torch.from_numpy(np.ascontiguousarray(values))
    if not bool(tensor.isfinite().all()):
        raise RequestError(f"{where} has weights that are infinite or NaN.")
    return tensor


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"


def library() -> Any:
    """h5py. Raises RequestError, naming the extra, where it is not installed."""
    try:
        return import_module("h5py")
    except ImportError as error:
        raise RequestError(
            "Networks of Keras need h5py: `pip install 'convscope[keras]'`."
        ) from error
