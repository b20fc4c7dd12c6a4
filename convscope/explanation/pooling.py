"""Pooling: one unit for a window of units: the largest, the mean, the smallest, a trained sum."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from convscope.explanation.arithmetic import extreme
from convscope.explanation.operation_view import Index, Step, Unexplained, along, grid, within
from convscope.explanation.products import exact
from convscope.receptive.windows import per_axis
from convscope.recording import Source
from convscope.terms import Extreme, Integers, Sum, Terms


def largest(step: Step, at: Index) -> Extreme:
    """y[c,i,j] = max x[c, S·i + D·u - P, S·j + D·v - P]; what lies in the padding never wins."""
    if step.operation.piece:
        raise Unexplained  # its second answer says where the maximum lies
    count = int(step.operation.kind[-2])
    kernel = per_axis(step.given("kernel_size"), count)
    return _extreme(
        step,
        at,
        kernel,
        strides=per_axis(step.given("stride", default=kernel) or kernel, count),
        paddings=per_axis(step.given("padding", default=0), count),
        dilations=per_axis(step.given("dilation", default=1), count),
    )


def smallest(step: Step, at: Index) -> Extreme:
    """y[c,i,j] = min x[c, S·i + D·u - P, S·j + D·v - P]."""
    layer = step.layer
    return _extreme(
        step,
        at,
        layer.kernel_size,
        strides=layer.stride,
        paddings=layer.padding,
        dilations=layer.dilation,
        which="minimum",
    )


def _extreme(
    step: Step,
    at: Index,
    kernel: Sequence[int],
    *,
    strides: Sequence[int],
    paddings: Sequence[int],
    dilations: Sequence[int],
    which: Literal["maximum", "minimum"] = "maximum",
) -> Extreme:
    settings = zip(at[-len(kernel) :], kernel, strides, paddings, dilations, strict=True)
    rows = [
        place * stride - pad + np.arange(size) * dilation
        for place, size, stride, pad, dilation in settings
    ]
    return Extreme(
        which=which,
        terms=_window(step, at, rows, fill=-np.inf if which == "maximum" else np.inf),
        formula=f"y[c,i,j] = {which[:3]} x[c, ...] under the window",
    )


def _window(step: Step, at: Index, rows: Sequence[Integers], *, fill: float = 0.0) -> Terms:
    """The operands under a window of one map."""
    image = step.input()
    operands = grid(*([place] for place in at[: -len(rows)]), *rows)
    shape = tuple(map(len, rows))
    return Terms(
        step.part(image, operands, inside=within(operands, image.shape), fill=fill, shape=shape)
    )


def average(step: Step, at: Index) -> Sum:
    """y[c,i,j] = Σ x[c, S·i + u - P, S·j + v - P] / n.

    The zeros of the padding count in n, unless `count_include_pad` is False; what a last window
    reaches beyond the padding never does.
    """
    count = int(step.operation.kind[-2])
    kernel = per_axis(step.given("kernel_size"), count)
    strides = per_axis(step.given("stride", default=kernel) or kernel, count)
    paddings = per_axis(step.given("padding", default=0), count)
    sides = step.input().shape[-count:]
    rows: list[Integers] = [
        np.arange(place * stride - pad, min(place * stride - pad + size, side + pad))
        for place, size, stride, pad, side in zip(
            at[-count:], kernel, strides, paddings, sides, strict=True
        )
    ]
    terms = _window(step, at, rows)
    divisor = step.given("divisor_override") or len(terms)
    if not step.given("divisor_override") and not step.given("count_include_pad", default=True):
        part = terms.parts[0]
        divisor = len(terms) if part.inside is None else int(part.inside.sum())
    return _mean(terms, divisor)


def _mean(terms: Terms, divisor: float) -> Sum:
    return Sum(terms=terms, formula="y = Σ x / n", divisor=divisor)


def _adaptive(step: Step, at: Index) -> Terms:
    count = int(step.operation.kind[-2])
    image, result = step.input(), step.operation.shape
    rows: list[Integers] = [
        np.arange(place * side // out, -(-(place + 1) * side // out))
        for place, side, out in zip(at[-count:], image.shape[-count:], result[-count:], strict=True)
    ]
    return _window(step, at, rows)


def adaptive_average(step: Step, at: Index) -> Sum:
    """y[c,i,j] = Σ x / n over rows floor(i·h/h') up to ceil((i+1)·h/h'), columns alike."""
    terms = _adaptive(step, at)
    return _mean(terms, len(terms))


def adaptive_largest(step: Step, at: Index) -> Extreme:
    """y[c,i,j] = max x over rows floor(i·h/h') up to ceil((i+1)·h/h'), columns alike."""
    if step.operation.piece:
        raise Unexplained
    return Extreme(which="maximum", terms=_adaptive(step, at), formula="y[c,i,j] = max x[c, ...]")


def reduced(step: Step, at: Index) -> Sum | Extreme:
    """`mean`, `sum`, `amax`, `amin`, and `max` and `min`, over whole dimensions."""
    kind, image = step.operation.kind, step.input()
    dims = step.given("dim", "axis")
    if isinstance(dims, Source) or isinstance(step.given("other"), Source):
        return extreme(step, at)
    if step.operation.piece or not (dims is None or isinstance(dims, int | tuple | list)):
        raise Unexplained
    terms = Terms(step.part(image, along(image.shape, at, dims)))
    if kind in ("mean", "sum"):
        return _mean(terms, len(terms)) if kind == "mean" else exact(step, terms, "y = Σ x")
    which = "maximum" if "max" in kind else "minimum"
    return Extreme(which=which, terms=terms, formula=f"y = {which[:3]} x")


def subsampling(step: Step, at: Index) -> Sum:
    """y[c,i,j] = a[c] · Σ x[c, S·i + u, S·j + v] + b[c]."""
    layer, image = step.layer, step.input()
    gain, bias = step.parameter("coefficient"), step.bias()
    batch, c, *places = at
    rows: list[Integers] = [
        p * s + np.arange(s) for p, s in zip(places, layer.kernel_size, strict=True)
    ]
    operands = grid([batch], [c], *rows)
    part = step.part(
        image,
        operands,
        weights=step.number(gain, (c,)),
        weight=(gain, np.full((len(operands), 1), c)),
        shape=tuple(layer.kernel_size),
    )
    return exact(step, Terms(part), "y[c,i,j] = a[c] · Σ x[c, ...]", bias=bias, at=(c,))
