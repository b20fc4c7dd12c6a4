"""Elementwise functions that torch evaluates, against the standard library."""

import math

import numpy as np
import torch

from tests.explanation.cases.case import Case, Net, random_tensor

OTHER = random_tensor(3, 1, 6)
HALVES = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
ODD = torch.tensor([math.nan, math.inf, -math.inf, -0.0, 0.0, 2.0])
BITS = torch.tensor([5, 3, 12, 0, 7, 9])


def function(kind, of, expected, words="", **tensors):
    """A function of the image's numbers, and those of one other tensor if it has one."""

    def whole(x, net, _y):
        others = [t.detach().double().numpy() for t in (*net.parameters(), *net.buffers())]
        return np.vectorize(expected, otypes=[float])(x, *others)

    return Case(kind, lambda: Net(of, **tensors), "expression", whole, words=words)


def of_odd(kind, of, expected, words="odd numbers"):
    """A function of zeros, infinities and NaN."""
    return function(
        kind,
        lambda x, z: of(torch.where(x < 99, z, 0.0)),
        lambda _x, z: expected(z),
        words,
        z=ODD,
    )


def of_unit(kind, of, expected):
    """A function of numbers between -1 and 1."""
    return function(kind, lambda x, z: of(0 * x + z), lambda _x, z: expected(z), z=random_unit())


def random_unit():
    return torch.rand(3, 5, 6, generator=torch.Generator().manual_seed(3)) * 1.96875 - 0.984375


def of_positive(kind, of, expected):
    return function(
        kind, lambda x, z: of(0 * x + z), lambda _x, z: expected(z), z=random_unit() + 1
    )


def inverse_of_erf(y):
    """By bisection."""
    low, high = -6.0, 6.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < y else (low, middle)
    return low


def slope_of_lgamma(x):
    """By the recurrence and the asymptotic series."""
    shift = sum(1 / (x + k) for k in range(20))
    x += 20
    series = 1 / (12 * x**2) - 1 / (120 * x**4) + 1 / (252 * x**6) - 1 / (240 * x**8)
    return math.log(x) - 1 / (2 * x) - series - shift


def bessel(x):
    """By its power series."""
    return math.fsum((x / 2) ** (2 * k) / math.factorial(k) ** 2 for k in range(40))


def float32(value):
    return float(np.float32(value))


def floored(x, z):
    return x - z * math.floor(x / z)


def finite(x):
    limits = {math.inf: 1.0, -math.inf: float(np.finfo(np.float32).min)}
    return -0.5 if math.isnan(x) else limits.get(x, x)


WHOLE = [
    function("sign", torch.sign, lambda x: math.copysign(1, x)),
    of_odd("sign", torch.sign, lambda x: 0.0 if math.isnan(x) else (x > 0) - (x < 0)),
    function("sgn", torch.sgn, lambda x: math.copysign(1, x)),
    of_odd("signbit", torch.signbit, lambda x: math.copysign(1, x) < 0),
    function("floor", torch.floor, math.floor),
    function("floor", lambda x: x.clone().floor_(), math.floor, "in place"),
    function("ceil", torch.ceil, math.ceil),
    function("trunc", torch.trunc, math.trunc),
    function("trunc", torch.fix, math.trunc, "by its other name"),
    function("frac", torch.frac, lambda x: math.fmod(x, 1)),
    function("round", torch.round, round),
    function("round", lambda x, z: (z + 0 * x).round(), lambda _, z: round(z), "halves", z=HALVES),
    function(
        "round", lambda x: x.mul(8).round(decimals=-1), lambda x: round(8 * x / 10) * 10, "tens"
    ),
    of_odd("isnan", torch.isnan, math.isnan),
    of_odd("isinf", torch.isinf, math.isinf),
    of_odd("isfinite", torch.isfinite, math.isfinite),
    of_odd("isposinf", torch.isposinf, lambda x: x == math.inf),
    of_odd("isneginf", torch.isneginf, lambda x: x == -math.inf),
    of_odd("nan_to_num", lambda x: torch.nan_to_num(x, -0.5, posinf=1.0), finite),
    of_odd("logical_not", torch.logical_not, lambda x: x == 0),
]

LOGIC = [
    function(
        "logical_and",
        lambda x, z: torch.logical_and(x > 0, z),
        lambda x, z: x > 0 and z != 0,
        z=ODD,
    ),
    function("logical_or", lambda x, z: (x > 0).logical_or(z), lambda x, z: x > 0 or z != 0, z=ODD),
    function(
        "logical_xor", lambda x, z: (x > 0).logical_xor(z), lambda x, z: (x > 0) != (z != 0), z=ODD
    ),
    function("bitwise_and", lambda x: (x > 0) & (x < 1), lambda x: 0 < x < 1),
    function(
        "bitwise_and",
        lambda x, z: (4 * x).int() & z,
        lambda x, z: math.trunc(4 * x) & int(z),
        "of integers",
        z=BITS,
    ),
    function("bitwise_or", lambda x: (x < 0) | (x > 1), lambda x: x < 0 or x > 1),
    function("bitwise_xor", lambda x: (x > 0) ^ (x > 1), lambda x: 0 < x <= 1),
    function("bitwise_not", lambda x: ~(x > 0), lambda x: x <= 0),
]

