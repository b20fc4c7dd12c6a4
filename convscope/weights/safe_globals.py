"""The globals that a file of weights may name: an explicit list, none of which runs code.

Training scripts put their arguments, paths, dates and numpy numbers beside the weights. Nothing of
these is needed, so the classes are replaced by stand-ins that only keep what is handed to them;
numpy's arrays and numbers are decoded here from their bytes, not by numpy's own unpickling.
"""

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray


class Inert:
    """Stands for an object of which nothing is needed; its state is kept in `__dict__`."""

    def __new__(cls, *_: object, **__: object) -> Self:
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)  # pyright: ignore[reportUnknownArgumentType]


class InertDict:
    """Stands for a subclass of dict; what is created is an OrderedDict."""

    def __new__(cls, *args: object) -> OrderedDict[Any, Any]:  # type: ignore[misc]
        items = args[-1] if args else None
        return OrderedDict(items if isinstance(items, dict) else {})


class NumpyDtype:
    """Stands for `numpy.dtype`."""

    def __init__(self, code: object = "", *_: object) -> None:
        self.code = str(code)
        self.order = "<"

    def __setstate__(self, state: object) -> None:
        if isinstance(state, tuple) and ">" in cast("tuple[object, ...]", state)[1:2]:
            self.order = ">"

    def decode(self, content: bytes) -> NDArray[Any] | None:
        """The numbers, truth values or texts in these bytes; None for any other kind."""
        if not re.fullmatch(r"b1|[iu][1248]|f[248]|c8|c16|U[1-9]\d{0,4}", self.code):
            return None
        dtype = np.dtype(f"{self.order}{self.code}")
        return np.frombuffer(content, dtype).astype(dtype.newbyteorder("="))


class NumpyArray:
    """Stands for `numpy.ndarray`; `values` stays None for an array of objects."""

    values: NDArray[Any] | None = None

    def __new__(cls, *_: object) -> Self:
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        parts = cast("tuple[Any, ...]", state) if isinstance(state, tuple) else ()
        if len(parts) != 5 or not isinstance(parts[2], NumpyDtype):
            return
        _, shape, dtype, is_fortran, content = parts
        flat = dtype.decode(content) if isinstance(content, bytes) else None
        if flat is not None:
            self.values = flat.reshape(shape, order="F" if is_fortran else "C")


def _reconstruct(*_: object) -> NumpyArray:
    return NumpyArray()


def _scalar(dtype: object, content: object = b"") -> object:
    if not (isinstance(dtype, NumpyDtype) and isinstance(content, bytes)):
        return None
    values = dtype.decode(content)
    return None if values is None else values[0].item()


_NUMPY: dict[str, Callable[..., object]] = {
    "ndarray": NumpyArray,
    "dtype": NumpyDtype,
    **{f"{core}.multiarray._reconstruct": _reconstruct for core in ("core", "_core")},
    **{f"{core}.multiarray.scalar": _scalar for core in ("core", "_core")},
}

_DICTS = (
    "collections.defaultdict",
    "addict.addict.Dict",
    "easydict.EasyDict",
    "fvcore.common.config.CfgNode",
    "lightning.fabric.utilities.data.AttributeDict",
    "lightning_fabric.utilities.data.AttributeDict",
    "lightning_utilities.core.apply_func.AttributeDict",
    "mmcv.utils.config.ConfigDict",
    "mmengine.config.config.ConfigDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "yacs.config.CfgNode",
)

_OBJECTS = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "datetime.timezone",
    "decimal.Decimal",
    "fractions.Fraction",
    "uuid.UUID",
    *(
        f"{module}.{path}"
        for module in ("pathlib", "pathlib._local")
        for path in (
            "Path",
            "PosixPath",
            "PurePath",
            "PurePosixPath",
            "PureWindowsPath",
            "WindowsPath",
        )
    ),
    "builtins.frozenset",
    "mmengine.logging.history_buffer.HistoryBuffer",
    "omegaconf.base.ContainerMetadata",
    "omegaconf.base.Metadata",
    "omegaconf.dictconfig.DictConfig",
    "omegaconf.listconfig.ListConfig",
    "omegaconf.nodes.AnyNode",
    "omegaconf.nodes.BooleanNode",
    "omegaconf.nodes.FloatNode",
    "omegaconf.nodes.IntegerNode",
    "omegaconf.nodes.StringNode",
    "typing.Any",
    "builtins.dict",
    "builtins.float",
    "builtins.int",
    "builtins.list",
    "builtins.str",
    "builtins.tuple",
    *(f"numpy.{kind}" for kind in ("bool_", "float32", "float64", "int32", "int64")),
)


def safe_globals() -> list[tuple[Callable[..., object], str]]:
    """The stand-ins with the names that they stand for, for `torch.serialization.safe_globals`."""
    return [
        *((function, f"numpy.{name}") for name, function in _NUMPY.items()),
        *((InertDict, name) for name in _DICTS),
        *((Inert, name) for name in _OBJECTS),
    ]
