"""Exercises on edges and weights: a dense layer and a convolution on one image."""

from fractions import Fraction

from convscope.arithmetic import Volume, dense
from convscope.lessons.exercises.answer import integer, number
from convscope.lessons.exercises.layer import Layer
from convscope.lessons.exercises.seeded_random import SeededRandom
from convscope.lessons.exercises.task import Task, distinct_mistakes, solution
from convscope.lessons.exercises.words import figure, sides, volume

_EDGE = "An edge links a unit to one input; the links to biases do not count."


def _image(rng: SeededRandom, level: int) -> Volume:
    """Draw an image: square and small at first, then of any height and width."""
    height = 8 * rng.between(1, 4) if level < 2 else 16 * rng.between(2, 8 * level)
    width = height if level < 3 else 16 * rng.between(2, 8 * level)
    return Volume(1 if level < 2 else rng.pick((1, 3)), height, width)


def _layer(rng: SeededRandom, level: int) -> Layer:
    image = _image(rng, level)
    kernel = rng.pick((3, 5) if level < 2 else (3, 5, 7, 9, 11))
    return Layer(
        channels=image.channels,
        height=image.height,
        width=image.width,
        filters=rng.pick((2, 4, 8, 10) if level < 2 else (8, 10, 16, 32, 64, 96)),
        kernel=(kernel, kernel),
    )


def ask_dense(image: Volume, units: int) -> Task:
    """Ask for the edges of a dense layer."""
    right = integer(dense(image, units).weights)
    area = f"{image.height}·{image.width}·{image.channels}"
    return Task(
        question=(
            f"Every unit of a dense layer reads the whole image of {_told(image)}; the layer has "
            f"{units:,} units. How many edges does it have? {_EDGE}"
        ),
        answer=right,
        hint="K units on an image of H×W with C channels have H·W·C·K edges.",
        worked=solution(
            ("inputs", figure(image.units), area),
            ("edges", right.text, f"{figure(image.units)}·{units:,}"),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(image.height * image.width * units), "the channels are forgotten"),
                (integer(image.units), "the edges of one unit are counted"),
                (integer((image.units + 1) * units), "the links to the biases are counted too"),
                (integer(image.units + units), "inputs and units are added"),
                (
                    integer((image.height + image.width) * image.channels * units),
                    "height and width are added instead of multiplied",
                ),
            ],
        ),
    )


def ask_weights(layer: Layer) -> Task:
    """Ask for the weights of a convolution, without biases."""
    kernel, sees = layer.kernel[0], layer.channels
    right = integer(layer.cost.weights)
    return Task(
        question=(
            f"{layer.filters} filters of {sides(kernel, kernel)} slide over an image of "
            f"{_told(layer.input)}, stride 1, no padding. How many different weights do all edges "
            "share, without the biases?"
        ),
        answer=right,
        hint="A filter has F·F·C weights, wherever it lies; K filters have F·F·C·K.",
        worked=solution(("weights", right.text, f"{kernel}·{kernel}·{sees}·{layer.filters}")),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(layer.cost.multiply_adds), "the weights are counted at every position"),
                (integer(kernel * kernel * layer.filters), "the channels are forgotten"),
                (integer(kernel * kernel * sees), "only one filter is counted"),
                (integer(layer.cost.parameters), "the biases are counted too"),
                (integer(2 * kernel * sees * layer.filters), "height and width are added"),
            ],
        ),
    )


def dense_edges(rng: SeededRandom, level: int) -> Task:
    units = rng.pick((2, 4, 5, 10) if level < 2 else (10, 50, 100, 256, 500, 1000, 4096))
    return ask_dense(_image(rng, level), units)


def shared_weights(rng: SeededRandom, level: int) -> Task:
    return ask_weights(_layer(rng, level))


def small_edges(rng: SeededRandom, level: int) -> Task:
    """Ask for the edges of a convolution."""
    layer = _layer(rng, level)
    (height, width), kernel = layer.size, layer.kernel[0]
    right = integer(layer.cost.multiply_adds)
    outputs = height * width * layer.filters
    return Task(
        question=(
            f"{layer.filters} filters of {sides(kernel, kernel)} slide over an image of "
            f"{_told(layer.input)}, stride 1, no padding. How many edges does the layer have? "
            f"{_EDGE}"
        ),
        answer=right,
        hint=(
            "Each filter has (H − F + 1)·(W − F + 1) units, and each of them F·F·C edges: one for "
            "each pixel and channel in its window."
        ),
        worked=solution(
            ("units", figure(outputs), f"{height}·{width}·{layer.filters}"),
            (
                "edges",
                right.text,
                f"{figure(outputs)}·{kernel}·{kernel}·{layer.channels}",
            ),
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (integer(layer.cost.weights), "the weights are counted; many edges share one"),
                (integer(outputs * kernel * kernel), "the channels are forgotten"),
                (integer(layer.cost.connections), "the links to the biases are counted too"),
                (
                    integer(layer.height * layer.width * layer.cost.weights),
                    "a unit is counted for every pixel, although the window has to fit",
                ),
                (
                    integer((height - 1) * (width - 1) * layer.cost.weights),
                    "the + 1 is forgotten",
                ),
                (integer(layer.cost.multiply_adds // layer.filters), "only one map is counted"),
            ],
        ),
    )


def seen(rng: SeededRandom, level: int) -> Task:
    """Ask which fraction of the pixels a unit of a convolution reads."""
    layer = _layer(rng, level)
    kernel, pixels = layer.kernel[0], layer.height * layer.width
    right = number(Fraction(kernel * kernel, pixels))
    side = layer.height
    return Task(
        question=(
            f"A unit of a convolution reads a window of {sides(kernel, kernel)} of an image of "
            f"{_told(layer.input)}. What fraction of the pixels is that? Give a fraction, or "
            "three digits of a decimal or percentage."
        ),
        answer=right,
        hint="The window has F·F of the H·W pixels, in every channel.",
        worked=solution(
            ("fraction", right.text, f"{kernel}·{kernel}/({layer.height}·{layer.width})")
        ),
        mistakes=distinct_mistakes(
            right,
            [
                (number(Fraction(kernel, side)), "only one axis is counted"),
                (
                    number(Fraction(kernel * kernel * layer.channels, pixels)),
                    "the channels are counted in the window, but not in the image",
                ),
                (
                    number(Fraction(kernel * kernel, pixels * layer.channels)),
                    "the channels are counted in the image, but not in the window",
                ),
                (number(1 - Fraction(kernel * kernel, pixels)), "what it does not read is given"),
            ],
        ),
    )


def _told(image: Volume) -> str:
    """The size of an image; maps@height×width where it is not square."""
    text = volume(image.channels, image.height, image.width)
    return text if image.height == image.width else f"{text} (channels@height×width)"


FIXED = (
    lambda: ask_dense(Volume(3, 256, 256), 500),
    lambda: ask_weights(Layer(channels=3, height=256, width=256, filters=8, kernel=(5, 5))),
)
GENERATORS = (dense_edges, small_edges, shared_weights, seen)
