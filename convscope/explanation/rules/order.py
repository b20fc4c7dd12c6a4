"""Order along dimensions: the largest unit, the k-th or the median, and the index of each."""

from typing import Literal

import numpy as np

from convscope.explanation.rules.arithmetic import maximum
from convscope.explanation.rules.operation_view import (
    Index,
    OperationView,
    UnsupportedOperation,
    index_grid,
    reduced_indices,
)
from convscope.recording import Source
from convscope.terms import (
    Expression,
    Extremum,
    Floats,
    Identity,
    Integers,
    Line,
    Terms,
    number,
)

Which = Literal["maximum", "minimum"]


def extremum(op: OperationView, at: Index) -> Extremum | Expression:
    """y = max x or min x over dimensions, or the index of that unit; `max` of two tensors too."""
    kind, dims = op.operation.kind, op.argument("dim", "axis")
    if isinstance(dims, Source) or isinstance(op.argument("other"), Source):
        return maximum(op, at)
    is_index = kind.startswith("arg") or (op.operation.output_index == 1 and kind != "aminmax")
    terms = Terms(op.terms_of(op.input(), reduced_indices(op.input().shape, at, dims)))
    which: Which = "maximum" if "max" in kind else "minimum"
    if kind == "aminmax":
        which = "maximum" if op.operation.output_index else "minimum"
    return _extremum(op, at, which, terms, is_index=is_index)


def running_extremum(op: OperationView, at: Index) -> Extremum | Expression:
    """y[k] = max x[i] or min x[i] over i ≤ k along one dimension, or the index of that unit."""
    which: Which = "maximum" if op.operation.kind == "cummax" else "minimum"
    terms = Terms(op.terms_of(op.input(), up_to(op, at)))
    return _extremum(op, at, which, terms, is_index=op.operation.output_index == 1)


def up_to(op: OperationView, at: Index) -> Integers:
    """The indices of the units up to the one at `at` along the dimension of a running operation."""
    dim = op.argument("dim", "axis")
    if not isinstance(dim, int):
        raise UnsupportedOperation
    if not at:  # of a single number
        return index_grid()
    dim %= len(at)
    return index_grid(*(range(n + 1) if axis == dim else [n] for axis, n in enumerate(at)))


def _extremum(
    op: OperationView, at: Index, which: Which, terms: Terms, *, is_index: bool
) -> Extremum | Expression:
    found = Extremum(which=which, terms=terms, formula=f"y = {which[:3]} x")
    if not is_index:
        return found
    return _index(op, at, terms, [found.winner, *found.ties], f"the {which}")


def _index(
    op: OperationView, at: Index, terms: Terms, candidates: list[int], name: str
) -> Expression:
    """The index of a unit among the terms; of units that tie, the one that the network took."""
    recorded = int(op.result[at])
    chosen = recorded if recorded in candidates else candidates[0]
    value = float(terms.values[chosen])
    tie = f", tied with {len(candidates) - 1} more" if len(candidates) > 1 else ""
    return Expression(
        terms=terms,
        formula=f"y = the index of {name}",
        substituted=f"the index of {number(value)}",
        exact_value=float(chosen),
        lines=(Line(name, f"of {len(terms):,} units{tie}", value),),
        roundings=0,
        main=chosen,
    )


def order_statistic(op: OperationView, at: Index) -> Identity | Expression:
    """y = the unit of some rank along a dimension, or its index; NaN ranks above all numbers.

    `sort`, `argsort`, `msort`, `topk`, `kthvalue`, `median` and `nanmedian`.
    """
    source, dims = op.input(), _dimension(op)
    indices = reduced_indices(source.shape, at, dims)
    terms = Terms(op.terms_of(source, indices))
    values = terms.values
    order = np.argsort(values, kind="stable")  # NaN last, as in torch
    rank, name = _rank(op, at, order, values)
    winner = int(order[rank])
    if not _is_index(op):
        group = op.terms_of(source, indices[winner : winner + 1])
        return Identity(terms=Terms(group), formula=f"y = {name} of {len(values):,} units")
    tied = np.isnan(values) if np.isnan(values[winner]) else values == values[winner]
    return _index(op, at, terms, np.flatnonzero(tied).tolist(), name)


def _dimension(op: OperationView) -> int | None:
    """The dimension that is put in order; None for all."""
    kind, dim = op.operation.kind, op.argument("dim", "axis")
    if kind == "msort":
        return 0
    if dim is None and kind not in ("median", "nanmedian"):
        return -1
    if not isinstance(dim, int | None):  # a name
        raise UnsupportedOperation
    return dim


def _rank(op: OperationView, at: Index, order: Integers, values: Floats) -> tuple[int, str]:
    """The rank from the smallest, 0, to the largest of the unit, and what it is called."""
    count = len(values)
    match op.operation.kind:
        case "kthvalue":
            k = op.argument("k")
            return k - 1, f"number {k} in ascending order"
        case "median" | "nanmedian":
            missing = int(np.isnan(values).sum())
            if missing and op.operation.kind == "median":
                return count - 1, "the median"
            return max(count - missing - 1, 0) // 2, "the median"
        case "topk":
            position = at[_dimension(op) or 0] if at else 0
            descending = op.argument("largest", default=True)
            if not op.argument("sorted", default=True):
                position = _unsorted(op, at, values[order[::-1] if descending else order])
        case _:
            position = at[_dimension(op) or 0] if at else 0
            descending = op.argument("descending", default=False)
    way = "descending" if descending else "ascending"
    rank = count - 1 - position if descending else position
    return rank, f"number {position + 1} in {way} order"


def _unsorted(op: OperationView, at: Index, ranked: Floats) -> int:
    """Where the recorded unit of an unsorted `topk`, whose order is arbitrary, would stand."""
    recorded = float(op.result[at])
    if _is_index(op):
        source = op.input()
        dim = op.argument("dim", default=-1) % len(at)
        recorded = op.number(source, (*at[:dim], int(recorded), *at[dim + 1 :]))
    found = np.flatnonzero(np.isnan(ranked) if np.isnan(recorded) else ranked == recorded)
    if not len(found) or found[0] >= op.argument("k"):
        raise UnsupportedOperation
    return int(found[0])


def _is_index(op: OperationView) -> bool:
    return op.operation.kind == "argsort" or op.operation.output_index == 1


def truth(op: OperationView, at: Index) -> Expression:
    """y = 1 if any x, or all of them, differ from 0; else 0."""
    terms = Terms(op.terms_of(op.input(), _indices(op, at)))
    holds = terms.values != 0
    is_any = op.operation.kind == "any"
    count = int(holds.sum())
    decisive = holds if is_any else ~holds
    return Expression(
        terms=terms,
        formula=f"y = 1 if {'any x differs' if is_any else 'all x differ'} from 0, else 0",
        substituted=f"{count:,} of {len(terms):,} differ from 0",
        exact_value=float(holds.any() if is_any else holds.all()),
        roundings=0,
        main=int(decisive.argmax()),
    )


def count_nonzero(op: OperationView, at: Index) -> Expression:
    """y = how many x differ from 0."""
    group = op.terms_of(op.input(), _indices(op, at))
    holds = (group.values != 0).astype(float)
    return Expression(
        terms=Terms(group, product=lambda _weight, _value: holds),
        formula="y = how many x differ from 0",
        substituted=f"{int(holds.sum()):,} of {len(holds):,}",
        exact_value=float(holds.sum()),
        roundings=0,
        main=int(holds.argmax()),
    )


def _indices(op: OperationView, at: Index) -> Integers:
    return reduced_indices(op.input().shape, at, op.argument("dim", "axis"))
