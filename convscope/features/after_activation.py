"""Where the units of a layer are read: behind its normalization and activation function."""

from collections.abc import Mapping, Sequence

from convscope.recording import Operation, get_kind

_NORMS = frozenset(
    {
        "batch_norm",
        "group_norm",
        "instance_norm",
        "layer_norm",
        "rms_norm",
        "quantized_norm",
        "local_response_norm",
        "paper_response_norm",
    }
)
_UNCHANGING = frozenset({"dropout", "alpha_dropout", "drop_path", "cast"})
_POOLS = frozenset({"max_pool", "avg_pool", "min_pool"})
_SUMS = frozenset({"add", "fractal_join"})


def after_activation(name: str, operations: Sequence[Operation]) -> str:
    """The operation whose result holds the units of the layer `name` after the activation.

    From the layer on, the result is followed through normalization, dropout, pooling, a gate as of
    squeeze-and-excitation, and the addition of a residual connection, as long as nothing else reads
    it, up to the first activation function. That may be written out: `x * x.sigmoid()`. Where none
    follows, as behind logits or before the addition of a pre-activation block, it is the layer's
    normalization, else the layer itself. A softmax is no activation function of units.
    """
    readers = _readers(operations)
    current, normalized = name, name
    while (step := _next(current, readers)) is not None:
        rule, is_activation = get_kind(step.kind).rule, _is_activation(step)
        if is_activation or _is_written_out(current, step, readers):
            return step.name
        if rule in _NORMS and normalized == current:
            normalized = step.name
        elif rule not in _NORMS | _UNCHANGING | _POOLS | _SUMS and not _is_product(step):
            break
        current = step.name
    return normalized


def _readers(operations: Sequence[Operation]) -> Mapping[str, list[Operation]]:
    readers: dict[str, list[Operation]] = {}
    for operation in operations:
        for operand in dict.fromkeys(operation.operands):
            readers.setdefault(operand, []).append(operation)
    return readers


def _next(name: str, readers: Mapping[str, list[Operation]]) -> Operation | None:
    """What alone reads a result, or multiplies it by something that is computed from it."""
    own = readers.get(name, [])
    if len(own) == 1:
        return own[0]
    products = [operation for operation in own if _is_product(operation)]
    return products[0] if len(own) == 2 and len(products) == 1 else None


def _is_product(operation: Operation) -> bool:
    return get_kind(operation.kind).rule == "multiply"


def _is_activation(operation: Operation) -> bool:
    kind = get_kind(operation.kind)
    return kind.drawing == "activation" and kind.rule != "softmax"


def _is_written_out(name: str, product: Operation, readers: Mapping[str, list[Operation]]) -> bool:
    """Whether a product is that of a result and an activation function of the same units."""
    if not _is_product(product):
        return False
    other = next((step for step in readers[name] if step is not product), None)
    has_activation = False
    while other is not None and other is not product:
        if get_kind(other.kind).field != "elementwise" or len(other.operands) > 1:
            return False
        has_activation = has_activation or _is_activation(other)
        following = readers.get(other.name, [])
        other = following[0] if len(following) == 1 else None
    return other is product and has_activation
