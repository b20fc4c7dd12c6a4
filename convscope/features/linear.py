"""Logistic regression, as a linear probe fits it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.features.pooled import Vectors

STEPS = 200
"""Of L-BFGS at most; it ends earlier where nothing changes."""

Scores = NDArray[np.float64]


def fit_linear(
    vectors: Vectors,
    truth: NDArray[Any],
    num_classes: int,
    on_step: Callable[[int], None] = lambda done: None,
) -> Callable[[Vectors], Scores]:
    """Fit logistic regression; returns what scores (n, classes) vectors (n, c) have.

    `truth` is a class for each image, (n,), or 0 and 1 for each label, (n, classes). Of classes it
    is multinomial, and the highest score is the answer; of labels there is one regression for each,
    whose answer is whether the score is above 0. It minimizes Σ cross-entropy + |W|² / 2 over
    standardized features by L-BFGS in float64, from 0; no penalty on the biases. A constant feature
    counts as 0. `on_step` gets how many steps are done, at most `STEPS`; what it raises ends the
    work.
    """
    values = torch.from_numpy(vectors).double()
    mean, deviation = values.mean(0), values.std(0, correction=0)
    scale = torch.where(deviation > 1e-12, deviation, torch.inf)
    fed = (values - mean) / scale
    entropy = _of_labels(truth) if truth.ndim == 2 else _of_classes(truth)
    weight = torch.zeros(num_classes, values.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(num_classes, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=STEPS, line_search_fn="strong_wolfe", tolerance_grad=1e-6
    )

    done = 0

    def loss() -> float:
        nonlocal done
        on_step(min(done, STEPS))
        done += 1
        optimizer.zero_grad()
        total = (entropy(fed @ weight.mT + bias) + weight.square().sum() / 2) / len(truth)
        torch.autograd.backward([total])
        return float(total.detach())

    with torch.inference_mode(mode=False), torch.enable_grad():
        optimizer.step(loss)

    def score(others: Vectors) -> Scores:
        with torch.no_grad():
            logits = (torch.from_numpy(others).double() - mean) / scale @ weight.mT + bias
        return logits.numpy()

    return score


def _of_classes(truth: NDArray[Any]) -> Callable[[Tensor], Tensor]:
    classes = torch.from_numpy(truth).long()
    return lambda logits: nn.functional.cross_entropy(logits, classes, reduction="sum")


def _of_labels(truth: NDArray[Any]) -> Callable[[Tensor], Tensor]:
    labels = torch.from_numpy(truth).double()
    return lambda logits: nn.functional.binary_cross_entropy_with_logits(
        logits, labels, reduction="sum"
    )
