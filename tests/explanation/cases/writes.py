"""What is written to a tensor through another tensor that shares its numbers."""

import numpy as np

from tests.explanation.cases.movement import put


def rectify_half(x):
    x[:, :2].relu_()


def fill_a_row(x):
    x[0][:, 1][:, 2:] = 5


def double_a_column(x):
    x.permute(0, 3, 1, 2)[:, 4].mul_(2)


def write_twice(x):
    half = x.flatten(1)[:, ::2]
    half.neg_()
    x[:, 1].zero_()


def write_over(x):
    first, second = x[:, :2], x[:, 1:3]
    first.neg_()
    second.mul_(4)


def half_relu(x):
    return np.concatenate([np.maximum(x[:, :2], 0), x[:, 2:]], 1)


def read_after(write):
    """The tensor after something was written to it through another."""

    def of(x):
        x = x.clone()
        write(x)
        return x * 1

    return of


def negated_then_zero(x):
    y = x.copy().reshape(-1)
    y[::2] *= -1
    y = y.reshape(x.shape)
    y[:, 1] = 0
    return y


WRITES = [
    (rectify_half, half_relu),
    (fill_a_row, put((slice(None), slice(None), 1, slice(2, None)), 5.0)),
    (double_a_column, lambda x: x * np.where(np.arange(6) == 4, 2, 1)),
    (write_twice, negated_then_zero),
    (write_over, lambda x: x * np.array([-1, -4, 4, 1])[:, None, None]),
]
