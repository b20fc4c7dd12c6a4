"""Operations that mix units: element by element, over whole dimensions, or in unknown ways."""

from collections.abc import Sequence

from convscope.receptive.branches import broadcast, grouped, joined, laid, mixed, nothing, repeated
from convscope.receptive.seen import Seen, Unknown, length, together
from convscope.receptive.windows import per_axis
from convscope.recording import Operation, Source


def everything(operation: Operation, operands: Sequence[Seen]) -> Seen:
    axes = (together(column).all() for column in zip(*(o.axes for o in operands), strict=True))
    return Seen(tuple(axes), tuple(((None, n),) for n in operation.shape), exact=False)


def same(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Element by element: the union of the operands, broadcast."""
    first = operands[0]
    if len(operands) == 1 and tuple(map(length, first.dims)) == operation.shape:
        return first
    return broadcast(operands, operation.shape)


def unseeing(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """New tensors that take no more than the shape of an old one: `zeros_like` and its kin."""
    return nothing(operation.shape, operands[0])


def expanded(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """`expand_as`: of the other tensor no more than the shape is taken."""
    source = next(iter(operation.given.values()))
    if not isinstance(source, Source) or source.name != operation.operands[0]:
        raise Unknown
    return broadcast(operands[:1], operation.shape)


def dense(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Units that each see the whole of the last dimension."""
    seen, last = operands[0], len(operands[0].dims) - 1
    return repeated(mixed(seen, [last], keep=False), last, operation.shape[-1])


def product(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """A product of matrices: rows of the one, columns of the other."""
    left, parts = list(zip(operation.operands, operands, strict=True)), list[Seen]()
    for word, place in (("input", -1), ("other", -2)):
        source = operation.given.get(word)
        if not isinstance(source, Source) or len(source.shape) < 2:
            raise Unknown
        if left and left[0][0] == source.name:
            _, seen = left.pop(0)
            parts.append(mixed(seen, [len(seen.dims) + place], keep=False))
    return broadcast(parts, operation.shape)


def reduced(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """`mean` and its kin over some dimensions, or the largest of two tensors."""
    seen, wanted = operands[0], operation.given.get("dim")
    if isinstance(wanted, Source) or "other" in operation.given:
        return same(operation, operands)
    count = len(seen.dims)
    places = range(count) if wanted is None else [d % count for d in per_axis(wanted, 1)]
    found = mixed(seen, places, keep=False)
    if len(operation.shape) == count:
        return found
    return laid(found, [dim for place, dim in enumerate(found.dims) if place not in places])


def neighboring(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Units that depend on channels around their own; taken together where those differ."""
    del operation
    return operands[0].united()


def normalized(operation: Operation, operands: Sequence[Seen]) -> Seen:
    """Units that each depend on all along some dimensions: softmax, and norms by statistics."""
    seen, given = operands[0], operation.arguments
    count, kind = len(seen.dims), operation.kind
    places: Sequence[int] = ()
    if kind == "group_norm":
        apart = grouped(seen, 1, given["num_groups"])
        return joined(mixed(apart, range(2, count + 1), keep=True), 1)
    if kind == "layer_norm":
        places = range(count - len(given["normalized_shape"]), count)
    elif kind == "instance_norm" and given.get("use_input_stats", True):
        places = range(2, count)
    elif kind == "batch_norm" and given.get("training"):
        places = (0, *range(2, count))
    elif kind.endswith("softmax"):
        places = [given.get("dim", 1) % count]
    return mixed(seen, places, keep=True) if places else seen
