"""From what a network returned to probabilities, without PyTorch."""

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.arrays import decode_arrays
from convscope.card import Card


def probabilities(output: NDArray[np.float32], card: Card) -> NDArray[np.float64]:
    """Probabilities of the classes, float64 (n, classes); as `convscope.inference` has them."""
    values = output.astype(np.float64)
    if card.output == "probabilities":
        return values
    values /= card.temperature
    if card.task == "multi-label":
        return np.exp(-np.logaddexp(0, -values))
    exponents = np.exp(values - values.max(1, keepdims=True))
    return exponents / exponents.sum(1, keepdims=True)


def answers_of(output: NDArray[np.float32], card: Card) -> NDArray[np.float64]:
    """By what two engines are compared: probabilities; of boxes, corners and scores: (n, m)."""
    if card.boxes is None:
        return probabilities(output, card)
    found = decode_arrays(output, card.boxes)
    return np.concatenate([part.reshape(len(output), -1) for part in found], 1)
