"""Exercises on groups of filters: what a filter sees, and the weights and edges that are saved."""

import math
from dataclasses import replace

from convscope.lessons.exercises.answer import integer
from convscope.lessons.exercises.layer import Layer
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.task import Task, distinct_mistakes, solution
from convscope.lessons.exercises.volumes import ask_parameters
from convscope.lessons.exercises.words import figure, several, sides


def _draw(rng: SeededRandom, level: int) -> Layer:
    """Draw a layer in groups."""
    groups = 2 if level < 3 else rng.pick((2, 4, 8))
    side = rng.between(6, 14) if level < 2 else rng.between(7, 28)
    kernel = rng.pick((3, 5))
    return Layer(
        channels=groups * rng.pick((2, 3, 4, 8) if level < 2 else (8, 12, 16, 24, 48, 96)),
        height=side,
        width=side,
        filters=groups * rng.pick((2, 4, 5) if level < 2 else (8, 16, 32, 48, 128)),
        kernel=(kernel, kernel),
        padding=kernel // 2,
        groups=groups,
    )


def grouped(rng: SeededRandom, level: int) -> Task:
    return ask_parameters(_draw(rng, level))


def sees(rng: SeededRandom, level: int) -> Task:
    """Ask how many weights one filter of a group has."""
    layer = _draw(rng, level)
    maps, area = layer.channels // layer.groups, math.prod(layer.kernel)
    right = integer(area * maps)
    return Task(
        question=(
            f"A layer has {layer.filters} filters of {sides(*layer.kernel)} on {layer.channels} "
            f"maps, in {layer.groups} groups: maps and filters are divided equally, and a filter "
            "reads only the maps of its group. How many weights does one filter have, without its "
            "bias?"
        ),
        answer=right,
        hint="With G groups a filter reads C/G of C maps and has F·F·C/G weights.",
        worked=solution(
            ("maps of a group", str(maps), f"{layer.channels}/{layer.groups}"),
            ("weights", right.text, f"{layer.kernel[0]}·{layer.kernel[1]}·{maps}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(area * layer.channels), "the groups are forgotten"),
                (integer(area), "the maps are forgotten"),
                (integer(area * maps + 1), "the bias is counted too"),
                (
                    integer(area * layer.filters // layer.groups),
                    "the filters of a group are counted instead of its maps",
                ),
                (integer(area * maps * layer.filters), "all filters are counted"),
            ],
        ),
    )  # fmt: skip


def saved(rng: SeededRandom, level: int) -> Task:
    """Ask how many weights the groups save."""
    layer = _draw(rng, level)
    whole, apart = replace(layer, groups=1).cost.weights, layer.cost.weights
    right = integer(whole - apart)
    return Task(
        question=(
            f"A layer has {layer.filters} filters of {sides(*layer.kernel)} on {layer.channels} "
            f"maps. If it is divided into {layer.groups} groups, each with its share of the maps "
            "and filters, how many fewer weights does it have?"
        ),
        answer=right,
        hint="Without groups there are F·F·C·K weights, with G groups F·F·(C/G)·K.",
        worked=solution(
            ("one group", figure(whole), _product(layer, 1)),
            (several(layer.groups, "group"), figure(apart), _product(layer, layer.groups)),
            ("fewer", right.text, f"{figure(whole)} − {figure(apart)}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(apart), "the weights that are left are given"),
                (integer(whole), "the weights without groups are given"),
                (
                    integer(whole - apart // layer.groups),
                    "maps and filters are both divided, so that one group alone is counted",
                ),
            ],
        ),
    )


def _product(layer: Layer, groups: int) -> str:
    return f"{layer.kernel[0]}·{layer.kernel[1]}·{layer.channels // groups}·{layer.filters}"


def edges(rng: SeededRandom, level: int) -> Task:
    """Ask for the edges of a layer in groups."""
    layer = _draw(rng, level)
    (height, width), cost = layer.size, layer.cost
    right = integer(cost.multiply_adds)
    units = figure(height * width * layer.filters)
    window = f"{layer.kernel[0]}·{layer.kernel[1]}·{layer.channels // layer.groups}"
    return Task(
        question=(
            f"{layer.image} is convolved with {layer.filters} filters of size {layer.window}."
            f"{layer.grouped} How many edges does the layer have: links from a unit to an input in "
            "its window, padding included, without those to biases?"
        ),
        answer=right,
        hint="Each of the H·W·K units has an edge for each of the F·F·C/G cells in its window.",
        worked=solution(
            ("units", units, f"{height}·{width}·{layer.filters}"),
            ("edges", right.text, f"{units}·{window}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(cost.multiply_adds * layer.groups), "the groups are forgotten"),
                (integer(cost.weights), "the weights are counted; many edges share one"),
                (integer(cost.connections), "the links to the biases are counted too"),
                (integer(cost.multiply_adds // layer.groups), "only one group is counted"),
            ],
        ),
    )


FIXED = ()
GENERATORS = (grouped, sees, edges, saved)
