"""Every kind of operation as its definition has it, unit by unit, in float64.

Arrays in, an array of the shape that is asked for out; sums are rounded once, by `math.fsum`.
"""

import itertools
import math
from fractions import Fraction

import numpy as np


def places(shape):
    return itertools.product(*map(range, shape))


def filled(shape, unit):
    """An array with `unit(place)` at every place."""
    y = np.empty(shape)
    for place in places(shape):
        y[place] = unit(place)
    return y


def inside(place, shape):
    return all(0 <= one < side for one, side in zip(place, shape, strict=True))


def convolution(x, weight, bias, shape, *, stride, padding, dilation, groups=1):
    """Slide each filter; `padding` is what lies before the first unit of each axis."""
    filters, depth, *kernel = weight.shape

    def unit(place):
        n, k, *out = place
        first = k // (filters // groups) * depth
        products = [0.0 if bias is None else bias[k]]
        for c, *tap in places((depth, *kernel)):
            at = _reached(out, tap, stride, padding, dilation)
            if inside(at, x.shape[2:]):
                products.append(weight[(k, c, *tap)] * x[(n, first + c, *at)])
        return math.fsum(products)

    return filled(shape, unit)


def _reached(out, tap, stride, padding, dilation):
    return tuple(
        o * s + t * d - p for o, t, s, p, d in zip(out, tap, stride, padding, dilation, strict=True)
    )


