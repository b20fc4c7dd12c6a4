"""What is noted of operations while a network runs, and the names that they get in the end."""

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from convscope.recording.operation import IMAGE, Call, Operation, Shape, Source, replaced

FIRST = -1
"""The number of the image, among those of the operations, which begin at 0; constants lie below."""


@dataclass(slots=True)
class Noted:
    """An operation before operations have names.

    In the arguments stands a Taken for each tensor, and all of them in `tensors`.
    """

    kind: str
    module: str
    call: int
    layer: nn.Module | None
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    tensors: list["Taken"]
    shape: tuple[int, ...]
    piece: int


@dataclass(frozen=True, slots=True)
class Taken:
    """Where a tensor comes from: the number of what gave it, or its name in the network's state."""

    source: int | str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """An operation that wrote to memory: its number, and where in it its result lies, if there."""

    number: int
    shape: tuple[int, ...]
    offset: int | None
    stride: tuple[int, ...]

    @property
    def tensor(self) -> Taken:
        return Taken(self.number, self.shape)


@dataclass(frozen=True)
class Pass:
    """One forward pass: its operations in order, and the tensors that were kept of it.

    Attributes:
        operations: all, also those that the image has no part in.
        results: what operations gave, by name; the image by IMAGE.
            Also constants: tensors of which nothing is known but their numbers.
        state: the network's parameters and buffers, by name.
        output: the name of what the network answered.
    """

    operations: tuple[Operation, ...]
    results: Mapping[str, Tensor]
    state: Mapping[str, Tensor]
    output: str


Names = tuple[list[Operation], Mapping[int | str, str]]


def named(noted: Sequence[Noted], parents: Container[str], *, constants: int) -> Names:
    """Operations with names, and the names by number, those of the constants too.

    `parents` are the paths of the modules that are made of others.
    """
    names: dict[int | str, str] = {FIRST: IMAGE, **dict(enumerate(_names(noted, parents)))}
    for constant in range(1, constants + 1):
        names[FIRST - constant] = f"constant_{constant}"
    depend = {FIRST}
    operations: list[Operation] = []
    for place, one in enumerate(noted):
        operands = [taken.source for taken in one.tensors if taken.source in depend]
        if operands:
            depend.add(place)
        operations.append(_operation(one, place, operands, names))
    return operations, names


def _names(noted: Sequence[Noted], parents: Container[str]) -> Iterator[str]:
    """A name for every operation. The last one inside a leaf module has the module's own."""
    last = {one.call: place for place, one in enumerate(noted) if not one.piece}
    seen: dict[str, int] = {}
    used = set[str]()
    for place, one in enumerate(noted):
        own = one.module and one.module not in parents and last[one.call] == place
        wish = one.module if own else f"{one.module}.{one.kind}".lstrip(".")
        seen[wish] = seen.get(wish, 0) + 1
        name = wish if seen[wish] == 1 else f"{wish}_{seen[wish]}"
        while name in used:  # as where a module is called `relu_2`
            seen[wish] += 1
            name = f"{wish}_{seen[wish]}"
        used.add(name)
        yield name


def _operation(
    noted: Noted, place: int, operands: Sequence[int | str], names: Mapping[int | str, str]
) -> Operation:
    def source(tensor: Taken) -> Source:
        shape = Shape(tensor.shape)
        if isinstance(tensor.source, str):
            return Source("state", tensor.source, shape)
        role = "constant" if tensor.source < FIRST else "result"
        return Source(role, names[tensor.source], shape)

    parameters = [t.source for t in noted.tensors if isinstance(t.source, str)]
    if noted.layer is not None:
        path = f"{noted.module}." if noted.module else ""
        parameters = [f"{path}{own}" for own, _ in noted.layer.named_parameters(recurse=False)]
    args, kwargs = replaced((noted.args, noted.kwargs), source, of=Taken)
    return Operation(
        name=names[place],
        kind=noted.kind,
        module=noted.module,
        layer=noted.layer,
        operands=tuple(names[number] for number in operands),
        parameters=tuple(parameters),
        call=Call(noted.function, args, kwargs),
        shape=noted.shape,
        piece=noted.piece,
    )
