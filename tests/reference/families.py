"""Networks of the zoo that repeat the graph of another one of their family, in another size.

What is asked of every network of the zoo is asked of these in the slow tests.
"""

import pytest

OTHER_SIZES = frozenset(("mobilenet_v2", "mobilenet_v3_large"))


def each_network(names, *, slow=frozenset()):
    """Parameters for a test of every network in `names`; of those in `slow` in the slow tests."""
    return [
        pytest.param(name, marks=[pytest.mark.slow] if name in OTHER_SIZES | slow else [])
        for name in names
    ]