REMAINDERS = [
    function("floor_divide", lambda x: x // 0.75, lambda x: math.floor(x / 0.75)),
    function(
        "floor_divide",
        lambda x, z: (9 * x).int() // z,
        lambda x, z: math.floor(math.trunc(9 * x) / z),
        "of integers",
        z=BITS + 1,
    ),
    function("rfloordiv", lambda x: 2 // x, lambda x: math.floor(2 / x)),
    function("remainder", lambda x: x % 0.75, lambda x: floored(x, 0.75)),
    function("remainder", torch.remainder, floored, "by a tensor", z=OTHER),
    function("remainder", lambda x: (x * 0 + 0.7) % 0.7, lambda x: 0.0, "by what float32 rounds"),
    function("rmod", lambda x: 2 % x, lambda x: floored(2, x)),
    function("fmod", torch.fmod, math.fmod, z=OTHER),
    function(
        "div",
        lambda x: torch.div(x, 0.25, rounding_mode="floor"),
        lambda x: math.floor(4 * x),
        "floor",
    ),
    function(
        "div",
        lambda x, z: x.div(z, rounding_mode="trunc"),
        lambda x, z: math.trunc(x / z),
        "trunc",
        z=OTHER,
    ),
]

CHOICES = [
    function("clamp", lambda x: x.clamp(-0.5, 0.75), lambda x: min(max(x, -0.5), 0.75)),
    function("clamp", lambda x: x.clamp(min=0.1), lambda x: max(x, float32(0.1)), "from below"),
    function("clamp", lambda x: torch.clip(x, max=0.5), lambda x: min(x, 0.5), "clip"),
    function(
        "clamp",
        lambda x, z: x.clamp(z, z + 0.5),
        lambda x, z: min(max(x, z), float32(z + 0.5)),
        "by tensors",
        z=OTHER,
    ),
    function("clamp", lambda x, z: torch.clamp(x, max=z), min, "from above by a tensor", z=OTHER),
    function("clamp_min", lambda x: x.clamp_min(0.25), lambda x: max(x, 0.25)),
    function("clamp_max", torch.clamp_max, min, z=OTHER),
    function(
        "heaviside",
        lambda x, z: x.relu().detach().heaviside(z.detach()),
        lambda x, z: 1.0 if x > 0 else z,
        z=OTHER,
    ),
    of_odd(
        "fmax",
        lambda x: torch.fmax(x, torch.ones_like(x)),
        lambda x: 1.0 if math.isnan(x) else max(x, 1.0),
    ),
    of_odd(
        "fmin",
        lambda x: torch.fmin(x, torch.ones_like(x)),
        lambda x: 1.0 if math.isnan(x) else min(x, 1.0),
    ),
    function("copysign", torch.copysign, math.copysign, z=OTHER),
]

SMOOTH = [
    function("exp2", torch.exp2, lambda x: 2.0**x),
    function("expm1", torch.expm1, math.expm1),
    of_positive("log2", torch.log2, math.log2),
    of_positive("log10", torch.log10, math.log10),
    of_unit("logit", lambda x: torch.logit(x.abs()), lambda x: math.log(abs(x) / (1 - abs(x)))),
    function("tan", torch.tan, math.tan),
    of_unit("asin", torch.asin, math.asin),
    of_unit("acos", torch.arccos, math.acos),
    function("atan", torch.arctan, math.atan),
    function("sinh", torch.sinh, math.sinh),
    function("cosh", torch.cosh, math.cosh),
    function("asinh", torch.asinh, math.asinh),
    of_positive("acosh", lambda x: (x + 1).acosh(), lambda x: math.acosh(float32(x + 1))),
    of_unit("atanh", torch.atanh, math.atanh),
    function("erfc", torch.erfc, math.erfc),
    of_unit("erfinv", torch.erfinv, inverse_of_erf),
    function("sinc", torch.sinc, lambda x: math.sin(math.pi * x) / (math.pi * x)),
    of_positive("lgamma", torch.lgamma, math.lgamma),
    of_positive("digamma", torch.digamma, slope_of_lgamma),
    function("i0", torch.special.i0, bessel),
    function("deg2rad", torch.deg2rad, math.radians),
    function("rad2deg", torch.rad2deg, math.degrees),
    function("ndtr", torch.special.ndtr, lambda x: math.erfc(-x / math.sqrt(2)) / 2),
    function("sigmoid", torch.special.expit, lambda x: 1 / (1 + math.exp(-x)), "expit"),
    function(
        "sigmoid", lambda x: x.clone().sigmoid_(), lambda x: 1 / (1 + math.exp(-x)), "in place"
    ),
]

OF_TWO = [
    function("pow", lambda x: x**2, lambda x: x * x),
    function("pow", lambda x: x.pow(3), lambda x: x * x * x, "three"),
    function("pow", lambda x: x**-2, lambda x: 1 / x / x, "negative"),
    of_positive(
        "pow", lambda x: torch.pow(x, 0.75), lambda x: math.sqrt(x) * math.sqrt(math.sqrt(x))
    ),
    of_positive("pow", lambda x: x.pow(x - 2), lambda x: x ** float32(x - 2)),
    function("rpow", lambda x: 2**x, lambda x: 2.0**x),
    function("float_power", lambda x: x.float_power(2), lambda x: x * x),
    function("atan2", torch.atan2, math.atan2, z=OTHER),
    function("hypot", torch.hypot, math.hypot, z=OTHER),
    function(
        "logaddexp", torch.logaddexp, lambda x, z: math.log(math.exp(x) + math.exp(z)), z=OTHER
    ),
    function("logaddexp2", torch.logaddexp2, lambda x, z: math.log2(2.0**x + 2.0**z), z=OTHER),
    function(
        "xlogy", lambda x, z: torch.xlogy(x, z.abs()), lambda x, z: x * math.log(abs(z)), z=OTHER
    ),
]

FUNCTIONS = [*WHOLE, *LOGIC, *REMAINDERS, *CHOICES, *SMOOTH, *OF_TWO]
