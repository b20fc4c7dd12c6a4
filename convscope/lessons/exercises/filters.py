"""Exercises on redundant filters: pruning, small weights, correlated maps."""

from fractions import Fraction

from convscope.arithmetic import Volume, convolution
from convscope.lessons.exercises.answer import choice, integer
from convscope.lessons.exercises.matrix import flat
from convscope.lessons.exercises.seeded_random import Rows, SeededRandom
from convscope.lessons.exercises.task import CommonMistake, Grid, Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import figure, several, sides


def pruned(rng: SeededRandom, level: int) -> Task:
    """Ask for the number of parameters after pruning some filters."""
    channels, size = rng.pick((1, 3) if level < 2 else (3, 6, 16, 32)), rng.pick((3, 5))
    filters = rng.pick((8, 10, 16) if level < 2 else (16, 32, 64, 96))
    gone = rng.between(1, filters // 2)
    left = filters - gone
    right = integer(left * (size * size * channels + 1))
    seen = several(channels, "map")
    return Task(
        question=(
            f"A layer has {filters} filters of {sides(size, size)} on {seen}, each with a bias. "
            f"{several(gone, 'filter').capitalize()} "
            f"{'is' if gone == 1 else 'are'} pruned. How many parameters are left in the layer?"
        ),
        answer=right,
        hint="K·(F·F·C + 1) parameters for the K filters that are left, of size F on C maps.",
        worked=solution(
            ("filters left", str(left), f"{filters} − {gone}"),
            ("parameters", right.text, f"{left}·({size}·{size}·{channels} + 1)"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(left * size * size * channels), "the biases are forgotten"),
                (integer(gone * (size * size * channels + 1)), "the pruned filters are counted"),
                (integer(filters * (size * size * channels + 1)), "nothing is removed"),
                (
                    integer(left * size * size * channels + filters),
                    "the biases of the pruned filters are kept",
                ),
                (integer(left * (size * size + 1)), "the input maps are forgotten"),
            ],
        ),
    )


def after(rng: SeededRandom, level: int) -> Task:
    """Ask what the next layer loses, or keeps, when filters of this one are pruned."""
    filters = rng.pick((8, 16) if level < 2 else (16, 32, 64))
    gone, later = rng.between(1, filters // 2), rng.pick((10, 16, 32, 64))
    size = rng.pick((3, 5))
    left, area = filters - gone, size * size
    layer = convolution(Volume(left, 16, 16), later, size)
    lost = level > 2 and bool(rng.between(0, 1))
    right = integer(later * area * gone if lost else layer.parameters)
    asked = (
        "does the second layer lose" if lost else "does the second layer then have, biases included"
    )
    formula = f"{later}·{size}·{size}·{gone}" if lost else f"{later}·({size}·{size}·{left} + 1)"
    return Task(
        question=(
            f"A layer of {filters} filters is followed by one of {later} filters of "
            f"{sides(size, size)}. {several(gone, 'filter').capitalize()} of the first "
            f"{'is' if gone == 1 else 'are'} pruned. How many parameters {asked}?"
        ),
        answer=right,
        hint=(
            "Removing a filter removes its map, and with the map a slice of every filter that "
            "reads it: K·(F·F·C + 1) parameters on the C maps that are left."
        ),
        worked=solution(
            ("maps left", str(left), f"{filters} − {gone}"), ("parameters", right.text, formula)
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(later * (area * filters + 1)), "the second layer is left unchanged"),
                (integer(later * area * left), "the biases are forgotten"),
                (integer(later * (area * gone + 1)), "the biases are removed too"),
                (integer(layer.parameters), "the remaining parameters are counted"),
                (integer(later * area * gone), "the lost parameters are counted"),
                (
                    integer((later - gone) * (area * filters + 1)),
                    "filters of the second layer are pruned",
                ),
                (integer(area * gone), "only one filter of the second layer is counted"),
            ],
        ),
    )


