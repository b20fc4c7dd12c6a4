"""What is known of one operation of a forward pass."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, cast

from torch import Tensor, nn

from convscope.recording.signatures import name_arguments

IMAGE = "image"
"""The name of what the network was given, where an operation's operands are named."""


class Shape(tuple[int, ...]):
    """The shape of a tensor, where it stands for the tensor."""

    __slots__ = ()


class Source(NamedTuple):
    """Where a tensor came from, where it stands for the tensor.

    Attributes:
        role: a result (the image among them), a parameter or buffer, or a tensor of which nothing
            is known but its numbers.
        name: of the operation; IMAGE; of the parameter or buffer; of a constant, its number.
        shape: of the tensor.
    """

    role: Literal["result", "state", "constant"]
    name: str
    shape: Shape


@dataclass(frozen=True)
class Call:
    """A function of torch and what it was called with; a Source stands for each tensor."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation of one forward pass, and one tensor that it gave.

    Attributes:
        name: the path of the module that it is the answer of (`layer1.0.conv1`), or the path of the
            module that called it and its kind (`layer1.0.add`); a second one is `..._2`.
        kind: the function (`conv2d`, `add`, `relu`), or a layer of convscope's (`MinPool2d`).
        module: the path of the module that called it; empty for the network itself.
        layer: that module, where the operation is the whole of what a layer of convscope's does.
        operands: names of the operations whose results it took and that the image has a part in, in
            order, or IMAGE.
        parameters: names of the parameters and buffers that it took, by argument.
        call: the function; of a layer of convscope's, the layer.
        shape: of the tensor that it gave, with the batch axis.
        piece: which of several tensors that the function gave, in order: of `chunk`, `split`.
    """

    name: str
    kind: str
    module: str
    layer: nn.Module | None
    operands: tuple[str, ...]
    parameters: tuple[str, ...]
    call: Call
    shape: tuple[int, ...]
    piece: int

    @cached_property
    def given(self) -> Mapping[str, Any]:
        """What it was called with, by the name that torch has for it, or its position (`1`) where
        convscope knows none, with a Source in the place of each tensor; of a layer, its inputs."""
        if self.layer is not None:
            return {str(place): value for place, value in enumerate(self.call.args)}
        names = name_arguments(self.kind, self.call.function, self.call.args)
        return {**names, **self.call.kwargs}

    @cached_property
    def arguments(self) -> Mapping[str, Any]:
        """The same with a Shape in the place of each tensor."""
        return replaced(dict(self.given), lambda source: source.shape, of=Source)


def tensors_in(values: object) -> Iterator[Tensor]:
    """Every tensor in values, however deep in lists, tuples and dicts."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, Mapping):
        yield from tensors_in(list(cast("Mapping[str, object]", values).values()))
    elif isinstance(values, list | tuple):
        for value in cast("Sequence[object]", values):
            yield from tensors_in(value)


def replaced(value: Any, one: Callable[[Any], Any], *, of: type = Tensor) -> Any:
    """`value` with everything of a type in it, however deep, replaced by `one` of it."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, of):
        return one(value)
    rebuild = _REBUILDING.get(type(value))
    return value if rebuild is None else rebuild(value, lambda item: replaced(item, one, of=of))


_REBUILDING: dict[type, Callable[[Any, Callable[[Any], Any]], Any]] = {
    tuple: lambda value, one: tuple([one(item) for item in value]),
    list: lambda value, one: [one(item) for item in value],
    dict: lambda value, one: {key: one(item) for key, item in value.items()},
}
_PLAIN = frozenset({int, float, bool, str, type(None)})


def sources_in(values: object) -> list[Source]:
    """Every Source in values, in order."""
    found: list[Source] = []
    replaced(values, found.append, of=Source)
    return found
