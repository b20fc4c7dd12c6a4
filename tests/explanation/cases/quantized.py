"""Quantized numbers, by loops over the integers that stand for them."""

import warnings

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tests.explanation.cases.case import Case, Net
from tests.reference import explanations as reference

STEP, ZERO = 0.05, 60  # of what layers take
OUT, OUT_ZERO = 0.0713, 71  # of what they give; products are never half of it
OPS = torch.ops.quantized


def on_grid(value, scale, zero, low=0, high=255):
    """s·(q - z) with the nearest integer q between two; a half goes to the even one."""
    return scale * (integer(value, scale, zero, low, high) - zero)


def integer(value, scale, zero, low=0, high=255):
    return np.clip(np.rint(np.asarray(value, dtype=float) / scale) + zero, low, high)


def float32(number):
    return float(np.float32(number))


def quietly(function, *args):
    """Torch says of each function that makes quantized tensors that others are to come."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return function(*args)


def quantized(x, scale=STEP, zero=ZERO, kind=torch.quint8):
    return quietly(torch.quantize_per_tensor, x, scale, zero, kind)


def steps_of(x):
    """q - z of an image that is quantized."""
    return integer(x, STEP, ZERO) - ZERO


def weights(*shape, seed=5):
    """Quantized per filter, with a bias; packed scales are float32."""
    rng = torch.Generator().manual_seed(seed)
    scales = torch.linspace(0.01, 0.03, shape[0], dtype=torch.float64)
    values = torch.randn(shape, generator=rng)
    zeros = torch.zeros(shape[0], dtype=torch.int64)
    weight = quietly(torch.quantize_per_channel, values, scales, zeros, 0, torch.qint8)
    return weight, torch.randn(shape[0], generator=rng), scales.float().double().numpy()


def finish(sums, scales, bias, *, relu):
    """Scale the integer sums of every filter, add the bias, round."""
    shape = (1, -1, *(1,) * (sums.ndim - 2))
    value = STEP * scales.reshape(shape) * sums + bias.double().numpy().reshape(shape)
    return on_grid(value, OUT, OUT_ZERO, OUT_ZERO if relu else 0)


def convolved(axes, image, kernel, *, relu=False, groups=1, stride=1, padding=1):
    weight, bias, scales = weights(4, image[0] // groups, *kernel)
    settings = ([stride] * axes, [padding] * axes, [1] * axes, groups)
    packed = quietly(getattr(OPS, f"conv{axes}d_prepack"), weight, bias, *settings)
    kind = f"conv{axes}d{'_relu' * relu}"

    def expected(x, _net, y):
        sums = reference.convolution(
            steps_of(x),
            weight.int_repr().double().numpy(),
            None,
            y.shape,
            stride=settings[0],
            padding=settings[1],
            dilation=settings[2],
            groups=groups,
        )
        return finish(sums, scales, bias, relu=relu)

    return Case(
        f"quantized::{kind}",
        lambda: Net(lambda x: getattr(OPS, kind)(quantized(x), packed, OUT, OUT_ZERO)),
        "expression",
        expected,
        image,
        f"groups {groups}, stride {stride}",
    )


def densely(*, relu=False):
    weight, bias, scales = weights(5, 6)
    packed = quietly(OPS.linear_prepack, weight, bias)
    kind = f"linear{'_relu' * relu}"

    def expected(x, _net, _y):
        sums = reference.dense(steps_of(x), weight.int_repr().double().numpy(), None)
        return finish(sums, scales, bias, relu=relu)

    return Case(
        f"quantized::{kind}",
        lambda: Net(lambda x: getattr(OPS, kind)(quantized(x), packed, OUT, OUT_ZERO)),
        "expression",
        expected,
        (6,),
    )


def dynamically(*, relu=False):
    """x is quantized so that its least and largest number, and 0, fit 7 bits."""
    weight, bias, scales = weights(5, 6)
    packed = quietly(OPS.linear_prepack, weight, bias)
    kind = f"linear{'_relu' * relu}_dynamic"

    def expected(x, _net, _y):
        low, high = min(x.min(), 0.0), max(x.max(), 0.0)
        step = (high - low) / 127
        zero = np.rint(-low / step)
        q = integer(x, step, zero) - zero
        sums = reference.dense(q, weight.int_repr().double().numpy(), None)
        value = step * scales * sums + bias.double().numpy()
        return np.maximum(value, 0) if relu else value

    return Case(
        f"quantized::{kind}",
        lambda: Net(lambda x: getattr(OPS, kind)(x, packed, reduce_range=True)),
        "expression",
        expected,
        (6,),
    )


def combined(kind, of, expected, *, relu=False):
    """Of an image and of half of it; or of an image and a number."""

    def result(x, _net, _y):
        one, two = (on_grid(part, STEP, ZERO) for part in (x, x / 2))
        return on_grid(expected(one, two), OUT, OUT_ZERO, OUT_ZERO if relu else 0)

    return Case(f"quantized::{kind}", lambda: Net(of), "expression", result)


def pairs():
    for name, function in (("add", np.add), ("mul", np.multiply)):
        for relu in (False, True):
            kind = f"{name}{'_relu' * relu}"
            run = getattr(OPS, kind)
            yield combined(
                kind,
                lambda x, run=run: run(quantized(x), quantized(x / 2), OUT, OUT_ZERO),
                function,
                relu=relu,
            )


def with_number(name, number, expected):
    """The grid of the result is the tensor's, moved or stretched: an integer for an integer."""
    for relu in (False, True):
        kind = f"{name}_scalar{'_relu' * relu}"
        run = getattr(OPS, kind)

        def result(x, _net, _y, relu=relu):
            value = expected(on_grid(x, STEP, ZERO))
            return np.maximum(value, 0) if relu else value

        yield Case(
            f"quantized::{kind}",
            lambda run=run: Net(lambda x: run(quantized(x), number)),
            "expression",
            result,
        )


