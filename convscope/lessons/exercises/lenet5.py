"""Exercises on LeNet-5: its table, layer by layer, and the differences of the 1998 network."""

from convscope.arithmetic import Cost, Volume, convolution, pooling
from convscope.lessons.exercises.answer import integer
from convscope.lessons.exercises.layer import PARAMETER_HINT
from convscope.lessons.exercises.network import (
    Net,
    Row,
    ask_parameters,
    ask_volume,
    cost_of,
    parameters_worked,
)
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.task import Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import figure, sides, volume


def lenet5(channels: int = 1, side: int = 32, widths: tuple[int, ...] = (6, 16, 120, 84)) -> Net:
    """Return the lecture's table, or a variant with other images and numbers of filters."""
    one, two, three, four = widths
    rows = (
        Row("conv1", one, 5),
        Row("pool1", 0, 2, 2),
        Row("conv2", two, 5),
        Row("pool2", 0, 2, 2),
        Row("conv3", three, 5),
        Row("fc1", four, 0),
        Row("fc2", 10, 0),
    )
    real = (channels, side, widths) == (1, 32, (6, 16, 120, 84))
    return Net("LeNet-5" if real else "A variant of LeNet-5", channels, side, rows)


def _varied(rng: SeededRandom, level: int) -> Net:
    if level < 2:
        return lenet5()
    widths = (
        rng.pick((4, 6, 8, 10, 12, 20)),
        rng.pick((12, 16, 20, 24, 32, 50)),
        rng.pick((60, 80, 120, 150)),
        rng.pick((50, 64, 84, 100)),
    )
    return lenet5(rng.pick((1, 3)), 32 if level < 3 else 32 + 4 * rng.between(0, 8), widths)


def parameters(rng: SeededRandom, level: int) -> Task:
    net = _varied(rng, level)
    return ask_parameters(net, rng.pick([row.name for row in net.rows if row.filters]))


def output(rng: SeededRandom, level: int) -> Task:
    net = _varied(rng, level)
    return ask_volume(net, rng.pick([row.name for row in net.rows if row.size]))


def subsampling(rng: SeededRandom, level: int) -> Task:
    """Ask about the pooling of 1998, which has parameters."""
    maps = rng.pick((6, 16) if level < 2 else (6, 8, 10, 12, 16, 20, 24))
    side = rng.pick((28, 10) if level < 2 else (28, 10, 12, 14, 20, 24, 32))
    before = Volume(maps, side, side)
    cost = pooling(before, 2, trainable=True)
    asks_parameters = bool(rng.between(0, 1))
    right = integer(cost.parameters if asks_parameters else cost.connections)
    asked = "parameters" if asks_parameters else "connections"
    half = side // 2
    links = "4 to its cells and 1 to the bias"
    formula = f"{maps}·(1 + 1)" if asks_parameters else f"{half}·{half}·{maps}·(2·2 + 1)"
    row = ("parameters" if asks_parameters else "connections", right.text, formula)
    return Task(
        question=(
            f"In 1998 LeNet-5 pooled by subsampling: the sum of a window of 2×2, stride 2, times "
            f"one weight of the map, plus one bias of the map. On {volume(maps, side, side)}, how "
            f"many {asked} does it have?" + ("" if asks_parameters else f" A unit has {links}.")
        ),
        answer=right,
        hint=(
            "Every map has its own weight and bias, whatever its size; every unit has a "
            "connection to each cell of its window and one to the bias."
        ),
        worked=solution(row),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(maps), "the biases are forgotten"),
                (integer(maps * 5), "a weight is counted for each cell of the window"),
                (integer(2), "only one map is counted"),
                (integer(cost.parameters), "parameters are counted instead of connections"),
                (integer(cost.connections), "connections are counted instead of parameters"),
                (integer(half * half * maps * 4), "the connections to the bias are forgotten"),
                (integer(half * half * 5), "only one map is counted"),
                (integer(side * side * maps * 5), "the size before pooling is used"),
            ],
        ),
    )


def linked(rng: SeededRandom, level: int) -> Task:
    """Ask about the layer of 1998 in which a filter reads only some maps."""
    filters = 16 if level < 2 else rng.pick((8, 10, 12, 16, 20, 24))
    below = 6 if level < 2 else rng.pick((4, 6, 8, 10))
    links = 60 if level < 2 else rng.between(filters * 2, filters * below - 1)
    side = 5 if level < 3 else rng.pick((3, 5))
    cost = convolution(Volume(below, 14, 14), filters, side, links=links)
    right = integer(cost.parameters)
    weights = links * side * side
    return Task(
        question=(
            f"In 1998 a filter of the second convolution saw only chosen maps. Suppose {filters} "
            f"filters of {sides(side, side)} over {below} maps have {links} slices in all, one "
            "for each map that a filter sees, and one bias each. How many parameters is that?"
        ),
        answer=right,
        hint="Each slice has F·F weights; each filter has one bias, however many slices it has.",
        worked=solution(("parameters", right.text, f"{links}·{side}·{side} + {filters}")),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(weights), "the biases are forgotten"),
                (integer(weights + links), "a bias is counted for each slice"),
                (integer(filters * (side * side * below + 1)), "every filter reads every map"),
                (integer(filters * (side * side + 1)), "one slice is counted for each filter"),
                (integer(weights + below), "a bias is counted for each input map"),
            ],
        ),
    )


def total(rng: SeededRandom, level: int) -> Task:
    """Ask for the parameters of several layers together."""
    net = _varied(rng, level)
    names = [row.name for row in net.rows if row.filters]
    first = rng.between(0, len(names) - 2)
    last = rng.between(first + 1, min(len(names) - 1, first + level))
    chosen = names[first : last + 1]
    costs = [cost_of(net.row(name), net.before(name)) for name in chosen]
    right = integer(sum(cost.parameters for cost in costs))
    rows = [
        (
            name,
            figure(cost.parameters),
            parameters_worked(net.row(name), net.before(name)).rows[0][2],
        )
        for name, cost in zip(chosen, costs, strict=True)
    ]
    text = ", ".join(chosen[:-1]) + f" and {chosen[-1]}"
    dense_biases = sum(cost.biases for cost in costs)
    return Task(
        question=f"{net.seen}. How many parameters do {text} have together, biases included?",
        answer=right,
        hint=f"{PARAMETER_HINT} A dense layer of K units on N inputs has K·(N + 1).",
        worked=solution(*rows, ("together", right.text, " + ".join(row[1] for row in rows))),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(sum(cost.weights for cost in costs)), "the biases are forgotten"),
                (integer(_without(costs, 0)), f"{chosen[0]} is left out"),
                (integer(_without(costs, -1)), f"{chosen[-1]} is left out"),
                (
                    integer(sum(cost.weights for cost in costs) + len(costs)),
                    "one bias is counted for each layer",
                ),
                (integer(dense_biases), "only the biases are counted"),
            ],
        ),
        table=net.table,
    )


def _without(costs: list[Cost], index: int) -> int:
    return sum(cost.parameters for cost in costs) - costs[index].parameters


FIXED = (
    lambda: ask_parameters(lenet5(), "conv1"),
    lambda: ask_volume(lenet5(), "pool2"),
)
GENERATORS = (parameters, output, linked, total, subsampling)
