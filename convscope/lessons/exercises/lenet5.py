"""Exercises on LeNet-5: its table, layer by layer, and what the 1998 network did differently."""

from convscope.geometry import Cost, Volume, convolution, pooling
from convscope.lessons.exercises.answer import whole
from convscope.lessons.exercises.dice import Dice
from convscope.lessons.exercises.layer import PARAMETER_HINT
from convscope.lessons.exercises.network import (
    Net,
    Row,
    ask_parameters,
    ask_volume,
    cost_of,
    parameters_worked,
)
from convscope.lessons.exercises.task import Task, mistaken, solved
from convscope.lessons.exercises.words import figure, sides, volume


def lenet5(channels: int = 1, side: int = 32, wide: tuple[int, ...] = (6, 16, 120, 84)) -> Net:
    """The lecture's table, with other filters and images where a level asks for them."""
    one, two, three, four = wide
    rows = (
        Row("conv1", one, 5),
        Row("pool1", 0, 2, 2),
        Row("conv2", two, 5),
        Row("pool2", 0, 2, 2),
        Row("conv3", three, 5),
        Row("fc1", four, 0),
        Row("fc2", 10, 0),
    )
    real = (channels, side, wide) == (1, 32, (6, 16, 120, 84))
    return Net("LeNet-5" if real else "A variant of LeNet-5", channels, side, rows)


def _varied(dice: Dice, level: int) -> Net:
    if level < 2:
        return lenet5()
    wide = (
        dice.pick((4, 6, 8, 10, 12, 20)),
        dice.pick((12, 16, 20, 24, 32, 50)),
        dice.pick((60, 80, 120, 150)),
        dice.pick((50, 64, 84, 100)),
    )
    return lenet5(dice.pick((1, 3)), 32 if level < 3 else 32 + 4 * dice.between(0, 8), wide)


def parameters(dice: Dice, level: int) -> Task:
    net = _varied(dice, level)
    return ask_parameters(net, dice.pick([row.name for row in net.rows if row.filters]))


def output(dice: Dice, level: int) -> Task:
    net = _varied(dice, level)
    return ask_volume(net, dice.pick([row.name for row in net.rows if row.size]))


def subsampling(dice: Dice, level: int) -> Task:
    """The pooling of 1998, which learns."""
    maps = dice.pick((6, 16) if level < 2 else (6, 8, 10, 12, 16, 20, 24))
    side = dice.pick((28, 10) if level < 2 else (28, 10, 12, 14, 20, 24, 32))
    before = Volume(maps, side, side)
    cost = pooling(before, 2, trainable=True)
    asks_parameters = bool(dice.between(0, 1))
    right = whole(cost.parameters if asks_parameters else cost.connections)
    asked = "parameters" if asks_parameters else "connections"
    half = side // 2
    links = "4 to its cells and 1 to the bias"
    formula = f"{maps}·(1 + 1)" if asks_parameters else f"{half}·{half}·{maps}·(2·2 + 1)"
    row = ("parameters" if asks_parameters else "connections", right.told, formula)
    return Task(
        question=(
            f"In 1998 LeNet-5 pooled by subsampling: the sum of a window of 2×2, stride 2, times "
            f"one weight of the map, plus one bias of the map. On {volume(maps, side, side)}, how "
            f"many {asked} does it have?" + ("" if asks_parameters else f" A unit has {links}.")
        ),
        answer=right,
        hint=(
            "Every map has one weight and one bias of its own, whatever its size; every unit has a "
            "connection to each cell of its window and one to the bias."
        ),
        worked=solved(row),
        mistakes=mistaken(
            right,
            [
                (whole(maps), "the biases are forgotten"),
                (whole(maps * 5), "a weight is counted for each cell of the window"),
                (whole(2), "one map is counted"),
                (whole(cost.parameters), "parameters are counted"),
                (whole(cost.connections), "connections are counted"),
                (whole(half * half * maps * 4), "the connections to the bias are forgotten"),
                (whole(half * half * 5), "only one map is counted"),
                (whole(side * side * maps * 5), "the size before pooling is taken"),
            ],
        ),
    )


def linked(dice: Dice, level: int) -> Task:
    """The layer of 1998 in which a filter sees chosen maps only."""
    filters = 16 if level < 2 else dice.pick((8, 10, 12, 16, 20, 24))
    below = 6 if level < 2 else dice.pick((4, 6, 8, 10))
    links = 60 if level < 2 else dice.between(filters * 2, filters * below - 1)
    side = 5 if level < 3 else dice.pick((3, 5))
    cost = convolution(Volume(below, 14, 14), filters, side, links=links)
    right = whole(cost.parameters)
    weights = links * side * side
    return Task(
        question=(
            f"In 1998 a filter of the second convolution saw only chosen maps. Suppose {filters} "
            f"filters of {sides(side, side)} over {below} maps have {links} slices in all, one "
            "for each map that a filter sees, and one bias each. How many parameters is that?"
        ),
        answer=right,
        hint="Each slice has F·F weights; each filter has one bias, however many slices it has.",
        worked=solved(("parameters", right.told, f"{links}·{side}·{side} + {filters}")),
        mistakes=mistaken(
            right,
            [
                (whole(weights), "the biases are forgotten"),
                (whole(weights + links), "a bias is counted for each slice"),
                (whole(filters * (side * side * below + 1)), "every filter is given every map"),
                (whole(filters * (side * side + 1)), "one slice is counted for each filter"),
                (whole(weights + below), "a bias is counted for each map below"),
            ],
        ),
    )


def total(dice: Dice, level: int) -> Task:
    """Several layers of the table together."""
    net = _varied(dice, level)
    names = [row.name for row in net.rows if row.filters]
    first = dice.between(0, len(names) - 2)
    last = dice.between(first + 1, min(len(names) - 1, first + level))
    chosen = names[first : last + 1]
    costs = [cost_of(net.row(name), net.before(name)) for name in chosen]
    right = whole(sum(cost.parameters for cost in costs))
    rows = [
        (
            name,
            figure(cost.parameters),
            parameters_worked(net.row(name), net.before(name)).rows[0][2],
        )
        for name, cost in zip(chosen, costs, strict=True)
    ]
    told = ", ".join(chosen[:-1]) + f" and {chosen[-1]}"
    dense_biases = sum(cost.biases for cost in costs)
    return Task(
        question=f"{net.seen}. How many parameters do {told} have together, biases included?",
        answer=right,
        hint=f"{PARAMETER_HINT} A dense layer of K units on N inputs has K·(N + 1).",
        worked=solved(*rows, ("together", right.told, " + ".join(row[1] for row in rows))),
        mistakes=mistaken(
            right,
            [
                (whole(sum(cost.weights for cost in costs)), "the biases are forgotten"),
                (whole(_without(costs, 0)), f"{chosen[0]} is left out"),
                (whole(_without(costs, -1)), f"{chosen[-1]} is left out"),
                (
                    whole(sum(cost.weights for cost in costs) + len(costs)),
                    "one bias is counted for each layer",
                ),
                (whole(dense_biases), "only the biases are counted"),
            ],
        ),
        table=net.table,
    )


def _without(costs: list[Cost], place: int) -> int:
    return sum(cost.parameters for cost in costs) - costs[place].parameters


FIRST = (
    lambda: ask_parameters(lenet5(), "conv1"),
    lambda: ask_volume(lenet5(), "pool2"),
)
KINDS = (parameters, output, linked, total, subsampling)
