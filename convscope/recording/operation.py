"""One operation of a forward pass: its name, arguments and operands."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, cast

from torch import Tensor, nn

from convscope.recording.signatures import name_arguments

IMAGE = "image"
"""The name of the network's input among the operands of operations."""


class Shape(tuple[int, ...]):
    """The shape of a tensor, in place of the tensor."""

    __slots__ = ()


class Source(NamedTuple):
    """Where a tensor came from, in place of the tensor.

    Attributes:
        role: a result (or the image), a parameter or buffer, or a constant: a tensor of which only
            the values are known. `unknown` is one that appeared during the pass and may depend on
            the image: numpy, another thread or an extension made it.
        name: of the operation, or IMAGE; of the parameter or buffer; `constant_1`.
        shape: of the tensor.
    """

    role: Literal["result", "state", "constant", "unknown"]
    name: str
    shape: Shape


@dataclass(frozen=True)
class Call:
    """A function of torch and its arguments, with a Source in place of each tensor."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation of one forward pass, and one tensor that it returned.

    Attributes:
        name: the path of the module whose output it is (`layer1.0.conv1`), or else the path of the
            module that called it and its kind (`layer1.0.add`); a second one is `..._2`.
        kind: the function (`conv2d`, `add`, `relu`), or a layer of convscope's (`MinPool2d`).
        module: the path of the module that called it; empty for the network itself.
        layer: that module, where the operation is a whole layer of convscope's.
        operands: names of the operations whose results it read and that depend on the image, in
            order, or IMAGE; also of constants whose origin is unknown.
        parameters: names of the parameters and buffers that it read, by argument.
        call: the function; for a layer of convscope's, the layer.
        shape: of the tensor that it returned, with the batch axis.
        output_index: of the tensor, where the function returned several, as `chunk` and `split` do.
    """

    name: str
    kind: str
    module: str
    layer: nn.Module | None
    operands: tuple[str, ...]
    parameters: tuple[str, ...]
    call: Call
    shape: tuple[int, ...]
    output_index: int

    @cached_property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments by torch's names, with a Source in place of each tensor.

        Where a name is unknown, and for the inputs of a layer, the position stands for it (`1`).
        """
        if self.layer is not None:
            return {str(position): value for position, value in enumerate(self.call.args)}
        return name_arguments(self.kind, self.call.function, self.call.args, self.call.kwargs)

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """The operands that stand for numbers of unknown origin among the arguments."""
        named = {source.name for source in sources_in(dict(self.arguments))}
        return tuple(name for name in self.operands if name not in named)

    @cached_property
    def argument_shapes(self) -> Mapping[str, Any]:
        """The same with a Shape in place of each tensor."""
        return map_nested(dict(self.arguments), lambda source: source.shape, of=Source)


def tensors_in(values: object) -> Iterator[Tensor]:
    """Every tensor in nested lists, tuples and dicts."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, Mapping):
        yield from tensors_in(list(cast("Mapping[str, object]", values).values()))
    elif isinstance(values, list | tuple):
        for value in cast("Sequence[object]", values):
            yield from tensors_in(value)


def map_nested(value: Any, function: Callable[[Any], Any], *, of: type = Tensor) -> Any:
    """`value` with every item of a type in nested lists, tuples and dicts replaced."""
    if isinstance(value, of):
        return function(value)
    kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is dict:
        return {key: map_nested(item, function, of=of) for key, item in value.items()}
    if (kind is not tuple and kind is not list) or (kind is tuple and _are_plain(value)):
        return value
    items = [  # without a call for what is most frequent
        v if type(v) in _PLAIN else function(v) if type(v) is of else map_nested(v, function, of=of)
        for v in value
    ]
    return items if kind is list else tuple(items)


def _are_plain(values: Sequence[object]) -> bool:
    return _PLAIN.issuperset(map(type, values))


_PLAIN = frozenset({int, float, bool, str, type(None)})


def sources_in(values: object) -> list[Source]:
    """Every Source in nested lists, tuples and dicts, in order."""
    sources: list[Source] = []
    map_nested(values, sources.append, of=Source)
    return sources
