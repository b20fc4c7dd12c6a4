"""Networks of the zoo that repeat the graph of another one of their family, in another size.

What is asked of every network of the zoo is asked of these in the slow tests.
"""

import pytest

OTHER_SIZES = frozenset(
    (
        *("mobilenet_v2", "mobilenet_v3_large"),
        *(f"efficientnet_b{size}" for size in range(1, 8)),
        *("convnext_small", "convnext_base", "convnext_large"),
        *(f"regnet_x_{size}" for size in ("400mf", "800mf", "1_6gf", "3_2gf")),
        *(f"regnet_y_{size}" for size in ("800mf", "1_6gf", "3_2gf")),
        *("regnet_x_8gf", "regnet_y_8gf"),
    )
)


def each_network(names, *, slow=frozenset()):
    """Parameters for a test of every network in `names`; of those in `slow` in the slow tests."""
    return [
        pytest.param(name, marks=[pytest.mark.slow] if name in OTHER_SIZES | slow else [])
        for name in names
    ]
