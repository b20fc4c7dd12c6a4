"""Any stack of layers that fits: losses and gradients are autograd's."""

import copy

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import nn

from convscope.arithmetic import effective_kernel, output_size
from convscope.lanes.engine import Engine
from convscope.lanes.ir import Target
from convscope.lanes.jit import host_target
from convscope.layers import LocallyConnected2d, MinPool2d
from tests.lanes.networks import batch, distance, exact

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.Tanh, nn.Sigmoid, nn.ELU, lambda: nn.LeakyReLU(0.2))


class Skip(nn.Module):
    """f(x) + x."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x) + x


@st.composite
def windows(draw, sides):
    """Keywords of a window that fits, with its padding at most half of it."""
    kernel, stride, padding, dilation = [], [], [], []
    for side in sides:
        k = draw(st.integers(1, min(4, side)))
        kernel.append(k)
        stride.append(draw(st.integers(1, 3)))
        padding.append(draw(st.integers(0, k // 2)))
        fits = [d for d in (1, 2, 3) if effective_kernel(k, dilation=d) <= side + 2 * padding[-1]]
        dilation.append(draw(st.sampled_from(fits)))
    return {
        "kernel_size": tuple(kernel), "stride": tuple(stride), "padding": tuple(padding),
        "dilation": tuple(dilation),
    }  # fmt: skip


def after(sides, window):
    names = ("kernel_size", "stride", "padding", "dilation")
    axes = zip(sides, *(window[name] for name in names), strict=True)
    return [output_size(side, k, stride=s, padding=p, dilation=d) for side, k, s, p, d in axes]


def sees_something(sides, window):
    """Whether every window has a cell inside: with others torch's way back writes beyond memory."""
    names = ("kernel_size", "stride", "padding", "dilation")
    for side, *numbers, count in zip(
        sides, *(window[name] for name in names), after(sides, window), strict=True
    ):
        k, stride, padding, dilation = numbers
        for first in range(-padding, (count + 1) * stride - padding, stride):  # + 1: with ceil
            if first < side and not any(0 <= first + t * dilation < side for t in range(k)):
                return False
    return True


@st.composite
def layers_between(draw, channels, sides):
    """A layer with weights or a pool or a skip, and the channels that leave it."""
    window = draw(windows(sides))
    kind = draw(st.sampled_from(["conv", "conv", "local", "max", "min", "mean", "skip", "drop"]))
    if kind in {"conv", "local"}:
        groups = draw(st.sampled_from([g for g in (1, 2, 3, 4) if channels % g == 0]))
        outs = groups * draw(st.integers(1, 3))
        how = {"groups": groups, "bias": draw(st.booleans()), **window}
        if kind == "conv":
            return nn.Conv2d(channels, outs, **how), outs, after(sides, window)
        return LocallyConnected2d(channels, outs, tuple(sides), **how), outs, after(sides, window)
    if kind == "skip":
        inner = [nn.Conv2d(channels, channels, 3, padding=1)]
        inner += draw(st.sampled_from([[], [nn.ReLU()], [nn.Conv2d(channels, channels, 1)]]))
        return Skip(nn.Sequential(*inner)), channels, sides
    if kind == "drop":
        return nn.Dropout(0.0), channels, sides
    ceil = draw(st.booleans())
    if kind == "mean":
        del window["dilation"]
        pool = nn.AvgPool2d(**window, ceil_mode=ceil, count_include_pad=draw(st.booleans()))
    else:
        assume(sees_something(sides, window))
        pool = (nn.MaxPool2d if kind == "max" else MinPool2d)(**window, ceil_mode=ceil)
    with torch.no_grad():
        return pool, channels, list(pool(torch.zeros(1, 1, *sides)).shape[2:])


@st.composite
def stacks(draw):
    """A few layers that fit one another, and the shape of their images."""
    channels = draw(st.integers(1, 4))
    sides = [draw(st.integers(6, 17)), draw(st.integers(6, 17))]
    shape = (channels, *sides)
    layers = []
    for _ in range(draw(st.integers(1, 4))):
        layer, channels, sides = draw(layers_between(channels, sides))
        layers.append(layer)
        act = draw(st.sampled_from([None, *ACTIVATIONS]))
        if act is not None:
            layers.append(act())
    return layers, shape


def check(stack, count, seed, target):
    layers, shape = stack
    torch.manual_seed(seed)
    net = nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(10))
    net(torch.zeros(1, *shape))
    images = batch(shape, count, seed=seed)
    loss, wanted = exact(net, images)
    engine = Engine(copy.deepcopy(net), shape, target=target, threads=2)
    measured, _ = images.step(engine, update=False)
    assert measured == pytest.approx(loss, rel=1e-5)
    assert distance(engine.gradients(), wanted) < 1e-5


counts, seeds = st.integers(1, 20), st.integers(0, 100)


@settings(max_examples=10, derandomize=True)
@given(stacks(), counts, seeds)
def test_any_stack_of_layers_that_fits(stack, count, seed):
    check(stack, count, seed, host_target())


@pytest.mark.slow
@settings(max_examples=300, derandomize=True, suppress_health_check=list(HealthCheck))
@given(stacks(), counts, seeds, st.sampled_from([4, 8, 16]))
def test_any_stack_of_layers_that_fits_at_any_width_stays_in_its_memory(stack, count, seed, lanes):
    check(stack, count, seed, Target(lanes, 16, checked=True))
