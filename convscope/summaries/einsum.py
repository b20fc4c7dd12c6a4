"""What `torch.einsum` costs: the products of the pairs that it contracts, one after the other."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch

Labels = tuple[str, ...]


def contraction_cost(equation: str, shapes: Sequence[Sequence[int]]) -> int:
    """The multiply-adds of an einsum of tensors of these shapes, by the path that torch takes.

    torch contracts two tensors at a time, from left to right, or by the path of opt_einsum where
    that is installed. Two tensors cost the product of the sizes of their indices; an index that
    only one of them has and nothing else needs is summed before. A product without a sum, as of
    `i,j->ij`, costs nothing, like any elementwise multiplication.

        >>> contraction_cost("bij,bkj->bik", [(1, 16, 48), (1, 16, 48)])
        12288
        >>> contraction_cost("ij,jk,kl->il", [(30, 5), (5, 7), (7, 2)]) == 30 * 7 * (5 + 2)
        True
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = [_labels(term, shape) for term, shape in zip(left.split(","), shapes, strict=True)]
    sizes: list[Mapping[str, int]] = [
        {label: side for label, side in zip(term, shape, strict=True) if side != 1}
        for term, shape in zip(terms, shapes, strict=True)
    ]
    output = _labels(right, None) if arrow else _implicit(terms)
    cost = 0
    for pair in _path(equation, shapes):
        first, second = (sizes.pop(place) for place in sorted(pair, reverse=True))
        later = set(output).union(*sizes)
        both = first.keys() & second.keys()
        needed = {**first, **second}
        needed = {label: side for label, side in needed.items() if label in both | later}
        if both - later:  # with nothing to sum it is an elementwise product
            cost += math.prod(needed.values())
        sizes.append({label: side for label, side in needed.items() if label in later})
    return cost


def _labels(term: str, shape: Sequence[int] | None) -> Labels:
    """The index of every axis; those of an ellipsis are counted from its end: `...1` is the last.

    Of the output, whose shape is not known, an ellipsis stands for as many as there may be.
    """
    found: list[str] = re.findall(r"\.\.\.|\w", term)
    if "..." not in found:
        return tuple(found)
    at, count = found.index("..."), _MOST if shape is None else len(shape) - len(found) + 1
    return (*found[:at], *(f"...{n}" for n in range(count, 0, -1)), *found[at + 1 :])


_MOST = 26  # axes of an ellipsis


def _implicit(terms: Sequence[Labels]) -> Labels:
    """Without an arrow, the result has the indices that occur once, and the ellipsis."""
    counts = Counter(label for term in terms for label in term)
    return tuple(label for label, n in counts.items() if n == 1 or label.startswith("..."))


def _path(equation: str, shapes: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    """The pairs that torch contracts, by position; a result goes to the end."""
    optimizer: Any = torch.backends.opt_einsum
    if len(shapes) > 2 and optimizer.enabled and optimizer.is_available():
        contract_path = optimizer.get_opt_einsum().contract_path
        path = contract_path(equation, *shapes, shapes=True, optimize=optimizer.strategy)[0]
        return [pair for pair in path if len(pair) == 2]
    return [(0, 1), *((0, last) for last in range(len(shapes) - 2, 0, -1))][: len(shapes) - 1]
