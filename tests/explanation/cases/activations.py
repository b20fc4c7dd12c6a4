"""Functions of one number, against their formulas."""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from convscope.layers import ScaledTanh
from tests.explanation.cases.case import Case, Net, column, numbers
from tests.reference import explanations as reference


def elementwise(of):
    return lambda x, _net, _y: np.vectorize(of, otypes=[float])(x)


def curved(kind, of, *settings, formula=None):
    chosen = reference.CURVES[formula or kind]
    build = of if isinstance(of, type) else lambda: Net(of)
    return Case(
        kind,
        build,
        "expression",
        elementwise(lambda x: chosen(x, *settings)),
        words=", ".join(map(str, (formula or "", *settings))).strip(", "),
    )


ANYWHERE = [
    curved("relu", nn.ReLU),
    curved("relu", torch.relu),
    curved("relu", lambda x: x.clone().relu_()),
    curved("relu", lambda x: F.relu(x, inplace=True)),
    curved("relu6", F.relu6),
    curved("hardtanh", nn.Hardtanh),
    curved("hardtanh", lambda x: F.hardtanh(x, -0.5, 0.25), -0.5, 0.25),
    curved("threshold", lambda x: F.threshold(x, 0.25, -3.0), 0.25, -3.0),
    curved("threshold", nn.Threshold(-0.5, 20), -0.5, 20),
    curved("leaky_relu", nn.LeakyReLU),
    curved("leaky_relu", lambda x: F.leaky_relu(x, 0.25), 0.25),
    curved("elu", nn.ELU),
    curved("elu", lambda x: F.elu(x, 1.5), 1.5),
    curved("celu", nn.CELU),
    curved("celu", lambda x: F.celu(x, alpha=0.5), 0.5),
    curved("celu", lambda x: torch.celu(x, 2.5), 2.5),
    curved("selu", nn.SELU),
    curved("gelu", nn.GELU),
    curved("gelu", lambda x: F.gelu(x, approximate="tanh"), formula="gelu_tanh"),
    curved("silu", nn.SiLU),
    curved("mish", nn.Mish),
    curved("hardswish", nn.Hardswish),
    curved("hardsigmoid", nn.Hardsigmoid),
    curved("tanh", nn.Tanh),
    curved("tanh", torch.tanh),
    curved("sigmoid", nn.Sigmoid),
    curved("sigmoid", lambda x: x.sigmoid()),
    curved("logsigmoid", nn.LogSigmoid),
    curved("softplus", nn.Softplus),
    curved("softplus", lambda x: F.softplus(x, 2.0), 2.0),
    curved("softplus", lambda x: F.softplus(x, beta=0.5, threshold=60), 0.5),
    curved("softsign", nn.Softsign),
    curved("tanhshrink", nn.Tanhshrink),
    curved("hardshrink", nn.Hardshrink),
    curved("hardshrink", lambda x: F.hardshrink(x, 0.25), 0.25),
    curved("softshrink", nn.Softshrink),
    curved("softshrink", lambda x: F.softshrink(x, 0.25), 0.25),
    curved("exp", torch.exp),
    curved("abs", abs),
    curved("abs", lambda x: x.abs_()),
    curved("square", torch.square),
    curved("erf", torch.erf),
    curved("sin", torch.sin),
    curved("cos", torch.cos),
]


def positive(kind, of):
    """A function of what is 0.01 or more."""
    chosen = reference.CURVES[kind]
    return Case(
        kind,
        lambda: Net(lambda x: of(x.abs().clamp(min=2**-7))),
        "expression",
        elementwise(lambda x: chosen(max(abs(x), 2**-7))),
        words="of positive numbers",
    )


ACTIVATIONS = [
    *ANYWHERE,
    positive("log", torch.log),
    positive("log1p", torch.log1p),
    positive("sqrt", torch.sqrt),
    positive("rsqrt", torch.rsqrt),
    positive("reciprocal", torch.reciprocal),
    Case(
        "ScaledTanh",
        lambda: ScaledTanh(amplitude=1.5, slope=0.5),
        "expression",
        elementwise(lambda x: 1.5 * math.tanh(x / 2)),
    ),
    Case(
        "prelu",
        lambda: nn.PReLU(3),
        "expression",
        lambda x, net, _y: np.where(x > 0, x, x * column(net.weight, 4)),
        words="per map",
    ),
    Case(
        "prelu",
        nn.PReLU,
        "expression",
        lambda x, net, _y: np.where(x > 0, x, x * net.weight.item()),
        words="one slope",
    ),
    Case(
        "prelu",
        lambda: nn.PReLU(5),
        "expression",
        lambda x, net, _y: np.where(x > 0, x, x * numbers(net.weight)),
        (5,),
        "of units",
    ),
]