def joined(*, relu=False):
    kind = f"cat{'_relu' * relu}"

    def expected(x, _net, _y):
        whole = np.concatenate([on_grid(x, STEP, ZERO), on_grid(x / 2, STEP, ZERO)], axis=1)
        return on_grid(whole, OUT, OUT_ZERO, OUT_ZERO if relu else 0)

    run = getattr(OPS, kind)
    return Case(
        f"quantized::{kind}",
        lambda: Net(
            lambda x: run([quantized(x), quantized(x / 2)], dim=1, scale=OUT, zero_point=OUT_ZERO)
        ),
        "expression",
        expected,
    )


def bent():
    """Functions of quantized numbers; that of `relu6` stays on the grid of x."""
    functions = {
        "relu6": (lambda x: OPS.relu6(quantized(x)), lambda x: np.clip(x, 0, 6), (STEP, ZERO)),
        "hardswish": (
            lambda x: OPS.hardswish(quantized(x), OUT, OUT_ZERO),
            lambda x: x * np.clip(x + 3, 0, 6) / 6,
            (OUT, OUT_ZERO),
        ),
        "leaky_relu": (
            lambda x: OPS.leaky_relu(quantized(x), 0.3, False, OUT, OUT_ZERO),  # noqa: FBT003
            lambda x: np.maximum(x, 0) + 0.3 * np.minimum(x, 0),
            (OUT, OUT_ZERO),
        ),
        "sigmoid": (
            lambda x: OPS.sigmoid(quantized(x), OUT, OUT_ZERO),
            lambda x: 1 / (1 + np.exp(-x)),
            (OUT, OUT_ZERO),
        ),
    }
    for name, (of, function, grid) in functions.items():
        yield Case(
            f"quantized::{name}",
            lambda of=of: Net(of),
            "expression",
            lambda x, _net, _y, f=function, grid=grid: on_grid(f(on_grid(x, STEP, ZERO)), *grid),
        )


