"""`geometry`: one layer's output size, parameters and multiply-adds, with their formulas."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from convscope.arithmetic.axis import Axis
from convscope.arithmetic.cost import Cost, Volume, convolution, locally_connected, pooling, sliding
from convscope.arithmetic.cost import dense as dense_layer
from convscope.arithmetic.derivation import (
    Derivation,
    derive_convolution,
    derive_dense,
    derive_output,
    derive_pooling,
    derive_windows,
)
from convscope.arithmetic.inverse import Window, solve_for_window
from convscope.arithmetic.request import Sides, read_number, read_padding, read_pair, read_volume
from convscope.errors import RequestError
from convscope.words import escape_html

_SHOWN = 10  # windows that are written out
_LARGEST_KERNEL = 11  # that the inverse problem tries
_LARGEST_STRIDE = 4

_WINDOW = {"kernel", "stride", "padding", "same", "dilation"}
_TAKES = {
    "filters": _WINDOW | {"groups", "bias", "local"},
    "dense": {"bias"},
    "pool": _WINDOW | {"ceil"},
    "to": {"kernel", "stride", "padding"},
    "kernel": _WINDOW | {"ceil"},
}
"""What can be computed, and the arguments that apply to it."""


@dataclass(frozen=True)
class Geometry:
    """One layer, or the answers to the inverse problem; printed as rows with formulas.

    Attributes:
        input: the volume that the layer reads.
        derivation: each quantity, its value and its formula; remarks in sentences.
        cost: the output volume, parameters, connections and multiply-adds; None where only sizes
            were asked for.
        axes: the vertical and the horizontal axis of a window that slides, else None.
        windows: the answers to the inverse problem, all of them.
    """

    input: Volume
    derivation: Derivation
    cost: Cost | None = None
    axes: tuple[Axis, Axis] | None = None
    windows: tuple[Window, ...] | None = None

    @property
    def output(self) -> tuple[int, ...] | None:
        """(height, width, channels), or (height, width) where no layer was named."""
        if self.cost is not None:
            volume = self.cost.output
            return volume.height, volume.width, volume.channels
        return self.axes and tuple(axis.output for axis in self.axes)

    def to_dict(self) -> dict[str, Any]:
        """The numbers, as `--json` prints them."""
        if self.windows is not None:
            return {"windows": [asdict(window) for window in self.windows]}
        result: dict[str, Any] = {"input": asdict(self.input)}
        if self.cost is not None:
            result |= asdict(self.cost) | {
                "parameters": self.cost.parameters,
                "output_bytes": self.cost.output_bytes,
                "parameter_bytes": self.cost.parameter_bytes,
            }
        if self.axes is not None:
            vertical, horizontal = self.axes
            if self.cost is None:
                result["output"] = {"height": vertical.output, "width": horizontal.output}
            result["padding"] = {
                "vertical": vertical.padding_pair,
                "horizontal": horizontal.padding_pair,
            }
            result["unread"] = {"rows": vertical.uncovered, "columns": horizontal.uncovered}
        return result

    def __str__(self) -> str:
        rows = self.derivation.rows
        widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
        lines = [
            f"{name:<{widths[0]}}   {value:<{widths[1]}}   {formula}".rstrip()
            for name, value, formula in rows
        ]
        return "\n".join([*lines, *self.derivation.remarks])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        rows = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left'>{escape_html(cell)}</td>" for cell in row)
            for row in self.derivation.rows
        )
        remarks = "".join(f"<p>{escape_html(remark)}</p>" for remark in self.derivation.remarks)
        return f"<table>{rows}</table>{remarks}"


def geometry(
    size: Sides,
    *,
    filters: int | None = None,
    kernel: Sides | None = None,
    stride: Sides | None = None,
    padding: Sides | None = None,
    same: bool = False,
    dilation: Sides | None = None,
    groups: int | None = None,
    bias: bool = True,
    local: bool = False,
    pool: Literal["max", "average", "min"] | None = None,
    ceil: bool = False,
    dense: int | None = None,
    to: Sides | None = None,
) -> Geometry:
    """Compute one layer's output size, parameters and multiply-adds, each with its formula.

    `filters` with `kernel` is a convolution, `pool` with `kernel` is pooling, and `dense` is a
    fully connected layer; `kernel` alone gives the output size. `to` solves the inverse problem:
    which kernel, stride and padding produce this output? A multiply-add counts as one operation,
    biases are not counted, and padding counts as input.

    Sizes are a number, a tuple or text: `size` is (height, width, channels), such as "32x32x3";
    28 is 28x28 with one channel. The others are (vertical, horizontal); `stride` is 1 by default,
    and the kernel size for pooling. `padding` may also be "same" (as `same=True`), "valid", or
    "0,1" for before and after. `local`: every unit has a filter of its own. `ceil` rounds the
    number of windows up.

    Raises RequestError for a size that is impossible and for arguments that exclude each other.

        >>> geometry("64x64x3", filters=10, kernel=5, padding=2).output
        (64, 64, 10)
        >>> geometry(27, to=13).windows[0]
        Window(kernel=3, stride=2, padding=0)
    """
    arguments: dict[str, object] = {
        "kernel": kernel, "stride": stride, "padding": padding, "same": same or None,
        "dilation": dilation, "groups": groups, "bias": None if bias else False,
        "local": local or None, "ceil": ceil or None,
    }  # fmt: skip
    _check({"filters": filters, "pool": pool, "dense": dense, "to": to}, arguments)
    volume = read_volume(size)
    if to is not None:
        return _inverse(volume, read_volume(to, "`to`"), kernel, stride, padding)
    if dense is not None:
        cost = dense_layer(volume, dense, bias=bias)
        return Geometry(volume, derive_dense(volume, cost), cost)
    sides = read_pair(kernel or "", "`kernel`")
    step = sides if pool else (1, 1)
    step = step if stride is None else read_pair(stride, "`stride`")
    spacing = (1, 1) if dilation is None else read_pair(dilation, "`dilation`")
    pads = read_padding("same" if same else 0 if padding is None else padding)
    axes = sliding(volume, sides, stride=step, padding=pads, dilation=spacing, ceil_mode=ceil)
    if pool is not None:
        cost = pooling(volume, sides, stride=step, padding=pads, dilation=spacing, ceil_mode=ceil)
        return Geometry(volume, derive_pooling(volume, axes, cost), cost, axes)
    if filters is None:
        return Geometry(volume, derive_output(axes), None, axes)
    parts = 1 if groups is None else groups
    cost = (locally_connected if local else convolution)(
        volume,
        filters,
        sides,
        stride=step,
        padding=pads,
        dilation=spacing,
        groups=parts,
        bias=bias,
    )
    derivation = derive_convolution(volume, axes, cost, groups=parts, local=local)
    return Geometry(volume, derivation, cost, axes)


def _check(subjects: Mapping[str, object], arguments: Mapping[str, object]) -> None:
    """Refuse two computations at once, none at all, and arguments that do not apply.

    An argument that was not set is None.
    """
    chosen = [name for name, value in subjects.items() if value is not None]
    present = {name for name, value in arguments.items() if value is not None}
    if len(chosen) > 1:
        names = " and ".join(f"`{name}`" for name in chosen)
        raise RequestError(f"{names} exclude each other; use one at a time.")
    if not chosen and "kernel" not in present:
        raise RequestError(
            "Nothing to compute. Add, for example, `filters=8` and `kernel=5`; `pool=max` and "
            "`kernel=2`; `dense=10`; or `to=13`."
        )
    subject = chosen[0] if chosen else "kernel"
    if subject in {"filters", "pool"} and "kernel" not in present:
        raise RequestError(f"`{subject}` needs `kernel`, the window size, as in `kernel=3`.")
    if unused := sorted(present - _TAKES[subject]):
        names = ", ".join("`bias=False`" if name == "bias" else f"`{name}`" for name in unused)
        raise RequestError(f"{names} cannot be combined with `{subject}`. Leave it out.")
    if {"same", "padding"} <= present:
        raise RequestError("`same` and `padding` exclude each other; use one.")


def _inverse(
    volume: Volume,
    output: Volume,
    kernel: Sides | None,
    stride: Sides | None,
    padding: Sides | None,
) -> Geometry:
    known = {"kernel": kernel, "stride": stride, "padding": padding}
    fixed = {
        name: read_number(value, f"`{name}`")  # pyright: ignore[reportArgumentType]
        for name, value in known.items()
        if value is not None
    }
    bounds = {
        name: range(fixed.get(name, 1), fixed.get(name, largest) + 1)
        for name, largest in (("kernel", _LARGEST_KERNEL), ("stride", _LARGEST_STRIDE))
    }
    vertical, horizontal = (
        solve_for_window(size, units, kernels=bounds["kernel"], strides=bounds["stride"])
        for size, units in ((volume.height, output.height), (volume.width, output.width))
    )
    windows = tuple(
        window
        for window in vertical
        if window in horizontal and window.padding == fixed.get("padding", window.padding)
    )
    derivation = derive_windows(volume, windows[:_SHOWN])
    remark = _searched(volume, output, windows, fixed)
    return Geometry(volume, replace(derivation, remarks=(remark,)), windows=windows)


def _searched(
    volume: Volume, output: Volume, windows: tuple[Window, ...], fixed: Mapping[str, int]
) -> str:
    """Which windows were tried, and what is not shown."""
    limits = {
        "kernel": f"up to {_LARGEST_KERNEL}",
        "stride": f"up to {_LARGEST_STRIDE}",
        "padding": "up to half the kernel",
    }
    tried = "Tried: " + ", ".join(
        f"{name} {fixed.get(name, limit)}" for name, limit in limits.items()
    )
    free = [name for name in ("kernel", "stride") if name not in fixed]
    beyond = f"; {' and '.join(f'`{name}`' for name in free)} may be set to others" if free else ""
    if not windows:
        sides = [f"{one.height}x{one.width}" for one in (output, volume)]
        return f"No window produces {sides[0]} from {sides[1]}. {tried}{beyond}."
    if len(windows) > _SHOWN:
        more = len(windows) - _SHOWN
        return f"{more} more; narrow them down with `kernel`, `stride`, `padding`. {tried}."
    return f"{tried}{beyond}."
