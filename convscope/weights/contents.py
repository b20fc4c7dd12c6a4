"""What lies in a checkpoint: every tensor by its path, and lists of class names beside them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.errors import RequestError
from convscope.weights.safe_globals import Inert, NumpyArray

_MOST_DEEP = 32
_CLASS_KEYS = re.compile(
    r"(names|(class|label|category)(names?|list)|class(es)?|labels?|categories|vocab"
    r"|(id|idx|index)(to|2)(class(es)?|label|name)s?|(class(es)?|label|name)(to|2)(id|idx|index))"
)  # under which training scripts keep them, without case and underscores; CLASSES of mmpretrain too

ClassNames = tuple[str, ...]


@dataclass(frozen=True)
class Contents:
    """The tensors of a checkpoint, and lists of class names.

    Attributes:
        tensors: by path, joined with dots: {"model": {"conv.weight": t}} has "model.conv.weight".
        containers: the path of the dict that each tensor lies in, by the tensor's path.
        class_names: every list of class names that lies beside the tensors, without repetition.
        description: what there is otherwise, for an error.
    """

    tensors: Mapping[str, Tensor]
    containers: Mapping[str, str]
    class_names: tuple[ClassNames, ...]
    description: str


def contents_of(content: object) -> Contents:
    """Collect the tensors of nested dicts and lists.

    Numpy arrays of numbers count as tensors.

    Raises RequestError for a path that occurs twice.
    """
    tensors: dict[str, Tensor] = {}
    containers: dict[str, str] = {}
    names: dict[ClassNames, None] = {}
    for path, value in _walk(content, (), set()):
        if path and _CLASS_KEYS.fullmatch(path[-1].lower().replace("_", "")):
            names |= dict.fromkeys(filter(None, [class_names_in(value)]))
        tensor = _as_tensor(value)
        if tensor is None or not path:
            continue
        name = ".".join(path)
        if name in tensors:
            raise RequestError(f"The weights have {name} twice.")
        tensors[name], containers[name] = tensor, ".".join(path[:-1])
    return Contents(tensors, containers, tuple(names), _description(content))


def _walk(
    content: object, path: tuple[str, ...], known: set[int]
) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield every value of a tree with its path, each container once, before what is in it."""
    if isinstance(content, Inert):
        content = vars(content)
    yield path, content
    if not isinstance(content, Mapping | list | tuple) or id(content) in known:
        return
    known.add(id(content))
    if len(path) >= _MOST_DEEP:
        return
    if isinstance(content, Mapping):
        for key, value in cast("Mapping[Any, Any]", content).items():
            if isinstance(key, str | int):
                yield from _walk(value, (*path, str(key)), known)
    else:
        for index, value in enumerate(cast("list[Any] | tuple[Any, ...]", content)):
            if not isinstance(value, str | int | float):
                yield from _walk(value, (*path, str(index)), known)


def _as_tensor(value: object) -> Tensor | None:
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, NumpyArray):
        value = value.values
    if isinstance(value, np.ndarray):
        array = cast("NDArray[Any]", value)
        return torch.tensor(array) if array.dtype.kind in "biufc" else None
    return None


def class_names_in(value: object) -> ClassNames | None:
    """The class names that a value lists, in the order of the outputs; None if it is no such list.

    Understood are lists of names, {name: index} and {index: name}.

    >>> class_names_in({"dog": 1, "cat": 0}), class_names_in({"0": "cat", "1": "dog"})
    (('cat', 'dog'), ('cat', 'dog'))
    >>> class_names_in([3, 4])
    """
    if isinstance(value, NumpyArray):
        value = value.values
    if isinstance(value, np.ndarray):
        value = cast("NDArray[Any]", value).tolist()
    match value:
        case dict():
            by_index = _by_index(cast("dict[Any, Any]", value))
            names = [by_index.get(index) for index in range(len(by_index))]
        case list() | tuple():
            names = [*cast("list[Any] | tuple[Any, ...]", value)]
        case _:
            return None
    texts = tuple(name for name in names if isinstance(name, str))
    is_complete = len(texts) == len(names) >= 2 and len(set(texts)) == len(texts)
    return texts if is_complete else None


def _by_index(names: dict[Any, Any]) -> dict[int, Any]:
    """{index: name}, from this or from {name: index}."""
    if all(isinstance(index, int) for index in names.values()):
        return {index: name for name, index in names.items()}
    if all(isinstance(k, int) or (isinstance(k, str) and k.isdecimal()) for k in names):
        return {int(index): name for index, name in names.items()}
    return {}


def _description(content: object) -> str:
    if isinstance(content, Mapping):
        keys = [str(key) for key in cast("Mapping[Any, Any]", content)]
        shown = ", ".join(keys[:6]) + (", ..." if len(keys) > 6 else "")
        return f"it has {shown}" if keys else "it is an empty dict"
    return f"it is of type {type(content).__name__}"
