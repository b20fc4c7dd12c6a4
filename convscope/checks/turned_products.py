"""The largest product of two signatures in any of the eight turns, for blocks of images.

A mirror changes the sign of the coefficients whose row or column is odd. So the products of all
four mirrors are sums and differences of four products: of the coefficients of even rows and
columns, of even rows and odd columns, and so on. The other four turns swap rows and columns before.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.checks.signatures import N, Signatures, turned

ROWS, COLUMNS = 64, 256
"""Images of a block at most. Its products stay in a core's cache, and OpenBLAS computes matrix
products of this size in the calling thread: its own threads wait for one another, which takes
minutes where the cores have other work."""

_SWAPPED = 4  # the turn that swaps rows and columns


def by_parity(signatures: Signatures) -> NDArray[np.float32]:
    """(4, n, LENGTH / 4) the coefficients of even rows and columns, of even rows and odd columns,
    of odd rows and even columns, of odd rows and columns.
    """
    square = signatures.reshape(-1, N // 2, 2, N // 2, 2)
    return square.transpose(2, 4, 0, 1, 3).reshape(4, len(signatures), -1)


def by_swap_and_parity(signatures: Signatures) -> NDArray[np.float32]:
    """(2, 4, n, LENGTH / 4) `by_parity` of the images, and of their transposes."""
    return np.stack([by_parity(signatures), by_parity(turned(signatures, _SWAPPED))])


def largest_products(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(rows, columns) the largest product of each pair of images, over the turns of the first.

    Args:
        first: (2, 4, rows, LENGTH / 4) by `by_swap_and_parity`.
        second: (4, LENGTH / 4, columns) by `by_parity`, transposed.
    """
    ee, eo, oe, oo = np.moveaxis(first @ second, 1, 0)
    # With signs s and t of the mirrors a product is (ee + s t oo) + (s eo + t oe).
    equal_signs = ee + oo
    other_signs = np.subtract(ee, oo, out=ee)
    np.add(eo, oe, out=oo)
    np.subtract(eo, oe, out=eo)
    equal_signs += np.abs(oo, out=oo)
    other_signs += np.abs(eo, out=eo)
    best = np.maximum(equal_signs, other_signs, out=equal_signs)
    return np.maximum(best[0], best[1])
