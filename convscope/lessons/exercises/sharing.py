"""Exercises on weight sharing: convolutional, locally connected and dense layers."""

import math

from convscope.arithmetic import (
    Cost,
    Volume,
    dense,
    derive_convolution,
    derive_dense,
    locally_connected,
)
from convscope.lessons.exercises.answer import integer
from convscope.lessons.exercises.layer import Layer, draw
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.task import CommonMistake, Task, distinct_mistakes, solution
from convscope.lessons.exercises.volumes import ask_parameters
from convscope.lessons.exercises.words import tidied, volume


def _draw(rng: SeededRandom, level: int) -> Layer:
    """Draw a layer without dilation, and without groups at low levels."""
    while True:
        layer = draw(rng, level)
        if layer.dilation == 1 and (level > 3 or layer.groups == 1):
            return layer


def shared(rng: SeededRandom, level: int) -> Task:
    return ask_parameters(_draw(rng, level))


def ask_local(layer: Layer) -> Task:
    """Ask for the number of parameters without weight sharing."""
    cost = locally_connected(
        layer.input,
        layer.filters,
        layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
        groups=layer.groups,
    )
    right = integer(cost.parameters)
    worked = tidied(
        derive_convolution(layer.input, layer.axes, cost, groups=layer.groups, local=True)
    )
    rows = [row for row in worked.rows if row[0] in ("output", "parameters", "")]
    rows = [(name, layer.made.text if name == "output" else text, how) for name, text, how in rows]
    return Task(
        question=(
            f"{layer.image} goes into a locally connected layer of {layer.filters} maps: windows "
            f"of {layer.window}, and each unit has its own filter and bias.{layer.grouped} "
            "How many parameters does it have?"
        ),
        answer=right,
        hint=(
            "Nothing is shared: H·W·K·(F·F·C + 1) parameters for K maps of H·W units, each with "
            "a filter of size F on C maps."
        ),
        worked=solution(*rows),
        mistakes=distinct_mistakes(right, _local_mistakes(layer, cost)),
    )


def _local_mistakes(layer: Layer, cost: Cost) -> list[CommonMistake]:
    (height, width), area = layer.size, math.prod(layer.kernel)
    one = area * layer.channels // layer.groups + 1
    return [
        (integer(layer.cost.parameters), "the weights are shared, as in a convolution"),
        (integer(cost.weights), "the biases are forgotten"),
        (integer(cost.weights + layer.filters), "one bias is counted for each map"),
        (integer(height * width * one), "only one map is counted"),
        (
            integer(layer.height * layer.width * layer.filters * one),
            "the size of the input is used instead of the size of the maps",
        ),
        (
            integer(height * width * layer.filters * (area + 1)),
            "the input maps are forgotten in the filters",
        ),
    ]


def local(rng: SeededRandom, level: int) -> Task:
    return ask_local(_draw(rng, level))


def ask_dense(before: Volume, units: int) -> Task:
    """Ask for the number of parameters of a dense layer."""
    cost = dense(before, units)
    right, inputs = integer(cost.parameters), before.units
    text = volume(before.channels, before.height, before.width)
    rows = [row for row in tidied(derive_dense(before, cost)).rows if row[0] == "parameters"]
    return Task(
        question=(
            f"A dense layer of {units:,} units sees all of a volume of {text}. How many "
            "parameters does it have, biases included?"
        ),
        answer=right,
        hint="K units on N inputs have K·(N + 1) parameters: a weight per input and a bias.",
        worked=solution(*rows),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(cost.weights), "the biases are forgotten"),
                (integer(cost.weights + 1), "one bias is counted for the whole layer"),
                (integer(cost.weights + inputs), "a bias is counted for each input"),
                (integer(units * (before.height * before.width + 1)), "the maps are forgotten"),
                (integer(units + inputs), "units and inputs are added"),
            ],
        ),
    )


def full(rng: SeededRandom, level: int) -> Task:
    """Ask about a dense layer on a volume."""
    side = rng.between(2, 8 * level)
    width = side if level < 3 else rng.between(2, 8 * level)
    maps = rng.pick((1, 3) if level < 2 else (3, 6, 16, 32, 64))
    return ask_dense(Volume(maps, side, width), rng.pick((2, 4, 5, 8, 10, 20, 50, 84, 100, 120)))


def connections(rng: SeededRandom, level: int) -> Task:
    """Ask for the number of connections of a convolution."""
    layer = _draw(rng, level)
    (height, width), cost = layer.size, layer.cost
    right = integer(cost.connections)
    return Task(
        question=(
            f"{layer.image} is convolved with {layer.filters} filters of size "
            f"{layer.window}.{layer.grouped} How many connections does the layer have: links from "
            "a unit to an input in its window, padding included, or to its bias?"
        ),
        answer=right,
        hint="Each of the H·W·K units has F·F·C connections to the input and one to its bias.",
        worked=layer.worked("output", "connections"),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(cost.multiply_adds), "the connections to the biases are forgotten"),
                (integer(cost.parameters), "parameters are counted; many connections share one"),
                (integer(cost.connections // layer.filters), "only one map is counted"),
                (
                    integer(layer.height * layer.width * cost.parameters),
                    "the size of the input is used instead of the size of the maps",
                ),
                (
                    integer(height * width * layer.filters * (math.prod(layer.kernel) + 1)),
                    "the input maps are forgotten",
                ),
            ],
        ),
    )


def times(rng: SeededRandom, level: int) -> Task:
    """Ask for the factor by which weight sharing reduces the parameters."""
    layer = _draw(rng, level)
    height, width = layer.size
    right = integer(height * width)
    return Task(
        question=(
            f"{layer.image} is convolved with {layer.filters} filters of size {layer.window}. If "
            "the layer were locally connected, with a filter and a bias for every unit, how many "
            "times as many parameters would it have?"
        ),
        answer=right,
        hint=(
            "A convolution has one filter for all H·W positions of a map, a locally connected "
            "layer one for each."
        ),
        worked=solution(
            *layer.worked("output").rows, ("times", right.text, f"{height}·{width} positions")
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(height * width * layer.filters), "the filters are counted too"),
                (integer(layer.height * layer.width), "the positions of the input are counted"),
                (integer((height - 1) * (width - 1)), "the + 1 is forgotten"),
                (integer(height), "one axis is counted"),
                (integer(math.prod(layer.kernel)), "the cells of the filter are counted"),
            ],
        ),
    )


def _lecture(filters: int, kernel: int) -> Layer:
    return Layer(channels=3, height=32, width=32, filters=filters, kernel=(kernel, kernel))


FIXED = (
    lambda: ask_parameters(_lecture(6, 5)),
    lambda: ask_local(_lecture(10, 3)),
    lambda: ask_dense(Volume(3, 32, 32), 10),
)
GENERATORS = (local, full, connections, times, shared)
