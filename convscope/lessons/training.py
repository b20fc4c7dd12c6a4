"""Lesson: a filter learns to reproduce another by gradient descent; and the loss of a softmax."""

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
from convscope.lessons.window import Array, convolve

SIDE, KERNEL = 12, 3
"""Side of the image, and of the filters."""

IMAGES = ("noise", "ring", "stripes", "gray")
MOST = 2000
"""The largest number of steps."""

_CURVE = 300  # points of the loss curve
_FLAT = 1e-9  # a direction of lower curvature is flat


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Train a 3x3 filter towards a target for some steps, and compute the loss of three logits.

    `state` has `image` (of IMAGES), `target` (nine weights), `weights_seed` (0 to 999, for the
    initial weights), `step` (0 to 2,000), `rate`, `momentum`, `decay`, `batch` (patches per step, 1
    to 100), the chosen weight `at` (0 to 8), three `logits` and the true class (`right`). The
    answer has the image, both filters and their maps, the `gradient`, the `next` step of the chosen
    weight, the loss over the whole image as (step, loss) (`curve`), the analysis of learning
    `rates`, the step at which the loss `diverged`, and the `softmax`.

    Raises RequestError for an invalid state.
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
    descent = descend(task)
    requested = integer(state, "step", 0, MOST)
    moments = descent.until(requested)
    step = min(requested, len(moments) - 1)
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
        "maps": [values.tolist() for values in (*maps, maps[1] - maps[0])],
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
        raise RequestError(f"{name} must be greater than 0; otherwise the weights never change.")
    return value


@lru_cache(maxsize=32)
def descend(task: Task) -> Descent:
    return Descent(task, patches(task.image))


@lru_cache(maxsize=len(IMAGES))
def picture(name: str) -> Array:
    """Return an image (12, 12), normalized to mean 0 and standard deviation 1 except `gray`."""
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
    """Return all patches (100, 9) of an image, row by row."""
    unfolded = F.unfold(torch.from_numpy(picture(image))[None, None], KERNEL)
    return unfolded[0].T.contiguous().numpy()


def _map(pixels: Array, weights: Array) -> Array:
    return convolve(pixels[None], weights.reshape(1, 1, KERNEL, KERNEL)).ravel()


@lru_cache(maxsize=len(IMAGES))
def curvature(image: str) -> Array:
    """Return the Hessian (9, 9) of the loss over the whole image: 2/100 · Σ x·xᵀ."""
    rows = patches(image)
    return 2 / len(rows) * rows.T @ rows


def best(task: Task) -> Array:
    """Return the weights at which the gradient over all patches is zero; the smallest, if many."""
    hessian = curvature(task.image)
    full = hessian + task.decay * np.eye(len(hessian))
    return np.linalg.pinv(full, rcond=1e-10, hermitian=True) @ hessian @ np.array(task.target)


def rates(task: Task) -> dict[str, Any]:
    """Derive the limit of the learning rate from the curvature h of the full-batch loss.

    Along each eigenvector of the Hessian, a step with momentum μ multiplies the error by a root of
    z² − (1 + μ − rate·h)·z + μ, where weight decay is added to h. All errors shrink for rates below
    the `limit`, 2(1 + μ)/h for the largest h. `slowest` is the largest factor of any direction that
    is not flat, `halving` the number of steps in which that direction's error halves, and `unseen`
    the number of directions in which the loss is flat.
    """
    eigenvalues = np.linalg.eigvalsh(curvature(task.image))
    curved = eigenvalues[eigenvalues > _FLAT] + task.decay
    limit = 2 * (1 + task.momentum) / float(curved[-1])
    slowest = max(error_factor(task, float(h)) for h in curved)
    return {
        "largest": float(curved[-1]),
        "smallest": float(curved[0]),
        "unseen": int((eigenvalues <= _FLAT).sum()),
        "limit": limit,
        "slowest": slowest,
        "halving": math.log(2) / -math.log(slowest) if 0 < slowest < 1 else None,
        "offered": [_rounded(limit * share, up=share > 1) for share in (0.01, 0.3, 0.98, 1.02)],
    }


def error_factor(task: Task, h: float) -> float:
    """Return the factor by which a step multiplies the error in a direction of this curvature."""
    middle = 1 + task.momentum - task.rate * h
    return float(np.abs(np.roots([1, -middle, task.momentum])).max())


def _rounded(value: float, *, up: bool) -> float:
    """Round to three significant digits, away from the limit."""
    digit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return float(f"{(math.ceil if up else math.floor)(value / digit) * digit:.3g}")


def _next(task: Task, descent: Descent, step: int, at: int) -> dict[str, Any] | None:
    """Return the next step of one weight, term by term; None if training has diverged."""
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
    """Return the class probabilities, the cross-entropy loss, and its gradient by the logits."""
    z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    loss = F.cross_entropy(z[None], torch.tensor([right]))
    (gradient,) = torch.autograd.grad(loss, z)
    powers = (z - z.max()).detach().exp()
    return {
        "largest": max(logits),
        "powers": powers.tolist(),
        "sum": float(powers.sum()),
        "shares": z.softmax(0).tolist(),
        "loss": float(loss.detach()),
        "gradient": gradient.tolist(),
    }