def both(rng: SeededRandom, level: int) -> Task:
    """Ask how many parameters two layers lose together."""
    channels, size = rng.pick((1, 3)), rng.pick((3, 5))
    filters = rng.pick((8, 16) if level < 3 else (16, 32, 64, 128))
    gone, later = rng.between(1, filters // 2), rng.pick((10, 16, 32))
    area = size * size
    first, second = gone * (area * channels + 1), later * area * gone
    right = integer(first + second)
    return Task(
        question=(
            f"Two layers of {sides(size, size)} filters: {filters} on {several(channels, 'map')}, "
            f"then {later} on the {filters} maps of the first, all with biases. "
            f"{several(gone, 'filter').capitalize()} of the first "
            f"{'is' if gone == 1 else 'are'} pruned. How many parameters are removed from both "
            "layers together?"
        ),
        answer=right,
        hint=(
            "Removing a filter of the first layer also removes its bias: F·F·C + 1 parameters. "
            "Each filter of the second layer loses a slice of F·F weights and keeps its bias."
        ),
        worked=solution(
            ("first", figure(first), f"{gone}·({size}·{size}·{channels} + 1)"),
            ("second", figure(second), f"{later}·{size}·{size}·{gone}"),
            ("together", right.text, f"{figure(first)} + {figure(second)}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(first), "the slices of the second layer are forgotten"),
                (integer(second), "the filters of the first layer are forgotten"),
                (integer(first - gone + second), "the biases of the first layer are forgotten"),
                (integer(first + second + later), "the biases of the second layer are counted too"),
                (integer(first + area * gone), "only one filter of the second layer loses a slice"),
            ],
        ),
    )


def smallest(rng: SeededRandom, level: int) -> Task:
    """Ask which filter is pruned first."""
    several_filters, side = 3 if level < 2 else 4, 2 if level < 3 else 3
    while True:
        kernels = [rng.rows(side, side, -4, 4) for _ in range(several_filters)]
        norms = [sum(map(abs, flat(kernel))) for kernel in kernels]
        sums = [sum(flat(kernel)) for kernel in kernels]
        flattest = [abs(one) for one in sums].index(min(map(abs, sums)))
        least = norms.index(min(norms))
        if norms.count(min(norms)) == 1 and len(set(sums)) == len(sums):
            break
    names = tuple(f"Filter {index}" for index in range(1, several_filters + 1))
    right = choice(names[least])
    totals = zip(names, norms, kernels, strict=True)
    return Task(
        question=(
            "The filter with the smallest weights is pruned first: the one with the smallest sum "
            "of absolute values. Which one is it?"
        ),
        answer=right,
        hint="Add the absolute values of each filter's weights.",
        worked=solution(
            *(
                (name, str(norm), " + ".join(str(abs(w)) for w in flat(kernel)))
                for name, norm, kernel in totals
            )
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (choice(names[sums.index(min(sums))]), "the weights are added with their signs"),
                (
                    choice(names[norms.index(max(norms))]),
                    "the filter with the largest weights is chosen",
                ),
                (choice(names[flattest]), "weights of opposite sign are allowed to cancel"),
            ],
        ),
        grids=tuple(Grid(name, kernel) for name, kernel in zip(names, kernels, strict=True)),
        choices=names,
    )


_SAME, _OTHER, _NONE = "+1: duplicates", "−1: one is the other's negative", "0: uncorrelated"


def correlation(rng: SeededRandom, level: int) -> Task:
    """Ask for the correlation of two small maps."""
    kind = rng.pick((_SAME, _OTHER, _NONE))
    one, other, text = _two_maps(rng, level, kind)
    product = Fraction(covariance(one, other), len(flat(one)))
    right = choice(kind)
    means = " and ".join(figure(_mean(rows)) for rows in (one, other))
    unlike = "maps with different values are assumed to be uncorrelated"
    mistakes: dict[str, list[CommonMistake]] = {
        _SAME: [(choice(_OTHER), "the sign of the sum is lost"), (choice(_NONE), unlike)],
        _OTHER: [(choice(_SAME), "the sign of the sum is lost"), (choice(_NONE), unlike)],
        _NONE: [(choice(wrong), "some cells are left out of the sum") for wrong in (_SAME, _OTHER)],
    }
    return Task(
        question=(
            "Two maps of one layer on the same image. Their correlation is one of three numbers: "
            "which? (Multiply the deviations of the cells from their map's mean, and add up.)"
        ),
        answer=right,
        hint=(
            "It is +1 if one map is the other times a positive factor, plus a constant; −1 if the "
            "factor is negative; 0 if the products of the deviations from the means add up to 0."
        ),
        worked=solution(("means", means, ""), ("sum of products", figure(product), text)),
        mistakes=distinct_mistakes(right, mistakes[kind]),
        grids=(Grid("First map", one), Grid("Second map", other)),
        choices=(_SAME, _NONE, _OTHER),
    )


def _two_maps(rng: SeededRandom, level: int, kind: str) -> tuple[Rows, Rows, str]:
    """Generate two maps with a correlation of +1, −1 or 0, and the reason."""
    height, width = (2, 2) if level < 2 else (2, 3) if level < 3 else (3, 3)
    while True:
        one = rng.rows(height, width, -3, 5)
        factor, shift = rng.between(1, level), rng.between(-3, 3)
        text = f"{factor}·first {'−' if shift < 0 else '+'} {abs(shift)}"
        if kind == _NONE:
            other = rng.rows(height, width, -3, 5)
            text = "the products of the deviations from the means add up to 0"
        else:
            text = f"second = {'−' if kind == _OTHER else ''}{text}"
            sign = -factor if kind == _OTHER else factor
            other = tuple(tuple(sign * value + shift for value in row) for row in one)
        spreads = covariance(one, one), covariance(other, other)
        if all(spreads) and one != other and (kind != _NONE or not covariance(one, other)):
            return one, other, text


def _mean(rows: Rows) -> Fraction:
    return Fraction(sum(flat(rows)), len(flat(rows)))


def covariance(one: Rows, other: Rows) -> int:
    """Return the sum of the products of the deviations from the means, times the cell count."""
    first, second = flat(one), flat(other)
    products = sum(a * b for a, b in zip(first, second, strict=True))
    return len(first) * products - sum(first) * sum(second)


FIXED = ()
GENERATORS = (pruned, after, smallest, both, correlation)
