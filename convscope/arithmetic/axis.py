"""One axis of a sliding window, computed with the formula of the lecture."""

from dataclasses import dataclass
from fractions import Fraction

from convscope.arithmetic import coverage, sizes
from convscope.arithmetic.sizes import Padding


@dataclass(frozen=True)
class Axis:
    """A kernel that slides along one axis, in the notation of `output_size`.

    The properties raise RequestError if the kernel does not fit.

        >>> axis = Axis(224, 11, stride=4)
        >>> axis.output, axis.padding_pair, axis.uncovered, axis.next_exact
        (54, (0, 0), (223,), 227)
        >>> axis.formula
        '(224 - 11 + 2·0)/4 + 1 = 54.25, rounded down to 54'
    """

    size: int
    kernel: int
    stride: int = 1
    padding: Padding = 0
    dilation: int = 1
    ceil_mode: bool = False

    @property
    def effective_kernel(self) -> int:
        """Cells from the first tap to the last."""
        return sizes.effective_kernel(self.kernel, dilation=self.dilation)

    @property
    def padding_pair(self) -> tuple[int, int]:
        """Cells of padding (before, after)."""
        return sizes.padding_pair(
            self.size,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
        )

    @property
    def output(self) -> int:
        """Number of windows, which is the number of output units."""
        return sizes.output_size(
            self.size,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )

    @property
    def uncovered(self) -> tuple[int, ...]:
        """Input cells that no window reads."""
        return coverage.uncovered(
            self.size,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
        )

    @property
    def next_exact(self) -> int:
        """The smallest input of this size or larger for which the stride divides evenly."""
        return (
            self.size + -(self.size - self.effective_kernel + sum(self.padding_pair)) % self.stride
        )

    @property
    def formula(self) -> str:
        """(N - F + P + P')/S + 1 with the numbers filled in, and the rounding of the quotient."""
        before, after = self.padding_pair
        around = f"2·{before}" if before == after else f"{before} + {after}"
        quotient = Fraction(self.size - self.effective_kernel + before + after, self.stride) + 1
        numerator = f"{self.size} - {self.effective_kernel} + {around}"
        text = f"({numerator})/{self.stride} + 1 {_decimal(quotient)}"
        rounded = -(-quotient // 1) if self.ceil_mode else quotient // 1
        if rounded != quotient:
            text += f", rounded {'up' if self.ceil_mode else 'down'} to {rounded}"
        if rounded != self.output:
            text += f", minus a window that would start outside: {self.output}"
        return text

    @property
    def padding_formula(self) -> str:
        """The padding of "same" with its formula: the cells that windows need beyond the input."""
        if self.stride == 1:
            missing = self.effective_kernel - 1
            factor = f"{self.dilation}·" if self.dilation > 1 else ""
            text = f"{factor}({self.kernel} - 1)/2 {_decimal(Fraction(missing, 2))}"
        else:
            kernel = self.effective_kernel
            missing = (self.output - 1) * self.stride + kernel - self.size
            text = f"({self.output} - 1)·{self.stride} + {kernel} - {self.size} = {missing}"
        if missing < 0:
            return f"{text}, so none"
        return f"{text}, the odd one after" if missing % 2 else text


def _decimal(number: Fraction) -> str:
    """Write a number after = or, if two decimals are not enough, after ≈."""
    rounded = round(number, 2)
    sign = "=" if rounded == number else "≈"
    return f"{sign} {float(rounded):.2f}".rstrip("0").rstrip(".")