def transposed_convolution(x, weight, bias, shape, *, stride, padding, dilation, groups=1):
    """Every unit of x stamps the filters, times itself, on the result."""
    depth, each, *kernel = weight.shape
    stamped = {place: [0.0 if bias is None else bias[place[1]]] for place in places(shape)}
    for n, c, *at in places(x.shape):
        for k, *tap in places((each, *kernel)):
            out = _reached(at, tap, stride, padding, dilation)
            place = (n, c // (depth // groups) * each + k, *out)
            if inside(place, shape):
                stamped[place].append(weight[(c, k, *tap)] * x[(n, c, *at)])
    return filled(shape, lambda place: math.fsum(stamped[place]))


def matrix_product(left, right, shape, added=None):
    """Row times column; batches go in step, and one of one goes with all."""
    one = left[None] if left.ndim == 1 else left
    two = right[:, None] if right.ndim == 1 else right
    batch = np.broadcast_shapes(one.shape[:-2], two.shape[:-2])
    whole = (*batch, one.shape[-2], two.shape[-1])
    one = np.broadcast_to(one, batch + one.shape[-2:])
    two = np.broadcast_to(two, batch + two.shape[-2:])
    rest = np.broadcast_to(0.0 if added is None else added, whole)

    def unit(place):
        *b, i, j = place
        products = [one[(*b, i, m)] * two[(*b, m, j)] for m in range(one.shape[-1])]
        return math.fsum([*products, rest[place]])

    return filled(whole, unit).reshape(shape)


def dense(x, weight, bias):
    def unit(place):
        *others, k = place
        products = [weight[k, m] * x[(*others, m)] for m in range(x.shape[-1])]
        return math.fsum([*products, 0.0 if bias is None else bias[k]])

    return filled((*x.shape[:-1], len(weight)), unit)


def _under(x, place, kernel, stride, padding, dilation):
    """The units under a window, without what lies in the padding."""
    n, c, *out = place
    reached = (_reached(out, tap, stride, padding, dilation) for tap in places(kernel))
    return [x[(n, c, *at)] for at in reached if inside(at, x.shape[2:])]


def extreme_pool(x, shape, *, kernel, stride, padding, dilation, of=max):
    return filled(shape, lambda place: of(_under(x, place, kernel, stride, padding, dilation)))


def index_of_largest(x, shape, *, kernel, stride, padding, dilation):
    """The place of the first maximum under each window, counted through the whole map."""

    def unit(place):
        n, c, *out = place
        best = None
        for tap in places(kernel):
            at = _reached(out, tap, stride, padding, dilation)
            if inside(at, x.shape[2:]) and (best is None or x[(n, c, *at)] > x[(n, c, *best)]):
                best = at
        return list(places(x.shape[2:])).index(best)

    return filled(shape, unit)


def fractional_pool(x, samples, shape, *, kernel):
    """The maximum of windows at ⌊(i + s)·a⌋ - ⌊s·a⌋, the last at the end; s for each axis."""

    def first(out, side, count, size, s):
        if out == count - 1:
            return side - size
        step = Fraction(side - size, count - 1)
        return math.floor((out + s) * step) - math.floor(s * step)

    def unit(place):
        n, c, *out = place
        starts = [
            first(*axis, Fraction(s))
            for *axis, s in zip(out, x.shape[2:], shape[2:], kernel, samples[c], strict=True)
        ]
        return max(
            x[(n, c, *(s + t for s, t in zip(starts, tap, strict=True)))] for tap in places(kernel)
        )

    return filled(shape, unit)


def unpooled(x, indices, shape):
    """Every unit of x is written where its index says; the rest is 0."""
    y = np.zeros(shape)
    for n, c, *at in places(x.shape):
        y[n, c].reshape(-1)[int(indices[(n, c, *at)])] = x[(n, c, *at)]
    return y


def power_pool(x, shape, *, power, kernel, stride):
    """The p-norm of a window; one over the border counts as if its mean went on."""
    ones, none = (1,) * len(kernel), (0,) * len(kernel)

    def unit(place):
        units = _under(x, place, kernel, stride, none, ones)
        total = math.fsum(one**power for one in units) / len(units) * math.prod(kernel)
        return total ** (1 / power)

    return filled(shape, unit)


def average_pool(x, shape, *, kernel, stride, padding, include=True, override=None):
    ones = (1,) * len(kernel)

    def unit(place):
        units = _under(x, place, kernel, stride, padding, ones)
        count = 1
        for out, k, s, p, side in zip(place[2:], kernel, stride, padding, x.shape[2:], strict=True):
            reached = [out * s - p + tap for tap in range(k)]
            count *= sum(-p <= at < side + p for at in reached)
        divisor = override or (count if include else len(units))
        return math.fsum(units) / divisor

    return filled(shape, unit)


def adaptive_pool(x, shape, of):
    """`of` the units from floor(i·h/h') up to ceil((i+1)·h/h'), both axes alike."""

    def unit(place):
        n, c, *out = place
        spans = [
            range(math.floor(o * side / small), math.ceil((o + 1) * side / small))
            for o, side, small in zip(out, x.shape[2:], shape[2:], strict=True)
        ]
        return of([x[(n, c, *at)] for at in itertools.product(*spans)])

    return filled(shape, unit)


def mean(numbers):
    return math.fsum(numbers) / len(numbers)


def reduced(x, dims, of):
    """`of` the units along whole dimensions, which stay as dimensions of one."""
    shape = tuple(1 if dim in dims else side for dim, side in enumerate(x.shape))

    def unit(place):
        spans = [range(x.shape[d]) if d in dims else [at] for d, at in enumerate(place)]
        return of([x[at] for at in itertools.product(*spans)])

    return filled(shape, unit)


def standardized(x, alike, *, eps, weight=None, bias=None):
    """(x - mean) / √(variance + eps) over the units with which `alike` says that a place goes.

    `weight` and `bias` are broadcast to x.
    """
    members = {}
    for place in places(x.shape):
        members.setdefault(alike(place), []).append(x[place])
    gain = np.broadcast_to(1.0 if weight is None else weight, x.shape)
    shift = np.broadcast_to(0.0 if bias is None else bias, x.shape)

    def unit(place):
        units = members[alike(place)]
        middle = mean(units)
        variance = mean([(one - middle) ** 2 for one in units])
        return gain[place] * (x[place] - middle) / math.sqrt(variance + eps) + shift[place]

    return filled(x.shape, unit)


def response_norm(x, *, size, alpha, beta, k):
    """Half of `size` maps before and what is left of it after, α shared among them."""

    def unit(place):
        n, c, *at = place
        near = range(max(0, c - size // 2), min(x.shape[1], c + (size - 1) // 2 + 1))
        squares = math.fsum(x[(n, m, *at)] ** 2 for m in near)
        return x[place] / (k + alpha / size * squares) ** beta

    return filled(x.shape, unit)


def softmax(x, dim, *, logarithm=False):
    def unit(place):
        line = [x[(*place[:dim], j, *place[dim + 1 :])] for j in range(x.shape[dim])]
        # 1 / Σ e^(x_j - x_k): every power compared with the unit's own
        whole = math.fsum(math.exp(min(one - x[place], 700)) for one in line)
        if logarithm:
            top = max(line)
            return x[place] - top - math.log(math.fsum(math.exp(one - top) for one in line))
        return 1 / whole

    return filled(x.shape, unit)


def _nearest(axis_place, side, small):
    return [(math.floor(axis_place * side / small), 1.0)]


def _linear(axis_place, side, small, *, corners):
    if corners:
        middle = axis_place * (side - 1) / (small - 1)
    else:
        middle = max((axis_place + 0.5) * side / small - 0.5, 0.0)
    low = min(math.floor(middle), side - 1)
    part = middle - low
    return [(low, 1 - part), (min(low + 1, side - 1), part)]


def _cubic(axis_place, side, small):
    """Keys's kernel with a = -3/4, the border repeated."""
    middle = (axis_place + 0.5) * side / small - 0.5
    low = math.floor(middle)

    def kernel(distance, a=-0.75):
        t = abs(distance)
        if t <= 1:
            return (a + 2) * t**3 - (a + 3) * t**2 + 1
        return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a

    taps = range(low - 1, low + 3)
    return [(min(max(at, 0), side - 1), kernel(middle - at)) for at in taps]


def resized(x, shape, mode, *, corners=False):
    """Interpolation along each axis by its own weights."""

    def axis(at, side, small):
        if mode == "nearest":
            return _nearest(at, side, small)
        if mode == "bicubic":
            return _cubic(at, side, small)
        return _linear(at, side, small, corners=corners)

    def unit(place):
        n, c, *out = place
        taps = [axis(*one) for one in zip(out, x.shape[2:], shape[2:], strict=True)]
        products = []
        for chosen in itertools.product(*taps):
            at = tuple(one for one, _ in chosen)
            products.append(math.prod(weight for _, weight in chosen) * x[(n, c, *at)])
        return math.fsum(products)

    return filled(shape, unit)


def sampled(x, grid):
    """Bilinear samples at grid (n, h, w, 2) of (x, y) in -1 to 1, edge to edge, zeros outside."""
    n, channels, height, width = x.shape

    def unit(place):
        image, c, i, j = place
        column = ((grid[image, i, j, 0] + 1) * width - 1) / 2
        row = ((grid[image, i, j, 1] + 1) * height - 1) / 2
        products = []
        for top, left in itertools.product((0, 1), repeat=2):
            at = math.floor(row) + top, math.floor(column) + left
            weight = (1 - abs(row - at[0])) * (1 - abs(column - at[1]))
            if inside(at, (height, width)):
                products.append(weight * x[(image, c, *at)])
        return math.fsum(products)

    return filled((n, channels, *grid.shape[1:3]), unit)


def attention(query, key, value, *, causal=False, seen=None, added=None, scale=None):
    """Σ softmax(q·k·s + m) v over the places, of one batch and head after another.

    `seen` says which places a query sees, `added` is m, and s is 1 / √d unless it is given.
    """
    *lead, many, depth = query.shape
    scale = 1 / math.sqrt(depth) if scale is None else scale

    def unit(place):
        *b, i, e = place
        places_seen = range(i + 1 if causal else key.shape[-2])
        places_seen = [j for j in places_seen if seen is None or seen[i][j]]
        scores = [
            math.fsum(query[(*b, i, m)] * key[(*b, j, m)] for m in range(depth)) * scale
            + (0.0 if added is None else added[i][j])
            for j in places_seen
        ]
        powers = [math.exp(score - max(scores)) for score in scores]
        whole = math.fsum(powers)
        return math.fsum(
            power / whole * value[(*b, j, e)] for power, j in zip(powers, places_seen, strict=True)
        )

    return filled((*lead, many, value.shape[-1]), unit)


def recurrent_step(cell, x, h, c, weights):
    """The hidden and the cell state after one step, as lists; weights as torch lays them out."""
    w, u, b, d, *last = weights
    rows = range(len(w))
    of_x = [math.fsum([*(w[r][m] * x[m] for m in range(len(x))), b[r]]) for r in rows]
    of_h = [math.fsum([*(u[r][m] * h[m] for m in range(len(h))), d[r]]) for r in rows]

    def sigmoid(number):
        return (1 + math.tanh(number / 2)) / 2

    if cell == "gru":
        size, new = len(h), []
        for k in range(size):
            r, z = (sigmoid(of_x[k + n * size] + of_h[k + n * size]) for n in (0, 1))
            n = math.tanh(of_x[k + 2 * size] + r * of_h[k + 2 * size])
            new.append(n + z * (h[k] - n))
        return new, None
    if cell != "lstm":
        sums = [one + two for one, two in zip(of_x, of_h, strict=True)]
        return [math.tanh(s) if "tanh" in cell else (s + abs(s)) / 2 for s in sums], None
    size, new, states = len(c), [], []
    for k in range(size):
        i, f, g, o = (of_x[k + n * size] + of_h[k + n * size] for n in range(4))
        states.append(sigmoid(f) * c[k] + sigmoid(i) * math.tanh(g))
        new.append(sigmoid(o) * math.tanh(states[-1]))
    if last:
        new = [math.fsum(row[m] * new[m] for m in range(size)) for row in last[0]]
    return new, states


def folded(columns, shape, *, kernel):
    """Patches (n, c·kh·kw, positions), one step apart, added up where they overlap."""
    n, channels, height, width = shape
    wide = width - kernel[1] + 1
    added = {place: [] for place in places(shape)}
    for image, c, i, j in places((n, channels, *kernel)):
        row = (c * kernel[0] + i) * kernel[1] + j
        for position in range((height - kernel[0] + 1) * wide):
            place = image, c, position // wide + i, position % wide + j
            added[place].append(columns[image, row, position])
    return filled(shape, lambda place: math.fsum(added[place]))


def softplus(x, beta=1.0):
    return math.log1p(math.exp(-abs(beta * x))) / beta + max(x, 0.0)


CURVES = {
    "relu": lambda x: (x + abs(x)) / 2,
    "relu6": lambda x: sorted((0.0, x, 6.0))[1],
    "hardtanh": lambda x, low=-1.0, high=1.0: sorted((low, x, high))[1],
    "clamp": lambda x, low=-math.inf, high=math.inf: sorted((low, x, high))[1],
    "threshold": lambda x, edge=0.0, value=0.0: value if x <= edge else x,
    "leaky_relu": lambda x, slope=0.01: max(x, 0.0) + slope * min(x, 0.0),
    "elu": lambda x, alpha=1.0: max(x, 0.0) + alpha * math.expm1(min(x, 0.0)),
    "celu": lambda x, alpha=1.0: max(x, 0.0) + alpha * math.expm1(min(x, 0.0) / alpha),
    "selu": lambda x: (
        1.0507009873554804934193349852946
        * (max(x, 0.0) + 1.6732632423543772848170429916717 * math.expm1(min(x, 0.0)))
    ),
    "gelu": lambda x: x * math.erfc(-x / math.sqrt(2)) / 2,
    "gelu_tanh": lambda x: (
        x / (1 + math.exp(min(-2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3), 700)))
    ),
    "silu": lambda x: x * math.exp(-softplus(-x)),
    "mish": lambda x: x * math.tanh(softplus(x)),
    "hardswish": lambda x: x * sorted((0.0, (x + 3) / 6, 1.0))[1],
    "hardsigmoid": lambda x: sorted((0.0, (x + 3) / 6, 1.0))[1],
    "tanh": lambda x: math.copysign(-math.expm1(-2 * abs(x)) / (1 + math.exp(-2 * abs(x))), x),
    "sigmoid": lambda x: math.exp(-softplus(-x)),
    "logsigmoid": lambda x: -softplus(-x),
    "softplus": softplus,
    "softsign": lambda x: math.copysign(1 / (1 + 1 / abs(x)), x) if x else x,
    "tanhshrink": lambda x: x - math.tanh(x),
    "hardshrink": lambda x, edge=0.5: 0.0 if -edge <= x <= edge else x,
    "softshrink": lambda x, edge=0.5: x - sorted((-edge, x, edge))[1],
    "exp": lambda x: math.e**x if abs(x) < 1 else math.exp(x),
    "log": math.log,
    "log1p": lambda x: math.log(1 + x) if abs(x) > 0.1 else 2 * math.atanh(x / (2 + x)),
    "sqrt": lambda x: x**0.5,
    "rsqrt": lambda x: x**-0.5,
    "reciprocal": lambda x: x**-1,
    "square": lambda x: x**2,
    "abs": lambda x: -x if x < 0 else x,
    "erf": lambda x: 1 - math.erfc(x) if x > 0.5 else math.erf(x),
    "sin": lambda x: math.cos(x - math.pi / 2),
    "cos": lambda x: 1 - 2 * math.sin(x / 2) ** 2,
}
"""Activation functions by other formulas than the package's, of finite numbers."""
