"""Lesson: a filter learns to do what another does, by gradient descent; and softmax's loss."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.lessons.descent import Descent, Task
from convscope.lessons.params import cells, choice, integer, number
from convscope.lessons.window import Array, convolved

SIDE, KERNEL = 12, 3
"""Of the image, of the filters."""

IMAGES = ("noise", "ring", "stripes", "gray")
MOST = 2000
"""Steps."""

_CURVE = 300  # points that are sent of the curve
_SEEN = 1e-9  # curvature below which the loss says nothing of a direction


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """A filter of 3x3 after some steps towards another, and the loss of three logits.

    `state` has `image` (of IMAGES), `target` (nine weights), `weights_seed` (0 to 999, for the
    initial weights), `step` (0 to 2,000), `rate`, `momentum`, `decay`, `batch` (patches per step, 1
    to 100), the chosen weight `at` (0 to 8), three `logits` and the `right` class. The answer has
    the image, both filters and their maps, the `gradient` and `next` step of the chosen weight, the
    `curve` of the loss over the whole image as (step, loss), what is known of the `rates`, the step
    at which the loss `diverged`, and the `softmax`.

    Raises RequestError for what is none of this.
    """
    target = tuple(cells(state, "target", KERNEL * KERNEL))
    task = Task(
        image=choice(state, "image", IMAGES),
        target=target,
        seed=integer(state, "weights_seed", 0, 999),
        rate=_above_zero(state, "rate"),
        momentum=number(state, "momentum", 0, 0.999),
        decay=number(state, "decay", 0, 10),
        batch=integer(state, "batch", 1, 100),
    )
    descent = _descent(task)
    asked = integer(state, "step", 0, MOST)
    moments = descent.until(asked)
    step = min(asked, len(moments) - 1)
    now = moments[step]
    pixels, wanted = picture(task.image), np.array(target)
    maps = [_map(pixels, filter_) for filter_ in (wanted, now.weights)]
    every = range(step + 1) if step < _CURVE else np.linspace(0, step, _CURVE).round().astype(int)
    return {
        "image": pixels.ravel().tolist(),
        "step": step,
        "most": MOST,
        "weights": now.weights.tolist(),
        "gradient": now.gradient.tolist(),
        "next": _next(task, descent, step, integer(state, "at", 0, KERNEL * KERNEL - 1)),
        "maps": [one.tolist() for one in (*maps, maps[1] - maps[0])],
        "loss": now.loss,
        "lowest": descent.loss(best(task)),
        "curve": [(int(k), moments[int(k)].loss) for k in every],
        "diverged": descent.diverged,
        "rates": rates(task),
        "softmax": softmax(cells(state, "logits", 3), integer(state, "right", 0, 2)),
    }


def _above_zero(state: Mapping[str, Any], name: str) -> float:
    value = number(state, name, 0, 1000)
    if value == 0:
        raise RequestError(f"{name} must be above 0: with no {name} nothing moves.")
    return value


@lru_cache(maxsize=32)
def _descent(task: Task) -> Descent:
    return Descent(task, patches(task.image))


@lru_cache(maxsize=len(IMAGES))
def picture(name: str) -> Array:
    """An image (12, 12) as a network sees it: mean 0 and standard deviation 1, but for `gray`."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    match name:
        case "noise":
            raw = np.random.default_rng(12).random((SIDE, SIDE))
        case "ring":
            raw = np.exp(-((np.hypot(y - 5.5, x - 5.0) - 3.4) ** 2)) + 0.02 * x
        case "stripes":
            raw = (x // 2 % 2) * 1.0
        case _:
            return np.ones((SIDE, SIDE))
    return (raw - raw.mean()) / raw.std()


@lru_cache(maxsize=len(IMAGES))
def patches(image: str) -> Array:
    """All patches (100, 9) of an image, row by row."""
    unfolded = F.unfold(torch.from_numpy(picture(image))[None, None], KERNEL)
    return unfolded[0].T.contiguous().numpy()


def _map(pixels: Array, weights: Array) -> Array:
    return convolved(pixels[None], weights.reshape(1, 1, KERNEL, KERNEL)).ravel()


@lru_cache(maxsize=len(IMAGES))
def curvature(image: str) -> Array:
    """The second derivative (9, 9) of the loss over the whole image: 2/100 · Σ x·xᵀ."""
    rows = patches(image)
    return 2 / len(rows) * rows.T @ rows


def best(task: Task) -> Array:
    """The weights at which the gradient over all patches is zero; of several the smallest."""
    bend = curvature(task.image)
    full = bend + task.decay * np.eye(len(bend))
    return np.linalg.pinv(full, rcond=1e-10, hermitian=True) @ bend @ np.array(task.target)


def rates(task: Task) -> dict[str, Any]:
    """What the curvature h of the loss says of the learning rate, all patches taken at once.

    Along each eigenvector of the curvature a step with momentum μ multiplies the error by a root of
    z² − (1 + μ − rate·h)·z + μ, the weight decay added to h. It shrinks everywhere for rates below
    2(1 + μ)/h of the largest h: the `limit`. `slowest` is the factor of the smallest h above zero,
    `fastest` that of the largest, `halving` the steps in which the slowest direction halves, and
    `unseen` are the directions in which the loss is flat.
    """
    bends = np.linalg.eigvalsh(curvature(task.image))
    seen = bends[bends > _SEEN] + task.decay
    limit = 2 * (1 + task.momentum) / float(seen[-1])
    slowest = max(_factor(task, float(h)) for h in seen)
    return {
        "largest": float(seen[-1]),
        "smallest": float(seen[0]),
        "unseen": int((bends <= _SEEN).sum()),
        "limit": limit,
        "slowest": slowest,
        "halving": math.log(2) / -math.log(slowest) if 0 < slowest < 1 else None,
        "offered": [_rounded(limit * share, up=share > 1) for share in (0.01, 0.3, 0.98, 1.02)],
    }


def _factor(task: Task, bend: float) -> float:
    """By how much the error along a direction of this curvature is multiplied in a step."""
    middle = 1 + task.momentum - task.rate * bend
    return float(np.abs(np.roots([1, -middle, task.momentum])).max())


def _rounded(value: float, *, up: bool) -> float:
    """Three digits, away from the limit."""
    digit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{(math.ceil if up else math.floor)(value / digit) * digit:.3g}")


def _next(task: Task, descent: Descent, step: int, at: int) -> dict[str, Any] | None:
    """The next step of one weight, taken apart; None where there is none."""
    if descent.diverged is not None and step >= descent.diverged:
        return None
    now, then = descent.until(step + 1)[step : step + 2]
    return {
        "at": at,
        "patches": now.patches,
        "weight": float(now.weights[at]),
        "gradient": float(now.gradient[at]),
        "decayed": float(now.gradient[at]) + task.decay * float(now.weights[at]),
        "velocity": float(now.velocity[at]),
        "after": float(then.velocity[at]),
        "then": float(then.weights[at]),
    }


def softmax(logits: list[float], right: int) -> dict[str, Any]:
    """Shares of the classes, the cross-entropy of the right one, its gradient by the logits."""
    z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    loss = F.cross_entropy(z[None], torch.tensor([right]))
    (gradient,) = torch.autograd.grad(loss, z)
    raised = (z - z.max()).detach().exp()
    return {
        "largest": max(logits),
        "powers": raised.tolist(),
        "sum": float(raised.sum()),
        "shares": z.softmax(0).tolist(),
        "loss": float(loss.detach()),
        "gradient": gradient.tolist(),
    }