SCALES = torch.tensor([0.05, 0.1, 0.2])
ZEROS = torch.tensor([3, 0, -7], dtype=torch.int32)


def per_map(x, low, high):
    columns = (np.array(part.tolist()).reshape(1, 3, 1, 1) for part in (SCALES.double(), ZEROS))
    return on_grid(x, *columns, low, high)


def fake(kind, of, expected, words="", **tensors):
    return Case(kind, lambda: Net(of, **tensors), "expression", expected, words=words)


def observing(x, observer, on, low, high, scale, zero):
    states = [part.clone() for part in (low, high, scale, zero)]
    return torch.fused_moving_avg_obs_fake_quant(x, observer, on, *states, 0.01, 0, 255, 0)


def to_its_extremes(x, _net, _y):
    """0 is always one of the numbers."""
    step = (max(x.max(), 0.0) - min(x.min(), 0.0)) / 255
    return on_grid(x, step, np.rint(-x.min() / step))


def observed(x, _net, _y):
    """The running extremes of a first image are its own; the scale is a tensor of float32."""
    step = float32((x.max() - x.min()) / 255)
    return on_grid(x, step, np.rint(-x.min() / step))


QUANTIZED = [
    Case(
        "quantize_per_tensor",
        lambda: Net(quantized),
        "expression",
        lambda x, _net, _y: on_grid(x, STEP, ZERO),
    ),
    Case(
        "quantize_per_tensor",
        lambda: Net(lambda x: quantized(x, 0.01, -3, torch.qint8)),
        "expression",
        lambda x, _net, _y: on_grid(x, 0.01, -3, -128, 127),
        words="beyond the range",
    ),
    Case(
        "quantize_per_channel",
        lambda: Net(
            lambda x: quietly(torch.quantize_per_channel, x, SCALES, ZEROS, 1, torch.qint8)
        ),
        "expression",
        lambda x, _net, _y: per_map(x, -128, 127),
    ),
    Case(
        "quantize_per_tensor_dynamic",
        lambda: Net(lambda x: quietly(torch.quantize_per_tensor_dynamic, x, torch.quint8, False)),  # noqa: FBT003
        "expression",
        to_its_extremes,
    ),
    Case(
        "dequantize",
        lambda: Net(lambda x: quantized(x).dequantize()),
        "identity",
        lambda x, _net, _y: (np.float32(STEP) * steps_of(x).astype(np.float32)).astype(float),
    ),
    Case(
        "int_repr",
        lambda: Net(lambda x: quantized(x).int_repr()),
        "expression",
        lambda x, _net, _y: integer(x, STEP, ZERO),
    ),
    *(
        convolved(axes, image, kernel, relu=relu)
        for relu in (False, True)
        for axes, image, kernel in (
            (1, (3, 8), (3,)),
            (2, (3, 5, 6), (3, 2)),
            (3, (2, 3, 4, 5), (2, 3, 2)),
        )
    ),
    convolved(2, (4, 6, 7), (3, 3), groups=2, stride=2),
    *(densely(relu=relu) for relu in (False, True)),
    *(dynamically(relu=relu) for relu in (False, True)),
    *pairs(),
    *with_number("add", 0.42, lambda x: x + STEP * np.rint(0.42 / STEP)),
    *with_number("mul", 0.5, lambda x: x * 0.5),
    *(joined(relu=relu) for relu in (False, True)),
    *bent(),
    fake(
        "fake_quantize_per_tensor_affine",
        lambda x: torch.fake_quantize_per_tensor_affine(x, 0.05, 30, 0, 63),
        lambda x, _net, _y: on_grid(x, 0.05, 30, 0, 63),
    ),
    fake(
        "fake_quantize_per_channel_affine",
        lambda x, s, z: torch.fake_quantize_per_channel_affine(x, s.detach(), z, 1, -8, 7),
        lambda x, _net, _y: per_map(x, -8, 7),
        s=SCALES,
        z=ZEROS,
    ),
    fake(
        "fake_quantize_learnable_per_tensor_affine",
        lambda x, s, z: torch._fake_quantize_learnable_per_tensor_affine(x, s, z, 0, 255, 1.0),
        lambda x, _net, _y: on_grid(x, float32(0.05), 61),
        s=torch.tensor([0.05]),
        z=torch.tensor([60.6]),
    ),
    fake(
        "fake_quantize_learnable_per_channel_affine",
        lambda x, s, z: torch._fake_quantize_learnable_per_channel_affine(
            x, s, z, 1, -128, 127, 1.0
        ),
        lambda x, _net, _y: per_map(x, -128, 127),
        s=SCALES,
        z=ZEROS.float(),
    ),
    fake(
        "fused_moving_avg_obs_fake_quant",
        lambda x, on: observing(
            x,
            on,
            on,
            torch.tensor(torch.inf),
            torch.tensor(-torch.inf),
            torch.tensor([1.0]),
            torch.tensor([0], dtype=torch.int32),
        ),
        observed,
        on=torch.tensor([1]),
    ),
    fake(
        "fused_moving_avg_obs_fake_quant",
        lambda x, on, off: observing(
            x,
            off,
            on,
            torch.tensor(-1.0),
            torch.tensor(1.5),
            torch.tensor([0.05]),
            torch.tensor([9], dtype=torch.int32),
        ),
        lambda x, _net, _y: on_grid(x, float32(2.5 / 255), 102),  # by the extremes so far
        words="not observing",
        on=torch.tensor([1]),
        off=torch.tensor([0]),
    ),
]
# What other kinds make of quantized numbers is rounded to the grid of the result.


