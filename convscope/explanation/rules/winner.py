"""The second result of pooling: where each maximum lies."""

import math
from dataclasses import replace

import numpy as np

from convscope.explanation.rules.operation_view import Index, OperationView
from convscope.terms import Expression, Extremum, Terms


def largest_or_index(op: OperationView, at: Index, largest: Extremum) -> Extremum | Expression:
    """The maximum; for a unit of the second result, where it lies: row · width + column.

    Of several units that are as large, torch decides which one it names.
    """
    if not op.operation.output_index:
        return largest
    count = int(op.operation.kind[-2])
    sides = op.input().shape[-count:]
    steps = np.array([math.prod(sides[n + 1 :]) for n in range(count)])
    group, real = largest.terms.groups[0], largest.terms.inside
    numbers = np.cumsum(real) - 1  # of the units without the padding
    winners = [int(numbers[n]) for n in (largest.winner, *largest.ties)]
    places = group.at[real]
    flat: list[int] = (places[winners, -count:] @ steps).tolist()
    recorded = int(op.result[at])
    chosen = flat.index(recorded) if recorded in flat else 0
    place = zip(places[winners[chosen], -count:].tolist(), steps.tolist(), strict=True)
    units = replace(
        group, values=group.values[real], weights=group.weights[real], at=places, inside=None
    )
    return Expression(
        terms=Terms(replace(units, shape=())),
        formula="y = the index of the largest x in its map",
        substituted=" + ".join(f"{n}·{step}" if step > 1 else str(n) for n, step in place),
        exact_value=float(flat[chosen]),
        roundings=0,
        main=winners[chosen],
    )
