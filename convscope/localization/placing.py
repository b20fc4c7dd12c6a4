"""Boxes of the network's input in pixels of the image that it was made of, and the reverse."""

from collections.abc import Callable

from convscope.card import Card
from convscope.data.fit import Axis, fit_axes
from convscope.localization.component import Edges


def to_image(box: Edges, image_size: tuple[int, int], card: Card) -> Edges:
    """A box of the input in pixels of an image of (width, height), cut off at its borders."""

    def place(at: float, axis: Axis) -> float:
        return min(max(axis.begin + at * axis.factor, 0.0), float(axis.image_side))

    return _moved(box, fit_axes(image_size, card), place)


def to_input(box: Edges, image_size: tuple[int, int], card: Card) -> Edges:
    """A box of an image of (width, height) in pixels of the input, cut off at its borders."""

    def place(at: float, axis: Axis) -> float:
        return min(max((at - axis.begin) / axis.factor, 0.0), float(axis.input_side))

    return _moved(box, fit_axes(image_size, card), place)


def _moved(box: Edges, axes: tuple[Axis, Axis], place: Callable[[float, Axis], float]) -> Edges:
    (left, top, right, bottom), (x, y) = box, axes
    return place(left, x), place(top, y), place(right, x), place(bottom, y)
