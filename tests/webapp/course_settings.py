"""All settings of the lessons' controls; cells that take any number are drawn."""

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

from convscope.lessons.backprop import IMAGES as EXAMPLES
from convscope.lessons.bird import PLACES
from convscope.lessons.detector import POOLS
from convscope.lessons.redundancy import DIRECTIONS, PICTURES
from convscope.lessons.subsampling import FACTORS
from convscope.lessons.training import IMAGES
from convscope.lessons.vgg import NETWORKS

State = dict[str, Any]
SIDES = (28, 32, 41)
"""Of LeNet-5's image; a page has all from 28 to 64."""


def cells(rng: random.Random, count: int) -> list[float]:
    """Whole numbers, and some with decimals."""
    return [rng.choice([rng.randint(-9, 9), round(rng.uniform(-9, 9), 2)]) for _ in range(count)]


def _convolution(rng: random.Random) -> Iterator[State]:
    for kernel, at in product(range(1, 7), range(36)):
        weights = cells(rng, kernel**2)
        yield {"image": cells(rng, 36), "kernel": kernel, "filter": weights, "at": at}


def _volumes(rng: random.Random) -> Iterator[State]:
    sides = product(("1", "3", "16"), ("32", "64", "256"))
    for (channels, side), filters, kernel, padding in product(
        sides, range(1, 17), range(1, 8), range(4)
    ):
        small = {"image": cells(rng, 75), "filter": cells(rng, 27), "bias": rng.random()}
        layer = {"channels": channels, "side": side, "filters": filters, "kernel": kernel}
        yield {**small, **layer, "padding": padding, "at": rng.randrange(9)}


def _stride(rng: random.Random) -> Iterator[State]:
    for side, kernel, stride, name in product(
        range(5, 13), range(1, 13), range(1, 9), ("edges", "sum")
    ):
        state = {"image": cells(rng, 144), "side": side, "kernel": min(kernel, side)}
        yield {**state, "stride": stride, "filter": name, "at": rng.randrange(144)}


def _padding(rng: random.Random) -> Iterator[State]:
    paddings = (*map(str, range(7)), "valid", "same")
    for kernel, padding, layers in product(range(1, 9), paddings, range(1, 17)):
        state = {"image": cells(rng, 36), "kernel": kernel, "padding": padding, "layers": layers}
        state |= {"filter": rng.choice(["edges", "sum"]), "bias": rng.randint(-3, 3)}
        yield {**state, "at": rng.randrange(324)}


def _size(rng: random.Random) -> Iterator[State]:
    """Its settings are too many: drawn, small and large."""
    for most in (12, 60, 400, 10_000) * 250:
        yield {
            "size": rng.randint(1, most),
            "wanted": rng.randint(1, most),
            "kernel": rng.randint(1, rng.choice([11, most])),
            "stride": rng.randint(1, rng.choice([4, most])),
            "padding": rng.randint(0, rng.choice([3, most])),
            "dilation": rng.choice([1, 1, 2, 9]),
            "rounding": rng.choice(["down", "up"]),
        }


def _maps(rng: random.Random) -> Iterator[State]:
    kinds = ("ReLU", "leaky ReLU", "tanh", "scaled tanh", "sigmoid")
    for picture, kind, bias in product(("digit", "photograph"), kinds, range(-4, 5)):
        weights = [rng.randint(-4, 4) for _ in range(9)]
        state = {"picture": picture, "filter": weights, "bias": bias, "activation": kind}
        yield {**state, "at": rng.randrange(676)}


