"""Exercises on volumes: the output of a layer, the weights of a filter, the parameters."""

import math

from convscope.lessons.exercises.answer import integer
from convscope.lessons.exercises.layer import (
    PARAMETER_HINT,
    Layer,
    draw,
    parameter_mistakes,
    volume_mistakes,
)
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.task import Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import figure, several, sides, volume


def ask_volume(layer: Layer) -> Task:
    """Ask for the output volume of a layer."""
    return Task(
        question=(
            f"{layer.image} is convolved with {layer.filters} filters of size {layer.window}."
            f"{layer.grouped} What is the output volume?"
        ),
        answer=layer.made,
        hint=f"{layer.hint} Each filter makes one map.",
        worked=layer.worked("output", "window"),
        mistakes=distinct_mistakes(layer.made, volume_mistakes(layer)),
    )


def ask_parameters(layer: Layer) -> Task:
    """Ask for the number of parameters of a layer."""
    right = integer(layer.cost.parameters)
    return Task(
        question=(
            f"{layer.image} is convolved with {layer.filters} filters of size {layer.window}."
            f"{layer.grouped} How many parameters does the layer have, biases included?"
        ),
        answer=right,
        hint=PARAMETER_HINT,
        worked=layer.worked("parameters"),
        mistakes=distinct_mistakes(right, parameter_mistakes(layer)),
    )


def output(rng: SeededRandom, level: int) -> Task:
    return ask_volume(draw(rng, level))


def parameters(rng: SeededRandom, level: int) -> Task:
    return ask_parameters(draw(rng, level))


def weights(rng: SeededRandom, level: int) -> Task:
    """Ask for the number of weights of one filter."""
    layer = draw(rng, level, channels=(3, 4, 6))
    area, sees = math.prod(layer.kernel), layer.channels // layer.groups
    right = integer(area * sees)
    kernel_height, kernel_width = layer.kernel
    maps = volume(layer.channels, layer.height, layer.width)
    return Task(
        question=(
            f"A layer has {layer.filters} filters of {sides(kernel_height, kernel_width)} over a "
            f"volume of {maps}."
            f"{layer.grouped} How many weights does one filter have, without its bias?"
        ),
        answer=right,
        hint="A filter has F·F weights for each map that it sees: F·F·C for C maps.",
        worked=solution(
            ("weights of a filter", right.text, f"{kernel_height}·{kernel_width}·{sees}")
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (
                    integer(area),
                    "the input maps are forgotten: a filter has one slice for each",
                ),
                (integer(area * sees + 1), "the bias is counted too"),
                (integer(area * sees * layer.filters), "the weights of all filters are counted"),
                (
                    integer(area * layer.filters),
                    "the filters are counted instead of the input maps",
                ),
                (integer(area * layer.channels), "the groups are forgotten"),
                (
                    integer((kernel_height + kernel_width) * sees),
                    "the filter's height and width are added instead of multiplied",
                ),
            ],
        ),
    )


def filters(rng: SeededRandom, level: int) -> Task:
    """Ask for the number of filters, given the number of parameters."""
    layer = draw(rng, min(level, 3), channels=(1, 3, 6))
    one = math.prod(layer.kernel) * layer.channels + 1
    total, right = layer.cost.parameters, integer(layer.filters)
    mistakes = [
        (total // (one - 1), "the biases are forgotten"),
        (total // (math.prod(layer.kernel) + 1), "the input maps are forgotten"),
        (one, "the parameters of one filter are given instead of the number of filters"),
    ]
    seen = several(layer.channels, "map")
    taps = "·".join(map(str, (*layer.kernel, layer.channels)))
    return Task(
        question=(
            f"A layer with filters of {sides(*layer.kernel)} on {seen} has {figure(total)} "
            "parameters, including one bias for each filter. How many filters does it have?"
        ),
        answer=right,
        hint=f"{PARAMETER_HINT} Divide by the parameters of one filter.",
        worked=solution(
            ("one filter", figure(one), f"{taps} + 1"),
            ("filters", right.text, f"{figure(total)}/{figure(one)}"),
        ),
        mistakes=distinct_mistakes(right, [(integer(found), text) for found, text in mistakes]),
    )


def _lecture(side: int, filters: int, kernel: int, padding: int = 0) -> Layer:
    return Layer(
        channels=3,
        height=side,
        width=side,
        filters=filters,
        kernel=(kernel, kernel),
        padding=padding,
    )


FIXED = (
    lambda: ask_volume(_lecture(256, 8, 5)),
    lambda: ask_parameters(_lecture(64, 10, 5, 2)),
    lambda: ask_parameters(_lecture(32, 10, 3)),
)
GENERATORS = (output, parameters, weights, filters)
