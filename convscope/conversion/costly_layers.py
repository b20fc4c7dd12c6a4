"""Which layers lose most by 8 bits, and whether accuracy stays when they are kept in float32."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from convscope.conversion.accuracy import Cost
from convscope.conversion.quantization import Quantizer
from convscope.engines import Batch, Engine
from convscope.errors import WorkError

if TYPE_CHECKING:
    import onnx

MOST_RANKED = 64
"""How many layers are tried by themselves at most, those whose weights are rounded worst."""

COUNTS = (1, 2, 3, 5, 8, 12)
"""How many layers are kept in float32, in turn, until the drop is small enough."""

Opener = Callable[["onnx.ModelProto"], Engine]


@dataclass(frozen=True)
class Layers:
    """What was found out about a network's layers.

    Attributes:
        kept: those that stay in float32.
        costs: layers with their share of what all cost that were ranked, the largest first; empty
            where accuracy stays with all layers in 8 bits.
        trials: how many networks were quantized and run.
    """

    kept: tuple[str, ...] = ()
    costs: tuple[tuple[str, float], ...] = ()
    trials: int = 1

    def __str__(self) -> str:
        return ", ".join(f"{name} ({share:.0%})" for name, share in self.costs[:5])


def mend(
    quantizer: Quantizer,
    open_model: Opener,
    cost: Callable[[Engine], Cost],
    images: Batch,
    *,
    max_drop: float,
) -> Layers:
    """The fewest layers of COUNTS, those that cost most, without which accuracy stays.

    Args:
        cost: of the network in an engine.
        images: normalized, on which layers are compared.
        max_drop: in points of accuracy, or answers of 100 that may change.

    Raises WorkError where it drops by more all the same, naming the layers that cost most.
    """
    first = cost(open_model(quantizer.quantize()))
    if first.points <= max_drop:
        return Layers()
    costs = _costs(quantizer, open_model, images)
    names = [name for name, _ in costs]
    trials, count, found = 1 + len(costs), 0, first
    for count in (count for count in COUNTS if count <= len(names)):
        trials += 1
        kept = tuple(names[:count])
        found = cost(open_model(quantizer.quantize(float_layers=kept)))
        if found.points <= max_drop:
            return Layers(kept, tuple(costs), trials)
    raise WorkError(
        f"{first.problem(8, max_drop)} Most of it comes from {Layers(costs=tuple(costs))}. With "
        f"the first {count} of them in float32 it is {found}. Nothing was written."
    )


def _costs(quantizer: Quantizer, open_model: Opener, images: Batch) -> list[tuple[str, float]]:
    """What each layer costs by itself, as a share of the sum: the squared difference of the outputs
    with this layer alone in 8 bits.
    """
    errors = {layer: rounding_error(values) for layer, values in quantizer.weights.items()}
    layers = sorted(errors, key=lambda layer: -errors[layer])
    expected = open_model(quantizer.network)(images)

    def cost(layer: str) -> float:
        others = [name for name in layers if name != layer]
        alone = quantizer.quantize(placement="layers", float_layers=others)
        return float(np.square(open_model(alone)(images) - expected).mean())

    costs = [(layer, cost(layer)) for layer in layers[:MOST_RANKED]]
    total = sum(value for _, value in costs) or 1.0
    return sorted(((name, value / total) for name, value in costs), key=lambda one: -one[1])


def rounding_error(weights: NDArray[np.float32]) -> float:
    """Σ(w - rounded w)² / Σw² of weights in 8 bits with a scale per filter, (filters, ...).

    Of a filter with one weight that is much larger than the others, these become 0.

        >>> bool(rounding_error(np.float32([[1, 0.4, 0.3]])) < 1e-5)
        True
    """
    flat = weights.reshape(len(weights), -1).astype(np.float64)
    scales = np.maximum(np.abs(flat).max(1, keepdims=True), 1e-30) / 127
    error = np.square(flat - np.round(flat / scales) * scales)
    share = error.sum(1) / np.maximum(np.square(flat).sum(1), 1e-30)
    return float(share.mean())
