"""The layers as their papers write them: one unit after another, one product after another."""

import itertools

import torch


def places(*sizes):
    return itertools.product(*map(range, sizes))


def at(x, n, c, row, col):
    """The unit at a place that may lie in the padding."""
    _, _, height, width = x.shape
    return x[n, c, row, col].item() if 0 <= row < height and 0 <= col < width else 0.0


def locally_connected(x, weight, bias, *, stride, padding, dilation, groups):
    """Every output unit with the filter that stands at its position."""
    height, width, filters, depth, rows, cols = weight.shape
    y = torch.zeros(len(x), filters, height, width, dtype=x.dtype)
    for n, o, u, v in places(*y.shape):
        first = o // (filters // groups) * depth
        total = bias[u, v, o].item() if bias is not None else 0.0
        for c, i, j in places(depth, rows, cols):
            row = u * stride[0] + i * dilation[0] - padding[0]
            col = v * stride[1] + j * dilation[1] - padding[1]
            total += weight[u, v, o, c, i, j].item() * at(x, n, first + c, row, col)
        y[n, o, u, v] = total
    return y


def minimum(x, y, kernel, *, stride, padding, dilation):
    """The smallest real unit under each window of a map as large as `y`."""
    _, _, height, width = x.shape
    least = torch.empty_like(y)
    for n, c, u, v in places(*y.shape):
        rows = [u * stride[0] + i * dilation[0] - padding[0] for i in range(kernel[0])]
        cols = [v * stride[1] + j * dilation[1] - padding[1] for j in range(kernel[1])]
        seen = itertools.product(rows, cols)
        inside = [(row, col) for row, col in seen if 0 <= row < height and 0 <= col < width]
        least[n, c, u, v] = min(x[n, c, row, col].item() for row, col in inside)
    return least


def subsampling(x, coefficient, bias, kernel):
    """Add the units under each window, multiply, add the bias."""
    n, channels, height, width = x.shape
    y = torch.empty(n, channels, height // kernel[0], width // kernel[1], dtype=x.dtype)
    for image, c, u, v in places(*y.shape):
        total = 0.0
        for i, j in places(*kernel):
            total += x[image, c, u * kernel[0] + i, v * kernel[1] + j].item()
        y[image, c, u, v] = coefficient[c].item() * total + bias[c].item()
    return y


def table_convolution(x, table, weight, bias, *, stride, padding):
    """Link after link in the table's order, each with the next kernel."""
    n, _, height, width = x.shape
    _, rows, cols = weight.shape
    tall = (height + 2 * padding[0] - rows) // stride[0] + 1
    wide = (width + 2 * padding[1] - cols) // stride[1] + 1
    y = torch.zeros(n, len(table), tall, wide, dtype=x.dtype)
    kernels = iter(weight)
    for o, row in enumerate(table):
        y[:, o] += bias[o]
        for seen in row:
            kernel = next(kernels)
            for image, u, v, i, j in places(n, tall, wide, rows, cols):
                top, left = u * stride[0] - padding[0], v * stride[1] - padding[1]
                y[image, o, u, v] += kernel[i, j] * at(x, image, seen, top + i, left + j)
    return y


def distance(x, codes):
    """Every squared distance between a row of `x` and a row of `codes`."""
    y = torch.zeros(len(x), len(codes), dtype=x.dtype)
    for n, i, j in places(*y.shape, x.shape[1]):
        y[n, i] += (x[n, j] - codes[i, j]) ** 2
    return y


def response_norm(a, *, n, k, alpha, beta, groups):
    """Section 3.3 of AlexNet's paper, within each group of maps."""
    b = torch.empty_like(a)
    size = a.shape[1] // groups
    for image, i, row, col in places(*a.shape):
        first = i // size * size
        neighbors = range(max(first, i - n // 2), min(first + size - 1, i + n // 2) + 1)
        squares = sum(a[image, j, row, col].item() ** 2 for j in neighbors)
        b[image, i, row, col] = a[image, i, row, col].item() / (k + alpha * squares) ** beta
    return b
