"""Slow, obvious arithmetic of Keras and ConvNetJS: images are (height, width, maps)."""

import math

import numpy as np


def windows(side, size, stride, *, same):
    """The first index of each window, which may be below 0."""
    if not same:
        return [*range(0, side - size + 1, stride)]
    count = math.ceil(side / stride)
    before = max((count - 1) * stride + size - side, 0) // 2
    return [number * stride - before for number in range(count)]


def patches(x, size, stride, *, same):
    """For each window, its place, and the units inside the image with their places in it."""
    for i, top in enumerate(windows(x.shape[0], size, stride, same=same)):
        for j, left in enumerate(windows(x.shape[1], size, stride, same=same)):
            inside = [
                (dy, dx, x[top + dy, left + dx])
                for dy in range(size)
                for dx in range(size)
                if 0 <= top + dy < x.shape[0] and 0 <= left + dx < x.shape[1]
            ]
            yield i, j, inside


def conv(x, kernel, bias, stride=1, *, same=False):
    found = {
        (i, j): bias + sum(unit @ kernel[dy, dx] for dy, dx, unit in inside)
        for i, j, inside in patches(x, kernel.shape[0], stride, same=same)
    }
    return _image(found)


def depthwise(x, kernel, stride=1, *, same=False):
    found = {
        (i, j): sum((unit[:, None] * kernel[dy, dx]) for dy, dx, unit in inside).ravel()
        for i, j, inside in patches(x, kernel.shape[0], stride, same=same)
    }
    return _image(found)


def pool(x, size, stride, reduce, *, same=False):
    found = {
        (i, j): reduce([unit for _, _, unit in inside], axis=0)
        for i, j, inside in patches(x, size, stride, same=same)
    }
    return _image(found)


def conv_transpose_same(x, kernel, stride):
    """Each unit adds its kernel, (size, size, filters, maps); side x stride is kept."""
    height, width, _ = x.shape
    size, filters = kernel.shape[0], kernel.shape[2]
    before = max(size - stride, 0) // 2
    result = np.zeros((height * stride, width * stride, filters))
    for y in range(height):
        for x_ in range(width):
            for dy in range(size):
                for dx in range(size):
                    i, j = y * stride + dy - before, x_ * stride + dx - before
                    if 0 <= i < result.shape[0] and 0 <= j < result.shape[1]:
                        result[i, j] += kernel[dy, dx] @ x[y, x_]
    return result


def _image(found):
    rows, columns = (1 + max(place[axis] for place in found) for axis in (0, 1))
    return np.array([[found[i, j] for j in range(columns)] for i in range(rows)])
