"""A network whose last operation is of a kind, and what its numbers are looked up in."""

import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

UNITS = 24  # of each result, drawn at random where there are more


class Net(nn.Module):
    """A function of the image and of tensors of its own, parameters and constants by their name."""

    def __init__(self, of: Callable[..., Any], **tensors: torch.Tensor) -> None:
        super().__init__()
        self.of, self.words = of, tuple(tensors)
        for name, tensor in tensors.items():
            if tensor.is_floating_point():
                self.register_parameter(name, nn.Parameter(tensor))
            else:
                self.register_buffer(name, tensor)

    def forward(self, x: torch.Tensor) -> Any:
        return self.of(x, *(getattr(self, name) for name in self.words))


@dataclass(frozen=True)
class Case:
    """A network whose last operation is of a kind, and what it gives: `expected(x, net, y)`.

    x is the image and y the recorded result in float64 arrays, of which only the shape is used,
    or what chance decided.
    """

    kind: str
    build: Callable[[], nn.Module]
    decomposition: str
    expected: Callable[[np.ndarray, nn.Module, np.ndarray], Any]
    image: tuple[int, ...] = (3, 5, 6)
    words: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.kind, self.words)))


def numbers(tensor):
    if tensor is None:
        return None
    wide = torch.complex128 if tensor.is_complex() else torch.float64
    return tensor.detach().to(wide).numpy()


def randomized(net, seed=0):
    """Parameters and running statistics that are not those of a fresh layer."""
    rng = torch.manual_seed(seed)
    with torch.no_grad():
        for name, tensor in (*net.named_parameters(), *net.named_buffers()):
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2, generator=rng)
            elif tensor.is_floating_point() and not getattr(net, "words", ()):
                tensor.uniform_(-1, 1, generator=rng)
    return net


def image_of(shape, seed=1, dtype=torch.float32):
    return torch.randn(1, *shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def random_tensor(*shape, seed=7):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def units_of(shape):
    everywhere = list(itertools.product(*map(range, shape)))
    return random.Random(0).sample(everywhere, min(UNITS, len(everywhere)))


def value_at(recording, net, location):
    """The number at a location, from the recording or the network."""
    if location.source in recording:
        return recording[location.source].value[location.at].item()
    state = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    name = location.source.removeprefix("net.")  # the network inside a Flat
    return state[name][location.at].item()


def assert_locations_are_true(explanation, recording, net):
    padding = dict(maximum=-math.inf, minimum=math.inf).get(explanation.decomposition.kind, 0)
    for term in explanation.terms:
        if term.location is None:
            assert term.value == padding, term
        else:
            assert same(value_at(recording, net, term.location), term.value), term
        if term.weight_location is not None:
            assert same(value_at(recording, net, term.weight_location), term.weight), term
    bias_location = getattr(explanation.decomposition, "bias_location", None)
    if bias_location is not None:
        assert value_at(recording, net, bias_location) == explanation.decomposition.bias, (
            bias_location
        )


def same(one, two):
    return one == two or (math.isnan(one) and math.isnan(two))


def column(tensor, dims):
    return None if tensor is None else numbers(tensor).reshape(1, -1, *(1,) * (dims - 2))