def normalized(axes, *, relu=False):
    """A batch norm that was not folded into a convolution: 3 channels, each with its numbers."""
    gain, bias, mean = (torch.tensor(n) for n in ((0.7, -1.3, 2.1), (0.4, 0.1, -0.9), (0.2, 1, -1)))
    variance, eps = torch.tensor((0.5, 1.5, 2.5)), 1e-3
    name = f"batch_norm{axes}d{'_relu' * relu}"

    def forward(x):
        x = quantized(x if axes == 2 else x[:, :, None])
        return getattr(OPS, name)(x, gain, bias, mean, variance, eps, OUT, OUT_ZERO)

    def expected(x, _net, y):
        shape = (1, -1, *(1,) * axes)
        of = [n.double().numpy().reshape(shape) for n in (gain, bias, mean, variance)]
        value = on_grid(x.reshape(y.shape), STEP, ZERO)
        value = of[0] * (value - of[2]) / np.sqrt(of[3] + eps) + of[1]
        return on_grid(value, OUT, OUT_ZERO, OUT_ZERO if relu else 0)

    return Case(f"quantized::{name}", lambda: Net(forward), "expression", expected)


NORMALIZED = [normalized(axes, relu=relu) for axes in (2, 3) for relu in (False, True)]


ROUNDED = [
    Case(
        "adaptive_avg_pool2d",
        lambda: Net(lambda x: F.adaptive_avg_pool2d(quantized(x), 1)),
        "expression",
        lambda x, _net, _y: on_grid(on_grid(x, STEP, ZERO).mean((2, 3), keepdims=True), STEP, ZERO),
        words="quantized",
    ),
    Case(
        "sigmoid",
        lambda: Net(lambda x: torch.sigmoid(quantized(x))),
        "expression",
        lambda x, _net, _y: on_grid(1 / (1 + np.exp(-on_grid(x, STEP, ZERO))), 1 / 256, 0),
        words="quantized",
    ),
    Case(
        "max_pool2d",
        lambda: nn.Sequential(Net(quantized), nn.MaxPool2d(2)),
        "maximum",
        lambda x, _net, y: reference.extreme_pool(
            (np.float32(STEP) * steps_of(x).astype(np.float32)).astype(float),
            y.shape,
            kernel=(2, 2),
            stride=(2, 2),
            padding=(0, 0),
            dilation=(1, 1),
        ),
        words="quantized",
    ),
]
