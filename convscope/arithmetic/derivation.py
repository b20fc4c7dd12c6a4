"""Layers derived as in an exercise: each quantity, its value, and the formula with numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from convscope.arithmetic.axis import Axis
from convscope.arithmetic.cost import Cost, Volume, sliding
from convscope.arithmetic.coverage import describe_uncovered
from convscope.arithmetic.inverse import Window

Row = tuple[str, str, str]
"""A quantity, its value, and the formula with the numbers filled in."""


@dataclass(frozen=True)
class Derivation:
    """The solution of an exercise: rows, to be shown in columns, and remarks in sentences."""

    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()


def derive_output(axes: tuple[Axis, Axis], *, channels: int | None = None) -> Derivation:
    """Derive the output size; `axes` are the vertical and the horizontal one.

    The remarks name the cells that are never read, and the next size that needs no rounding.
    """
    height, width = (axis.output for axis in axes)
    maps = f"{height}x{width}" + (f"x{channels}" if channels else "")
    rows = _by_axis("output", maps, tuple(axis.formula for axis in axes))
    if any(axis.dilation > 1 for axis in axes):
        spans = tuple(
            f"{axis.dilation}·({axis.kernel} - 1) + 1 = {axis.effective_kernel}" for axis in axes
        )
        rows += _by_axis("window", "x".join(str(axis.effective_kernel) for axis in axes), spans)
    if any(axis.padding == "same" for axis in axes):
        sums = tuple("{} + {}".format(*axis.padding_pair) for axis in axes)
        value = sums[0] if sums[0] == sums[1] else " and ".join(sums)
        reasons = (axis.padding_formula if axis.padding == "same" else "as given" for axis in axes)
        rows += _by_axis("padding", value, tuple(reasons))
    return Derivation(rows, _remarks(axes))


def derive_convolution(
    volume: Volume,
    axes: tuple[Axis, Axis],
    cost: Cost,
    *,
    groups: int = 1,
    local: bool = False,
) -> Derivation:
    """Derive the cost of a convolution or, with `local`, of a locally connected layer."""
    maps = derive_output(axes, channels=cost.output.channels)
    area = "·".join(str(axis.kernel) for axis in axes)
    taps = f"{area}·{volume.channels}" + (f"/{groups}" if groups > 1 else "")
    operands = f"({taps} + 1)" if cost.biases else taps
    filters = str(cost.output.channels)
    units = f"{cost.output.height}·{cost.output.width}·{filters}"
    rows = (
        _parameters(f"{units if local else filters}·{operands}", cost),
        ("connections", f"{cost.connections:,}", f"{units}·{operands}"),
        ("multiply-adds", f"{cost.multiply_adds:,}", f"{units}·{taps}"),
        _memory(cost),
    )
    return Derivation(maps.rows + rows, maps.remarks)


def derive_dense(volume: Volume, cost: Cost) -> Derivation:
    """Derive the cost of a fully connected layer."""
    units = cost.output.channels
    inputs = f"{volume.height}·{volume.width}·{volume.channels}"
    operands = f"{units}·({inputs} + 1)" if cost.biases else f"{units}·{inputs}"
    rows = (
        ("output", f"{units:,}", ""),
        _parameters(operands, cost),
        ("connections", f"{cost.connections:,}", operands),
        ("multiply-adds", f"{cost.multiply_adds:,}", f"{units}·{inputs}"),
        _memory(cost),
    )
    return Derivation(rows)


def derive_pooling(volume: Volume, axes: tuple[Axis, Axis], cost: Cost) -> Derivation:
    """Derive pooling, and the share of the values that it keeps: a quarter for 2x2, stride 2."""
    maps = derive_output(axes, channels=volume.channels)
    before, after = volume.units, cost.output.units
    kept = ("values", f"{after:,}", f"{100 * after / before:.3g}% of the {before:,} before")
    output = "·".join(map(str, (cost.output.height, cost.output.width, cost.output.channels)))
    window = "·".join(str(axis.kernel) for axis in axes)
    links = ("connections", f"{cost.connections:,}", f"{output}·{window}")
    return Derivation((*maps.rows, kept, links), maps.remarks)


def derive_windows(
    volume: Volume,
    windows: Sequence[Window],
) -> Derivation:
    """Show the solutions of the inverse problem, one per row."""
    rows: list[Row] = []
    for window in windows:
        axes = sliding(volume, window.kernel, stride=window.stride, padding=window.padding)
        formulas = dict.fromkeys(axis.formula for axis in axes)
        unread = _unread(axes)
        text = "; ".join([*formulas, unread] if unread else formulas)
        value = f"stride {window.stride}, padding {window.padding}"
        rows.append((f"kernel {window.kernel}", value, text))
    return Derivation(tuple(rows))


def _by_axis(name: str, value: str, formulas: tuple[str, ...]) -> tuple[Row, ...]:
    """Return one row if both axes have the same formula, else one per axis."""
    vertical, horizontal = formulas
    if vertical == horizontal:
        return ((name, value, vertical),)
    return ((name, value, f"height: {vertical}"), ("", "", f"width: {horizontal}"))


def _remarks(axes: tuple[Axis, Axis]) -> tuple[str, ...]:
    unread = _unread(axes)
    remarks = [f"{unread[0].upper()}{unread[1:]}."] if unread else []
    exact = tuple(axis.next_exact for axis in axes)
    numeric = all(axis.padding != "same" and not axis.ceil_mode for axis in axes)
    if numeric and exact != tuple(axis.size for axis in axes):
        remarks.append(f"An input of {exact[0]}x{exact[1]} would need no rounding.")
    return tuple(remarks)


def _unread(axes: tuple[Axis, Axis]) -> str:
    vertical, horizontal = axes
    return describe_uncovered(
        vertical.uncovered, horizontal.uncovered, height=vertical.size, width=horizontal.size
    )


def _parameters(formula: str, cost: Cost) -> Row:
    parts = f": {cost.weights:,} weights and {cost.biases:,} biases" if cost.biases else ""
    return "parameters", f"{cost.parameters:,}", formula + parts


def _memory(cost: Cost) -> Row:
    output, parameters = _format_bytes(cost.output_bytes), _format_bytes(cost.parameter_bytes)
    return "memory", output, f"for the output, {parameters} for the parameters, in float32"


def _format_bytes(count: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"
