"""`convscope geometry`."""

import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from io import TextIOWrapper
from json import dumps
from typing import Any, Literal

from convscope.arithmetic import (
    Axis,
    Cost,
    Derivation,
    MapPadding,
    Padding,
    Volume,
    convolution,
    derive_convolution,
    derive_dense,
    derive_output,
    derive_pooling,
    derive_windows,
    locally_connected,
    pooling,
    sliding,
    solve_for_window,
)
from convscope.arithmetic import dense as dense_layer
from convscope.cli.options import Flag, Json, OptionalInt
from convscope.errors import RequestError

Result = dict[str, Any]

_LARGEST = 1_000_000  # anything larger is a typing error, and would take minutes
_SHOWN = 10  # solutions of --to that are printed; --json has all

_WINDOW = {"kernel", "stride", "padding", "same", "dilation"}
_TAKES = {
    "filters": _WINDOW | {"groups", "no-bias", "local"},
    "dense": {"no-bias"},
    "pool": _WINDOW | {"ceil"},
    "to": {"kernel", "stride", "padding"},
    "kernel": _WINDOW | {"ceil"},
}
"""What can be computed, and the options that apply to it."""


def geometry(
    size: str,
    /,
    *,
    filters: OptionalInt = None,
    kernel: str | None = None,
    stride: str | None = None,
    padding: str | None = None,
    same: Flag = False,
    dilation: str | None = None,
    groups: OptionalInt = None,
    no_bias: Flag = False,
    local: Flag = False,
    pool: Literal["max", "average", "min"] | None = None,
    ceil: Flag = False,
    dense: OptionalInt = None,
    to: str | None = None,
    json: Json = False,
) -> None:
    """Compute one layer's output size, parameters and multiply-adds, each with its formula.

    --filters with --kernel is a convolution, --pool with --kernel is pooling, and --dense is a
    fully connected layer; --kernel alone gives the output size. --to solves the inverse problem:
    which kernel, stride and padding produce this output? A multiply-add counts as one operation,
    biases are not counted, and padding counts as input.

    Parameters
    ----------
    size
        Input size: height x width x channels, such as 32x32x3; 28x28 has one channel, and 28 is
        28x28.
    filters
        Number of filters of a convolution; each produces one feature map.
    kernel
        Kernel size: 5, or vertical x horizontal, such as 3x5.
    stride
        Stride: 2, or 2x1; by default 1, and for pooling the kernel size.
    padding
        Padding: 2, or 2x1; before,after such as 0,1; same; or valid. By default 0.
    same
        Same as --padding same: keeps the size at stride 1.
    dilation
        Dilation: 2, or 2x1; by default 1.
    groups
        Number of groups of channels and filters; by default 1.
    no_bias
        No bias in filters and units.
    local
        Locally connected: every unit has its own filter.
    pool
        Pooling over windows of size --kernel; the sizes are the same for all three.
    ceil
        Round the number of windows up instead of down.
    dense
        Number of units of a fully connected layer.
    to
        Output size of the inverse problem: which kernels, strides and paddings produce it?
    """
    subjects = {"filters": filters, "pool": pool, "dense": dense, "to": to}
    options = {
        "kernel": kernel, "stride": stride, "padding": padding, "same": same or None,
        "dilation": dilation, "groups": groups, "no-bias": no_bias or None, "local": local or None,
        "ceil": ceil or None,
    }  # fmt: skip
    _check_options(subjects, options)
    input = _volume(size)  # noqa: A001
    if to is not None:
        known = {"kernel": kernel, "stride": stride, "padding": padding}
        _print(*_solve_inverse(input, _volume(to, "--to"), known), json=json)
        return
    if dense is not None:
        cost = dense_layer(input, dense, bias=not no_bias)
        _print(derive_dense(input, cost), _result(input, cost), json=json)
        return
    sides = _pair(kernel or "", "--kernel")
    spacing = _pair(dilation or "1", "--dilation")
    step = _pair(stride, "--stride") if stride else sides if pool else (1, 1)
    pads = _padding("same" if same else padding or "0")
    axes = sliding(input, sides, stride=step, padding=pads, dilation=spacing, ceil_mode=ceil)
    if filters is not None:
        parts = 1 if groups is None else groups
        count = locally_connected if local else convolution
        cost = count(
            input,
            filters,
            sides,
            stride=step,
            padding=pads,
            dilation=spacing,
            groups=parts,
            bias=not no_bias,
        )
        worked = derive_convolution(input, axes, cost, groups=parts, local=local)
    elif pool is not None:
        cost = pooling(input, sides, stride=step, padding=pads, dilation=spacing, ceil_mode=ceil)
        worked = derive_pooling(input, axes, cost)
    else:
        cost, worked = None, derive_output(axes)
    _print(worked, _result(input, cost, axes), json=json)


def _check_options(subjects: Mapping[str, object], options: Mapping[str, object]) -> None:
    """Refuse two computations at once, none at all, and options that do not apply.

    An option that was not set is None.
    """
    chosen = [f"--{name}" for name, value in subjects.items() if value is not None]
    present = {name for name, value in options.items() if value is not None}
    if len(chosen) > 1:
        raise RequestError(f"{' and '.join(chosen)} exclude each other; use one at a time.")
    if not chosen and "kernel" not in present:
        raise RequestError(
            "Nothing to compute. Add, for example, --filters 8 --kernel 5, --pool max --kernel 2, "
            "--dense 10 or --to 13."
        )
    subject = chosen[0] if chosen else "--kernel"
    if subject in {"--filters", "--pool"} and "kernel" not in present:
        raise RequestError(f"{subject} needs --kernel, the window size, as in --kernel 3.")
    if unused := sorted(f"--{name}" for name in present - _TAKES[subject.removeprefix("--")]):
        raise RequestError(f"{', '.join(unused)} cannot be combined with {subject}. Leave it out.")
    if {"same", "padding"} <= present:
        raise RequestError("--same and --padding exclude each other; use one.")


