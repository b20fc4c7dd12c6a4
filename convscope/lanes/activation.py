"""Activations over vectors: forward from the sum, backward from the result."""

from collections.abc import Sequence
from dataclasses import dataclass

from convscope.lanes.ir import Function


@dataclass(frozen=True)
class ActivationSpec:
    """`kind` is relu, relu6, leaky (slope), elu (alpha), tanh (amplitude, slope) or sigmoid."""

    kind: str
    numbers: tuple[float, ...] = ()

    def forward(self, fn: Function, x: str) -> str:
        """f(x); what is no number stays so."""
        zero = fn.constant(0)
        match self.kind:
            case "relu":
                return fn.select(fn.compare("olt", x, zero), zero, x)
            case "relu6":
                six = fn.constant(6)
                low = fn.select(fn.compare("olt", x, zero), zero, x)
                return fn.select(fn.compare("ogt", low, six), six, low)
            case "leaky":
                sloped = fn.do("fmul", x, fn.constant(self.numbers[0]))
                return fn.select(fn.compare("ogt", x, zero), x, sloped)
            case "elu":
                below = fn.do("fsub", exp(fn, fn.smaller(x, zero)), fn.constant(1))
                bent = fn.do("fmul", below, fn.constant(self.numbers[0]))
                return fn.select(fn.compare("ogt", x, zero), x, bent)
            case "tanh":
                amplitude, slope = self.numbers or (1.0, 1.0)
                inner = x if slope == 1 else fn.do("fmul", x, fn.constant(slope))
                bent = tanh(fn, inner)
                return bent if amplitude == 1 else fn.do("fmul", bent, fn.constant(amplitude))
            case _:
                one = fn.constant(1)
                return fn.do("fdiv", one, fn.do("fadd", one, exp(fn, fn.negative(x))))

    def backward(self, fn: Function, t: str, g: str) -> str:
        """g·f'(x), where t = f(x)."""
        zero = fn.constant(0)
        match self.kind:
            case "relu":
                return fn.select(fn.compare("ogt", t, zero), g, zero)
            case "relu6":
                inside = fn.select(fn.compare("olt", t, fn.constant(6)), g, zero)
                return fn.select(fn.compare("ogt", t, zero), inside, zero)
            case "leaky":
                sloped = fn.do("fmul", g, fn.constant(self.numbers[0]))
                return fn.select(fn.compare("ogt", t, zero), g, sloped)
            case "elu":
                bent = fn.do("fmul", g, fn.do("fadd", t, fn.constant(self.numbers[0])))
                return fn.select(fn.compare("ogt", t, zero), g, bent)
            case "tanh":
                amplitude, slope = self.numbers or (1.0, 1.0)
                square = fn.do("fmul", t, t)
                steep = fn.fma(
                    square, fn.constant(-slope / amplitude), fn.constant(slope * amplitude)
                )
                return fn.do("fmul", g, steep)
            case _:
                steep = fn.do("fmul", t, fn.do("fsub", fn.constant(1), t))
                return fn.do("fmul", g, steep)


def polynomial(fn: Function, x: str, coefficients: Sequence[float]) -> str:
    """Horner's scheme, the highest power first."""
    value = fn.constant(coefficients[0])
    for coefficient in coefficients[1:]:
        value = fn.fma(value, x, fn.constant(coefficient))
    return value


_TANH_OVER = (
    -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-08,
    1.48572235717979e-05, 6.37261928875436e-04, 4.89352455891786e-03,
)  # fmt: skip
_TANH_UNDER = (
    1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03,
)  # fmt: skip


def tanh(fn: Function, x: str) -> str:
    """x·p(x²)/q(x²), within a few units of the last place; Eigen's rational approximation."""
    edge = 7.90531110763549805
    x = fn.select(fn.compare("ogt", x, fn.constant(edge)), fn.constant(edge), x)
    x = fn.select(fn.compare("olt", x, fn.constant(-edge)), fn.constant(-edge), x)
    square = fn.do("fmul", x, x)
    over = fn.do("fmul", x, polynomial(fn, square, _TANH_OVER))
    return fn.do("fdiv", over, polynomial(fn, square, _TANH_UNDER))


_EXP = (
    1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
    5.0000001201e-1,
)  # fmt: skip


def exp(fn: Function, x: str) -> str:
    """e to the x as Cephes has it: x = n·ln 2 + r, a polynomial of r, and n into the exponent."""
    lanes, v = fn.target.lanes, fn.vector
    ints = f"<{lanes} x i32>"
    x = fn.select(fn.compare("olt", x, fn.constant(-87)), fn.constant(-87), x)
    x = fn.select(fn.compare("ogt", x, fn.constant(88)), fn.constant(88), x)
    turns = fn.do("fmul", x, fn.constant(1.44269504088896341))
    n = fn.value(f"call {v} @llvm.rint.v{lanes}f32({v} {turns})")
    r = fn.fma(n, fn.constant(-0.693359375), x)
    r = fn.fma(n, fn.constant(2.12194440e-4), r)
    power = fn.fma(polynomial(fn, r, _EXP), fn.do("fmul", r, r), r)
    power = fn.do("fadd", power, fn.constant(1))
    shift = ", ".join(["i32 23"] * lanes)
    bits = fn.value(f"shl {ints} {fn.value(f'fptosi {v} {n} to {ints}')}, <{shift}>")
    exponent = fn.value(f"bitcast {v} {power} to {ints}")
    return fn.value(f"bitcast {ints} {fn.value(f'add {ints} {exponent}, {bits}')} to {v}")
