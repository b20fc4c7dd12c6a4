"""Exercises on images of other sizes: what reaches the end of a network, and what fits there."""

from convscope.arithmetic import Volume
from convscope.lessons.exercises.answer import integer, size_of
from convscope.lessons.exercises.network import Net, Row, cost_of, made
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.task import Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import figure, sides

_TOO_SMALL = 3  # sides of the last maps that are drawn again


def _net(rng: SeededRandom, level: int) -> Net:
    """Draw a network of convolutions and pooling, on images that leave maps of 4×4 or more."""
    while True:
        rows = [Row("conv1", rng.pick((4, 6, 8)), rng.pick((3, 5))), Row("pool1", 0, 2, 2)]
        if level > 1:
            rows.append(Row("conv2", rng.pick((8, 16)), 3))
            rows.append(Row("pool2", 0, 2, 2))
        if level > 3:
            rows.append(Row("conv3", rng.pick((16, 32)), 3, 1, 1))
        side = rng.between(16, 32) if level < 2 else rng.between(24, 40 + 16 * level)
        net = Net("A network", 1 if level < 3 else 3, side, tuple(rows))
        if _last(net).height > _TOO_SMALL:
            return net


def _last(net: Net) -> Volume:
    row = net.rows[-1]
    return cost_of(row, net.before(row.name)).output


def _steps(net: Net) -> list[tuple[str, str, str]]:
    return [(row.name, made(net, row.name).text, "") for row in net.rows]


def flattened(rng: SeededRandom, level: int) -> Task:
    """Ask how many values reach the dense layer."""
    net = _net(rng, level)
    last = _last(net)
    right = integer(last.units)
    return Task(
        question=(
            f"{net.seen}. After these layers all values are flattened into one vector. How many "
            "values does it have?"
        ),
        answer=right,
        hint="Carry the size through the table; C maps of H×W flatten to C·H·W values.",
        worked=solution(
            *_steps(net),
            ("vector", right.text, f"{last.channels}·{last.height}·{last.width}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(last.height * last.width), "only one map is flattened"),
                (integer(last.channels), "each map is counted as one value"),
                (integer(net.before(net.rows[-1].name).units), "the last layer is forgotten"),
                (
                    integer(last.channels * net.side * net.side),
                    "the size of the image is used instead of the size of the maps",
                ),
                (
                    integer(last.channels * (last.height + 1) * (last.width + 1)),
                    "sizes are rounded up",
                ),
            ],
        ),
        table=net.table,
    )  # fmt: skip


def missing(rng: SeededRandom, level: int) -> Task:
    """Ask by how many values a larger image misses the dense layer."""
    net = _net(rng, level)
    larger = Net(net.title, net.channels, net.side + 4 * rng.between(1, 6), net.rows)
    expected, arriving = _last(net), _last(larger)
    right = integer(arriving.units - expected.units)
    return Task(
        question=(
            f"{net.seen}; all values of its last maps go into a dense layer, which has weights for "
            f"exactly so many. Now an image of {sides(larger.side, larger.side)} comes. How many "
            "values too many reach the dense layer?"
        ),
        answer=right,
        hint="Carry both sizes through the table, flatten to C·H·W values, and subtract.",
        worked=solution(
            ("expected", figure(expected.units),
             f"{expected.channels}·{expected.height}·{expected.width}"),
            ("arriving", figure(arriving.units),
             f"{arriving.channels}·{arriving.height}·{arriving.width}"),
            ("too many", right.text, f"{figure(arriving.units)} − {figure(expected.units)}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(arriving.units), "the values that arrive are given"),
                (integer(right_of_one_map(expected, arriving)), "only one map is counted"),
                (integer(larger.side**2 - net.side**2), "the pixels are compared, not the values"),
            ],
        ),
        table=net.table,
    )  # fmt: skip


def right_of_one_map(expected: Volume, arriving: Volume) -> int:
    """By how many values one map of the larger image is larger."""
    return arriving.height * arriving.width - expected.height * expected.width


def averaged(rng: SeededRandom, level: int) -> Task:
    """Ask for the parameters of a dense layer behind global average pooling."""
    net = _net(rng, level)
    classes = rng.pick((2, 5, 10, 20, 100))
    last = _last(net)
    right = integer(classes * (last.channels + 1))
    return Task(
        question=(
            f"{net.seen}. Behind these layers, global average pooling takes the mean of each map, "
            f"and a dense layer makes scores of {classes} classes. How many parameters does the "
            "dense layer have, biases included?"
        ),
        answer=right,
        hint=(
            "Global average pooling leaves one value for each map, whatever its size. K units on "
            "N inputs have K·(N + 1) parameters."
        ),
        worked=solution(
            ("values", str(last.channels), "one for each map"),
            ("parameters", right.text, f"{classes}·({last.channels} + 1)"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(classes * (last.units + 1)), "the maps are flattened, not averaged"),
                (integer(classes * last.channels), "the biases are forgotten"),
                (integer(classes * last.channels + 1), "one bias is counted for the whole layer"),
                (integer(classes * 2), "the maps are averaged to a single value"),
            ],
        ),
        table=net.table,
    )


def score_map(rng: SeededRandom, level: int) -> Task:
    """Ask for the size of the map of scores of a network without dense layers."""
    net = _net(rng, level)
    larger = Net(net.title, net.channels, net.side + 4 * rng.between(1, 4 * level), net.rows)
    window, arriving = _last(net).height, _last(larger).height
    side = arriving - window + 1
    right = size_of(side, side)
    return Task(
        question=(
            f"{net.seen}. Its dense layer is written as a convolution: a filter for each class, as "
            "large as the last maps, stride 1, no padding. What is the size of the map of scores "
            f"that one class has in an image of {sides(larger.side, larger.side)}?"
        ),
        answer=right,
        hint=(
            "Carry both sizes through the table. A filter as large as the maps of the small image "
            "has M − F + 1 positions along each axis of the large one's."
        ),
        worked=solution(
            ("filter", sides(window, window), f"the last maps for {net.side}×{net.side}"),
            ("maps", sides(arriving, arriving), f"for {larger.side}×{larger.side}"),
            ("scores", right.text, f"{arriving} − {window} + 1"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (size_of(1, 1), "the large image is treated as the small one"),
                (size_of(arriving, arriving), "the filter is counted as 1×1"),
                (size_of(side - 1, side - 1) if side > 1 else None, "the + 1 is forgotten"),
                (
                    size_of(larger.side - net.side + 1, larger.side - net.side + 1),
                    "the sizes of the images are subtracted instead of the sizes of the maps",
                ),
            ],
        ),
        table=net.table,
    )


FIXED = ()
GENERATORS = (flattened, averaged, missing, score_map)