def _numbers(text: str, option: str, *, most: int, example: str) -> tuple[int, ...]:
    """The numbers of "32x32x3", whether written with x, × or *."""
    parts = [part.strip() for part in re.split("[x×*]", text.lower())]
    if len(parts) > most or not all(re.fullmatch("[0-9]{1,9}", part) for part in parts):
        raise RequestError(f"{option} cannot be {text!r}. Valid forms: {example}.")
    numbers = tuple(map(int, parts))
    if max(numbers) > _LARGEST:
        raise RequestError(f"{option} cannot be {text!r}; numbers go up to {_LARGEST:,}.")
    return numbers


def _volume(text: str, option: str = "The size") -> Volume:
    numbers = _numbers(text, option, most=3, example="32x32x3, 28x28 or 28")
    height, width, *channels = numbers * 2 if len(numbers) == 1 else numbers
    return Volume(channels[0] if channels else 1, height, width)


def _pair(text: str, option: str) -> tuple[int, int]:
    numbers = _numbers(text, option, most=2, example="3 or 3x5 (vertical x horizontal)")
    return numbers[0], numbers[-1]


def _padding(text: str) -> MapPadding:
    sides: list[Padding] = [_side(part) for part in re.split("[x×*]", text.lower())]
    if len(sides) > 2:
        raise RequestError(f"--padding cannot be {text!r}; a map has two axes.")
    return sides[0], sides[-1]


def _side(text: str) -> Padding:
    if text in {"same", "valid"}:
        return "same" if text == "same" else "valid"
    if not re.fullmatch("[0-9]{1,6}(,[0-9]{1,6})?", text):
        raise RequestError(
            f"--padding cannot contain {text!r}. Valid are a number; before,after such as 0,1; "
            "same; and valid. Separate vertical and horizontal padding by an x if they differ."
        )
    cells = [int(part) for part in text.split(",")]
    return cells[0], cells[-1]


def _solve_inverse(
    input: Volume,  # noqa: A002
    output: Volume,
    known: Mapping[str, str | None],
) -> tuple[Derivation, Result]:
    fixed = {
        name: _numbers(text, f"--{name}", most=1, example="3")[0]
        for name, text in known.items()
        if text is not None
    }
    bounds = {
        name: range(fixed.get(name, 1), fixed.get(name, largest) + 1)
        for name, largest in (("kernel", 11), ("stride", 4))
    }
    vertical, horizontal = (
        solve_for_window(size, units, kernels=bounds["kernel"], strides=bounds["stride"])
        for size, units in ((input.height, output.height), (input.width, output.width))
    )
    windows = [
        window
        for window in vertical
        if window in horizontal and window.padding == fixed.get("padding", window.padding)
    ]
    worked = derive_windows(input, windows[:_SHOWN])
    if not windows:
        limits = {name: f"up to {bound[-1]}" for name, bound in bounds.items()} | fixed
        searched = ", ".join(f"{name} {limit}" for name, limit in limits.items())
        sides = [f"{volume.height}x{volume.width}" for volume in (output, input)]
        worked = replace(
            worked, remarks=(f"No window of {searched} produces {sides[0]} from {sides[1]}.",)
        )
    elif len(windows) > _SHOWN:
        more = f"{len(windows) - _SHOWN} more; narrow them down with --kernel, --stride, --padding."
        worked = replace(worked, remarks=(more,))
    return worked, {"windows": [asdict(window) for window in windows]}


def _result(
    input: Volume,  # noqa: A002
    cost: Cost | None,
    axes: tuple[Axis, Axis] | None = None,
) -> Result:
    result: Result = {"input": asdict(input)}
    if cost is not None:
        result |= asdict(cost) | {
            "parameters": cost.parameters,
            "output_bytes": cost.output_bytes,
            "parameter_bytes": cost.parameter_bytes,
        }
    if axes is not None:
        vertical, horizontal = axes
        if cost is None:
            result["output"] = {"height": vertical.output, "width": horizontal.output}
        result["padding"] = {
            "vertical": vertical.padding_pair,
            "horizontal": horizontal.padding_pair,
        }
        result["unread"] = {"rows": vertical.uncovered, "columns": horizontal.uncovered}
    return result


def _print(worked: Derivation, result: Result, *, json: bool) -> None:
    if isinstance(sys.stdout, TextIOWrapper):  # the dot of a product is not ASCII
        sys.stdout.reconfigure(errors="backslashreplace")
    if json:
        sys.stdout.write(dumps(result) + "\n")
        return
    widths = [max((len(row[column]) for row in worked.rows), default=0) for column in (0, 1)]
    for name, value, formula in worked.rows:
        line = f"{name:<{widths[0]}}   {value:<{widths[1]}}   {formula}"
        sys.stdout.write(line.rstrip() + "\n")
    for remark in worked.remarks:
        sys.stdout.write(remark + "\n")
