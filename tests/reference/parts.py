"""What a unit is made of, unit by unit: each explanation's terms, followed down to a layer."""

from collections import defaultdict

import numpy as np

from convscope.terms import Extremum, Sum


def divided(recording, name, at, below):
    """The parts (k,) of a unit by filter of the result `below`, and what constants add.

    A sum hands each operand its weight, an extremum all to the winner, any other function of one
    number x its value / x.
    """
    order = {operation: n for n, operation in enumerate(recording.names)}
    weights = {(name, at): 1.0}
    parts = np.zeros(recording[below].shape[-3] if recording[below].value.ndim > 2
                     else recording[below].shape[-1])  # fmt: skip
    constant = 0.0
    while weights:
        unit = max(weights, key=lambda own: order.get(own[0], -1))
        weight = weights.pop(unit)
        explained = recording.explain(*unit)
        if unit[0] == below:
            parts[unit[1][0]] += weight * explained.model_value
            continue
        received = defaultdict(float)
        decomposition, terms = explained.decomposition, explained.terms
        if isinstance(decomposition, Sum):
            constant += weight * decomposition.bias / decomposition.divisor
            for n in range(len(terms)):
                received[terms[n].location] += terms[n].weight / decomposition.divisor
        elif isinstance(decomposition, Extremum):
            received[terms[decomposition.winner].location] = 1.0
        else:
            [term] = terms
            received[term.location] = explained.model_value / term.value if term.value else 0.0
        for location, factor in received.items():
            if location is not None and factor:
                key = location.source, tuple(location.at)
                weights[key] = weights.get(key, 0.0) + weight * factor
    return parts, constant
