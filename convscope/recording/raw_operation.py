"""What is recorded of operations while a network runs, and the names that they get in the end."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from convscope.recording.operation import IMAGE, Call, Operation, Shape, Source, map_nested

IMAGE_NUMBER = -1
"""The number of the image; those of operations begin at 0, those of constants lie below."""


@dataclass(slots=True)
class RawOperation:
    """An operation before operations have names.

    A TensorRef stands in the arguments for each tensor; `tensors` lists all of them.
    """

    kind: str
    module: str
    call: int
    layer: nn.Module | None
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    tensors: list["TensorRef"]
    shape: tuple[int, ...]
    output_index: int


@dataclass(frozen=True, slots=True)
class TensorRef:
    """Where a tensor comes from: the number of an operation, or the name of a parameter."""

    source: int | str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """An operation that wrote to a storage: its number, and where its result lies, if there."""

    number: int
    shape: tuple[int, ...]
    offset: int | None
    stride: tuple[int, ...]

    @property
    def tensor(self) -> TensorRef:
        return TensorRef(self.number, self.shape)


@dataclass(frozen=True)
class ForwardPass:
    """One forward pass: its operations in order, and the tensors that were kept of it.

    Attributes:
        operations: all, also those that do not depend on the image.
        results: results of operations by name; the image as IMAGE. Also constants: tensors of which
            only the values are known.
        unknown: the names of constants whose origin is unknown: what numpy, another thread or an
            extension made of them, they may depend on the image.
        state: the network's parameters and buffers, by name.
        output: the name of the network's output.
        parameters, buffers: which of the names of `state` are what.
        requires_grad: which of them require gradients; torch computes some products in another
            order for these, also where it takes no gradients.
        returned: what the network returned as its output, whatever was kept; None where no
            operation is known to have computed it.
        compute: gives a result that is not among `results`, as it was; None where nothing can.
    """

    operations: tuple[Operation, ...]
    results: Mapping[str, Tensor]
    state: Mapping[str, Tensor]
    output: str
    parameters: frozenset[str] = frozenset()
    buffers: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()
    requires_grad: frozenset[str] = frozenset()
    returned: Tensor | None = None
    compute: Callable[[str], Tensor] | None = None

    def result(self, name: str) -> Tensor:
        """A result. Raises KeyError for one that was not kept and cannot be computed."""
        if name in self.results or self.compute is None:
            return self.results[name]
        return self.compute(name)

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The network's state and the results that are kept or can be computed, by name."""
        return _Tensors(self)


class _Tensors(Mapping[str, Tensor]):
    def __init__(self, done: ForwardPass) -> None:
        self._done = done

    def __getitem__(self, name: str) -> Tensor:
        state = self._done.state
        return state[name] if name in state else self._done.result(name)

    def __iter__(self) -> Iterator[str]:
        computed = (
            () if self._done.compute is None else (each.name for each in self._done.operations)
        )
        return iter(dict.fromkeys((*self._done.state, *self._done.results, *computed)))

    def __len__(self) -> int:
        return len(list(iter(self)))


Names = tuple[list[Operation], Mapping[int | str, str]]


def name_operations(
    raw: Sequence[RawOperation],
    parents: Container[str],
    outputs: Mapping[int, int],
    *,
    constants: int,
    unknown: Container[int | str] = (),
    taken: Iterable[str] = (),
) -> Names:
    """Operations with names, and all names by number, those of constants too.

    `parents` are the paths of modules that consist of others, `outputs` the numbers of what calls
    of modules returned, where they computed it themselves, `unknown` those of constants that may
    depend on the image. No operation has a name that is `taken`.
    """
    named = _names(raw, parents, outputs, {IMAGE, *taken})
    names: dict[int | str, str] = {IMAGE_NUMBER: IMAGE, **dict(enumerate(named))}
    for constant in range(1, constants + 1):
        names[IMAGE_NUMBER - constant] = f"constant_{constant}"
    dependent = {IMAGE_NUMBER, *(number for number in names if number in unknown)}
    operations: list[Operation] = []
    for number, operation in enumerate(raw):
        operands = [ref.source for ref in operation.tensors if ref.source in dependent]
        if operands:
            dependent.add(number)
        operations.append(_operation(operation, number, operands, names, unknown))
    return operations, names


def _names(
    raw: Sequence[RawOperation],
    parents: Container[str],
    outputs: Mapping[int, int],
    used: set[str],
) -> Iterator[str]:
    """A name for every operation. The output of a leaf module has the module's own."""
    last = {op.call: number for number, op in enumerate(raw) if not op.output_index}
    last.update(outputs)
    counts: dict[str, int] = {}
    for number, op in enumerate(raw):
        is_output = op.module and op.module not in parents and last[op.call] == number
        base = op.module if is_output else f"{op.module}.{op.kind}".lstrip(".")
        counts[base] = counts.get(base, 0) + 1
        name = base if counts[base] == 1 else f"{base}_{counts[base]}"
        while name in used:  # as where a module is called `relu_2`, or a buffer `mean`
            counts[base] += 1
            name = f"{base}_{counts[base]}"
        used.add(name)
        yield name


def _operation(
    raw: RawOperation,
    number: int,
    operands: Sequence[int | str],
    names: Mapping[int | str, str],
    unknown: Container[int | str],
) -> Operation:
    def source(tensor: TensorRef) -> Source:
        origin, shape = tensor.source, Shape(tensor.shape)
        if isinstance(origin, str):
            return Source("state", origin, shape)
        if origin >= IMAGE_NUMBER:
            return Source("result", names[origin], shape)
        return Source("unknown" if origin in unknown else "constant", names[origin], shape)

    parameters = [ref.source for ref in raw.tensors if isinstance(ref.source, str)]
    if raw.layer is not None:
        path = f"{raw.module}." if raw.module else ""
        parameters = [f"{path}{name}" for name, _ in raw.layer.named_parameters(recurse=False)]
    args = map_nested(raw.args, source, of=TensorRef)
    kwargs: dict[str, Any] = map_nested(raw.kwargs, source, of=TensorRef)
    return Operation(
        name=names[number],
        kind=raw.kind,
        module=raw.module,
        layer=raw.layer,
        operands=tuple([names[number] for number in operands]),
        parameters=tuple(parameters),
        call=Call(raw.function, args, kwargs),
        shape=raw.shape,
        output_index=raw.output_index,
    )
