"""Small matrices with known numbers times vectors, in as few instructions as go."""

from collections.abc import Sequence

from convscope.lanes.ir import Function

Values = Sequence[str | None]
"""Vectors; None is zero."""


def by_rows(fn: Function, matrix: Sequence[Sequence[float]], values: Values) -> list[str | None]:
    """matrix · values. Rows of opposite points share their even and their odd terms."""
    found: list[str | None] = []
    for rows in same_up_to_scale(matrix):
        row = matrix[rows[0]]
        if len(rows) == 1:
            found.append(_combined(fn, row, values))
            continue
        even = _combined(fn, [c * (k % 2 == 0) for k, c in enumerate(row)], values)
        odd = _combined(fn, [c * (k % 2) for k, c in enumerate(row)], values)
        found += [_plus(fn, even, odd), _minus(fn, even, odd)]
    return found


def by_columns(fn: Function, matrix: Sequence[Sequence[float]], values: Values) -> list[str | None]:
    """matrix · values. Values of opposite points are added, for odd rows subtracted, first."""
    both = {
        k: (_plus(fn, values[k], values[j]), _minus(fn, values[k], values[j]))
        for k, j in _OPPOSITE.items()
    }
    found: list[str | None] = []
    for number, row in enumerate(matrix):
        positions = [k for k in range(len(row)) if k not in _OPPOSITE.values()]
        terms = [both[k][number % 2] if k in both else values[k] for k in positions]
        found.append(_combined(fn, [row[k] for k in positions], terms))
    return found


_OPPOSITE = {1: 2, 3: 4}
"""The places of a point and of its opposite."""


def same_up_to_scale(matrix: Sequence[Sequence[float]]) -> list[tuple[int, ...]]:
    """Rows that differ only in the signs of their odd terms, two and two."""
    found: list[tuple[int, ...]] = []
    position = 0
    while position < len(matrix):
        mirrored = tuple(-c if k % 2 else c for k, c in enumerate(matrix[position]))
        paired = position + 1 < len(matrix) and matrix[position + 1] == mirrored != matrix[position]
        found.append((position, position + 1) if paired else (position,))
        position += len(found[-1])
    return found


def _combined(fn: Function, coefficients: Sequence[float], values: Values) -> str | None:
    """Σ coefficient · value; None where every term is zero."""
    terms = [(c, v) for c, v in zip(coefficients, values, strict=True) if c and v is not None]
    terms.sort(key=lambda term: term[0] != 1)
    total: str | None = None
    for c, value in terms:
        if total is None:
            total = value if c == 1 else fn.do("fmul", value, fn.constant(c))
        elif abs(c) == 1:
            total = fn.do("fadd" if c == 1 else "fsub", total, value)
        else:
            total = fn.fma(value, fn.constant(c), total)
    return total


def _plus(fn: Function, a: str | None, b: str | None) -> str | None:
    return fn.do("fadd", a, b) if a and b else a or b


def _minus(fn: Function, a: str | None, b: str | None) -> str | None:
    if a and b:
        return fn.do("fsub", a, b)
    return a or (fn.negative(b) if b else None)


def known(fn: Function, value: str | None) -> str:
    return fn.constant(0) if value is None else value
