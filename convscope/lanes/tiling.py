"""Convolutions by fewer products: Winograd's minimal filtering over tiles of 6x6 cells.

A tile of m x m units of a filter of r x r, m + r = 7, takes (m·r)² products as it is written, and
36 with both sides transformed: Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A. A 3x3 filter makes 16 units with 36
products instead of 144, a 5x5 filter 4 units with 36 instead of 100. The gradient of the filter is
the same identity read backwards: dg = Gᵀ[(A dY Aᵀ) ⊙ (Bᵀ d B)]G.

The matrices are Cook's and Toom's for the points 0, ±5/8, ±3/2 and infinity. With them results lie
within about three times the rounding of plain sums (0, ±1, ±2 lose twice as much).

Source: Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, arXiv 1509.09308.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import ceil, prod

from convscope.lanes.memory import spaced

Matrix = tuple[tuple[float, ...], ...]

SIDE = 6
"""Cells of a tile's side."""
_POINTS = tuple(Fraction(p) for p in ("0", "5/8", "-5/8", "3/2", "-3/2"))


@cache
def inputs_matrix() -> Matrix:
    """Bᵀ (6, 6): row i is the polynomial whose roots are all points but number i."""
    rows = [[*_polynomial([*_POINTS[:i], *_POINTS[i + 1 :]]), Fraction(0)] for i in range(SIDE - 1)]
    return _floats([*rows, _polynomial(_POINTS)])


@cache
def filter_matrix(kernel: int) -> Matrix:
    """G (6, r): the powers of each point, by what makes the identity exact."""
    rows = [
        [
            point**k / prod(point - other for other in _POINTS if other != point)
            for k in range(kernel)
        ]
        for point in _POINTS
    ]
    return _floats([*rows, [Fraction(k == kernel - 1) for k in range(kernel)]])


@cache
def units_matrix(kernel: int) -> Matrix:
    """A (6, m): the powers of each point."""
    count = SIDE + 1 - kernel
    rows = [[point**k for k in range(count)] for point in _POINTS]
    return _floats([*rows, [Fraction(k == count - 1) for k in range(count)]])


def transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _polynomial(roots: "list[Fraction] | tuple[Fraction, ...]") -> list[Fraction]:
    """The coefficients of the product of (x - root), the lowest power first."""
    found = [Fraction(1)]
    for root in roots:
        found = [
            a - root * b for a, b in zip([Fraction(0), *found], [*found, Fraction(0)], strict=True)
        ]
    return found


def _floats(rows: list[list[Fraction]]) -> Matrix:
    return tuple(tuple(float(number) for number in row) for row in rows)


@dataclass(frozen=True)
class Tiling:
    """Tiles that cover `height` x `width` units of `outs` maps, each from `ins` maps.

    `kernel` is the filter's side, `products` how many plain sums would take for each pair of maps;
    the last tiles may reach beyond the edge.
    """

    kernel: int
    height: int
    width: int
    outs: int
    ins: int
    products: int

    @property
    def step(self) -> int:
        """Units of a tile's side."""
        return SIDE + 1 - self.kernel

    @property
    def down(self) -> int:
        return ceil(self.height / self.step)

    @property
    def across(self) -> int:
        return ceil(self.width / self.step)

    @property
    def per_cell(self) -> int:
        """Floats of the transformed filters for one cell."""
        return 16 * spaced(self.outs * self.ins // 16 + 1)

    @property
    def filters(self) -> int:
        """Floats of all transformed filters."""
        return SIDE**2 * self.per_cell

    @property
    def at_once(self) -> int:
        """Tiles whose units are summed together."""
        return min(2, self.across)

    @property
    def scratch(self) -> int:
        """Vectors for the transformed inputs of these tiles, and for the sums of their products."""
        return SIDE**2 * sum(spaced(maps * self.at_once) for maps in (self.ins, self.outs))

    @property
    def in_a_row(self) -> int:
        """Tiles whose products with gradients are summed together."""
        return ceil(self.across / ceil(self.across / 8))

    @property
    def scratch_for_weights(self) -> int:
        """Vectors for both sides of these tiles, and for the sums."""
        sides = sum(spaced(maps * self.in_a_row) for maps in (self.ins, self.outs))
        return SIDE**2 * (sides + spaced(self.outs * self.ins))

    def in_a_row_by_maps(self, lanes: int) -> int:
        """The same where maps are in the lanes, of a step whose volumes share the cache."""
        each = 4 * lanes * SIDE**2 * (2 * self.ins + self.outs)
        most = max(1, _BY_MAPS_BYTES // each)
        return ceil(self.across / ceil(self.across / min(8, most)))

    @property
    def plain_cycles(self) -> float:
        """About how long plain sums take for a micro-batch, as measured with 8 lanes."""
        return self.products * self.ins * self.outs / 2 / 0.88

    @property
    def cycles(self) -> float:
        """About how long tiles take."""
        products = SIDE**2 * self.ins * self.outs / 2 / 0.85
        return self.down * self.across * (products + _TRANSFORM * (self.ins + self.outs))

    @property
    def cycles_for_weights(self) -> float:
        """Sums that do not stay in the cache come and go for every row of tiles."""
        pairs = self.ins * self.outs
        travels = pairs > _IN_CACHE
        rows = self.down * ceil(self.across / self.in_a_row)
        return self.cycles + travels * rows * _TRAVEL * pairs

    @property
    def cycles_by_maps(self) -> float:
        """Sums over images stay in the cache, for which one side is transposed."""
        return self.cycles + self.down * self.across * SIDE**2 * self.ins * _TURN


_TRANSFORM = 90  # cycles of one map's tile, there or back
_BY_MAPS_BYTES = 300_000  # of tiles and gradients that are multiplied at once
_TURN = 1.5  # cycles to transpose a vector
_TRAVEL = 100  # cycles for the sums of a pair of maps
_IN_CACHE = 400  # pairs of maps whose sums take half of a core's cache