def _pooling(rng: random.Random) -> Iterator[State]:
    for side, kind, shift in product(
        (6, 8), ("max", "average", "min", "L2"), ("right", "down", "left", "up")
    ):
        for window, stride in product(range(1, side + 1), range(1, side + 1)):
            state = {"side": side, "map": cells(rng, side**2), "kind": kind, "shift": shift}
            state |= {"window": window, "padding": rng.randint(0, window // 2)}
            yield {**state, "stride": stride, "at": rng.randrange(64)}


def _sharing(rng: random.Random) -> Iterator[State]:
    for side, kernel in product(range(8, 65), range(1, 8)):
        few = {"channels": rng.randint(1, 4), "filters": 2}  # so few that the layers are run
        many = {"channels": rng.randint(1, 16), "filters": rng.randint(1, 16)}
        yield {**(few if side < 16 else many), "side": side, "kernel": kernel, "run": 0}


def _lenet5(rng: random.Random) -> Iterator[State]:
    for network, side, row in product(("lecture", "1998"), SIDES, range(7)):
        for classes in (2, 10, 100, rng.randint(2, 100)):
            state = {"network": network, "classes": classes, "side": side, "row": row}
            yield {**state, "column": rng.randrange(16)}


def _vgg(rng: random.Random) -> Iterator[State]:
    for left, right, deep in product(NETWORKS, NETWORKS, range(1, 6)):
        yield {"left": left, "right": right, "deep": deep, "channels": rng.randint(1, 1024)}


def _training(rng: random.Random) -> Iterator[State]:
    for image, momentum, decay, batch, step in product(
        IMAGES, (0, 0.5, 0.9, 0.99), (0, 0.0005, 0.1, 1), (1, 7, 10, 99, 100), (0, 1, 40)
    ):
        state = {"image": image, "momentum": momentum, "decay": decay, "batch": batch}
        state |= {"target": cells(rng, 9), "weights_seed": rng.randrange(1000), "step": step}
        state |= {"rate": rng.choice([0.01, 0.1, 0.5]), "at": rng.randrange(9)}
        yield {**state, "logits": cells(rng, 3), "right": rng.randrange(3)}


def _bird(rng: random.Random) -> Iterator[State]:
    for side, kernel, look in product((8, 28, 256, 1024), (1, 5, 8, 64), PLACES):
        state = {"side": side, "kernel": kernel, "look": look, "channels": rng.randint(1, 16)}
        yield {**state, "hidden": rng.randint(1, 10_000), "filters": rng.randint(1, 512)}


def _redundancy(_rng: random.Random) -> Iterator[State]:
    for picture, shift, direction in product(PICTURES, (1, 2, 9, 32), DIRECTIONS):
        yield {"picture": picture, "shift": shift, "direction": direction}


def _subsampling(rng: random.Random) -> Iterator[State]:
    for picture, factor in product(PICTURES, FACTORS):
        yield {"picture": picture, "factor": factor, "hidden": rng.randint(1, 10_000)}


def _detector(rng: random.Random) -> Iterator[State]:
    for right, down, turn, pool in product((-5, 0, 1, 4), (-3, 0, 5), ("0", "90"), POOLS):
        state = {"right": right, "down": down, "turn": turn, "pool": pool}
        yield {**state, "at": rng.randrange(784)}


def _anysize(_rng: random.Random) -> Iterator[State]:
    sides = (1, 9, 14, 24, 32, 48, 78, 512)
    for height, width, built in product(sides, sides, ("28", "32", "64")):
        yield {"height": height, "width": width, "built": built}


def _ilsvrc(_rng: random.Random) -> Iterator[State]:
    for answers in range(7):
        yield {"answers": answers}


def _towers(rng: random.Random) -> Iterator[State]:
    for groups, kernel in product((1, 2, 3, 4, 64), (1, 2, 3, 11)):
        state = {"side": rng.randint(1, 256), "groups": groups, "kernel": kernel}
        yield {**state, "channels": 64 * rng.randint(1, 16), "filters": 64 * rng.randint(1, 16)}


def _backprop(rng: random.Random) -> Iterator[State]:
    for image, right, step in product(EXAMPLES, ("vertical", "horizontal"), (0, 1, 7, 50)):
        state = {"image": image, "right": right, "step": step, "rate": rng.choice([0, 0.5, 2, 10])}
        yield {**state, "at": rng.randrange(9), "dense_at": rng.randrange(8)}


EVERY_SETTING = {
    "bird": _bird,
    "redundancy": _redundancy,
    "subsampling": _subsampling,
    "detector": _detector,
    "anysize": _anysize,
    "ilsvrc": _ilsvrc,
    "towers": _towers,
    "backprop": _backprop,
    "convolution": _convolution,
    "volumes": _volumes,
    "stride": _stride,
    "padding": _padding,
    "size": _size,
    "maps": _maps,
    "pooling": _pooling,
    "sharing": _sharing,
    "lenet5": _lenet5,
    "vgg": _vgg,
    "training": _training,
}
