"""Lesson: one step of training a small network on one image, number by number."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from convscope.lessons.params import choice, integer, number

SIDE, KERNEL, MAP, POOLED, CLASSES = 6, 3, 4, 2, 2
"""The sides of the image, the filter, its map and the pooled map; the number of classes."""

NAMES = ("vertical", "horizontal")
"""The two classes."""

IMAGES: Mapping[str, tuple[int, ...]] = {
    "a vertical line": (0, 0, 1, 0, 0, 0) * SIDE,
    "a horizontal line": (0,) * 18 + (1,) * 6 + (0,) * 12,
    "a corner": (0, 1, 0, 0, 0, 0) * 4 + (0, 1, 1, 1, 1, 0) + (0,) * 6,
    "a cross": (0, 0, 0, 1, 0, 0) * 2 + (1,) * 6 + (0, 0, 0, 1, 0, 0) * 3,
}
MOST = 50
"""The largest number of steps."""

_START = {
    "filter": (0.2, -0.1, 0.3, 0.4, 0.1, -0.3, -0.2, 0.3, 0.1),
    "bias": (0.1,),
    "dense": (0.3, -0.2, 0.1, 0.4, -0.1, 0.2, 0.5, -0.3),
    "dense_bias": (0.0, 0.1),
}
"""The initial parameters; `dense` has a row of four weights for each class."""

Parameters = Mapping[str, tuple[float, ...]]


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Run a network forward and backward, update its parameters, and run it forward again.

    The network: a 3x3 filter with its bias on 6x6 pixels, ReLU, 2x2 max pooling, a dense layer of
    two units, softmax, cross-entropy. `state` has the `image` (of IMAGES), its class `right`
    ("vertical" or "horizontal"), the learning `rate` (0 to 10), the `step` (0 to 50: so many
    updates came before), the chosen weight of the filter `at` (0 to 8) and of the dense layer
    `dense_at` (0 to 7).

    The answer has the parameters `now` and `then`, after this step; `forward` and `backward`, the
    values of every layer and the gradient of the loss by each of them; `chosen`, the terms that
    add up to the gradient of the chosen weights; and the `losses` before each step and after this.

    Raises RequestError for an invalid state.
    """
    pixels = IMAGES[choice(state, "image", tuple(IMAGES))]
    right = NAMES.index(choice(state, "right", NAMES))
    rate = number(state, "rate", 0, 10)
    step = integer(state, "step", 0, MOST)
    at = integer(state, "at", 0, KERNEL * KERNEL - 1)
    dense_at = integer(state, "dense_at", 0, CLASSES * POOLED * POOLED - 1)
    now: Parameters = _START
    losses: list[float] = []
    for _ in range(step):
        passed = differentiate(now, pixels, right)
        losses.append(passed["forward"]["loss"])
        now = _updated(now, passed["backward"], rate)
    passed = differentiate(now, pixels, right)
    forward, backward = passed["forward"], passed["backward"]
    then = _updated(now, backward, rate)
    after = differentiate(then, pixels, right)["forward"]
    return {
        "pixels": list(pixels),
        "names": list(NAMES),
        "right": right,
        "step": step,
        "most": MOST,
        "parameters": sum([len(values) for values in now.values()]),
        "now": {name: list(values) for name, values in now.items()},
        "then": {name: list(values) for name, values in then.items()},
        "forward": forward,
        "backward": backward,
        "chosen": _chosen(pixels, forward, backward, at, dense_at),
        "losses": [*losses, forward["loss"], after["loss"]],
        "after": {"shares": after["shares"], "loss": after["loss"]},
    }


def differentiate(
    parameters: Parameters, pixels: tuple[int, ...], right: int
) -> dict[str, dict[str, Any]]:
    """Run the network forward, and backward by PyTorch's autograd, in float64.

    `forward` has `sums` (16), `active` (16, after ReLU), `pooled` (4), the `winners` of pooling (4
    cells of the map; of equal ones the first), `scores`, `shares` and the `loss`; `backward` the
    gradient of the loss by `sums`, `active`, `pooled`, `scores` and by each group of parameters.
    """
    leaves = {name: torch.tensor(values, dtype=torch.float64, requires_grad=True)
              for name, values in parameters.items()}  # fmt: skip
    image = torch.tensor(pixels, dtype=torch.float64).view(1, 1, SIDE, SIDE)
    weights = leaves["filter"].view(1, 1, KERNEL, KERNEL)
    sums = F.conv2d(image, weights, leaves["bias"])
    active = F.relu(sums)
    pooled, winners = F.max_pool2d(active, MAP // POOLED, return_indices=True)
    scores = F.linear(pooled.flatten(1), leaves["dense"].view(CLASSES, -1), leaves["dense_bias"])
    loss = F.cross_entropy(scores, torch.tensor([right]))
    inner = {"sums": sums, "active": active, "pooled": pooled, "scores": scores}
    gradients = torch.autograd.grad(loss, [*inner.values(), *leaves.values()])
    return {
        "forward": {
            **{name: _listed(values) for name, values in inner.items()},
            "winners": winners.flatten().tolist(),
            "shares": _listed(scores.softmax(1)),
            "loss": float(loss.detach()),
        },
        "backward": dict(zip((*inner, *leaves), map(_listed, gradients), strict=True)),
    }  # fmt: skip


def _listed(values: Tensor) -> list[float]:
    return cast("list[float]", values.detach().flatten().tolist())


def _updated(now: Parameters, gradients: Mapping[str, Any], rate: float) -> Parameters:
    """Take one step of gradient descent: w − rate·gradient, for every parameter."""
    return {
        name: tuple(
            weight - rate * gradient
            for weight, gradient in zip(values, gradients[name], strict=True)
        )
        for name, values in now.items()
    }


def _chosen(
    pixels: tuple[int, ...],
    forward: Mapping[str, Any],
    backward: Mapping[str, Any],
    at: int,
    dense_at: int,
) -> dict[str, Any]:
    """Write the gradients of one weight of the filter and one of the dense layer as products.

    The filter's weight at (i, j) multiplies pixel (y + i, x + j) for the unit (y, x): its gradient
    is the sum of gradient·pixel over all 16 units. `covered` are these pixels.
    """
    down, right = divmod(at, KERNEL)
    covered = [(y + down) * SIDE + x + right for y in range(MAP) for x in range(MAP)]
    unit, place = divmod(dense_at, POOLED * POOLED)
    gradients = backward["sums"]
    return {
        "at": at,
        "covered": covered,
        "terms": [
            {"value": gradients[k], "weight": pixels[cell], "product": gradients[k] * pixels[cell]}
            for k, cell in enumerate(covered)
        ],
        "total": backward["filter"][at],
        "dense_at": dense_at,
        "unit": unit,
        "input": place,
        "score_gradient": backward["scores"][unit],
        "value": forward["pooled"][place],
        "dense_total": backward["dense"][dense_at],
    }
