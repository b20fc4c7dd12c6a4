"""Boxes of the network's input in pixels of the image that it was made of, and the reverse."""

from convscope.card import Card
from convscope.data.fit import fit_image
from convscope.localization.component import Edges


def to_image(box: Edges, image_size: tuple[int, int], card: Card) -> Edges:
    """A box of the input in pixels of an image of (width, height), cut off at its borders."""
    (x0, x_scale), (y0, y_scale) = _axes(image_size, card)
    width, height = image_size
    left, right = (min(max(x0 + at * x_scale, 0.0), float(width)) for at in box[::2])
    top, bottom = (min(max(y0 + at * y_scale, 0.0), float(height)) for at in box[1::2])
    return left, top, right, bottom


def to_input(box: Edges, image_size: tuple[int, int], card: Card) -> Edges:
    """A box of an image of (width, height) in pixels of the input, cut off at its borders."""
    (x0, x_scale), (y0, y_scale) = _axes(image_size, card)
    height, width = card.input_size
    left, right = (min(max((at - x0) / x_scale, 0.0), float(width)) for at in box[::2])
    top, bottom = (min(max((at - y0) / y_scale, 0.0), float(height)) for at in box[1::2])
    return left, top, right, bottom


def _axes(
    image_size: tuple[int, int], card: Card
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where the input begins in the image, and how many of its pixels one of the input is: along
    x, and along y.
    """
    fit = fit_image(image_size, card)
    x_scale, y_scale = fit.factors
    pad_x = (card.input_size[1] - fit.size[1]) // 2
    pad_y = (card.input_size[0] - fit.size[0]) // 2
    left, top = fit.box[0] - pad_x * x_scale, fit.box[1] - pad_y * y_scale
    return (left, x_scale), (top, y_scale)
