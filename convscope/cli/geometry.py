"""`convscope geometry`."""

import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from io import TextIOWrapper
from json import dumps
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from convscope.errors import RequestError
from convscope.geometry import (
    Axis,
    Cost,
    MapPadding,
    Padding,
    Volume,
    Worked,
    convolution,
    fitting,
    locally_connected,
    pooling,
    sliding,
    work_out_convolution,
    work_out_dense,
    work_out_inverse,
    work_out_maps,
    work_out_pooling,
)
from convscope.geometry import dense as dense_layer

Facts = dict[str, Any]

_LARGEST = 1_000_000  # a number beyond is a slip of the finger, and would take minutes
_SHOWN = 10  # answers of the inverse question that are printed; --json has all

_WINDOW = {"kernel", "stride", "padding", "same", "dilation"}
_TAKES = {
    "filters": _WINDOW | {"groups", "no-bias", "local"},
    "dense": {"no-bias"},
    "pool": _WINDOW | {"ceil"},
    "to": {"kernel", "stride", "padding"},
    "kernel": _WINDOW | {"ceil"},
}
"""What one can ask for, and the options that mean something with it."""


def geometry(
    size: str,
    /,
    *,
    filters: int | None = None,
    kernel: str | None = None,
    stride: str | None = None,
    padding: str | None = None,
    same: Annotated[bool, Parameter(negative="")] = False,
    dilation: str | None = None,
    groups: int | None = None,
    no_bias: Annotated[bool, Parameter(negative="")] = False,
    local: Annotated[bool, Parameter(negative="")] = False,
    pool: Literal["max", "average", "min"] | None = None,
    ceil: Annotated[bool, Parameter(negative="")] = False,
    dense: int | None = None,
    to: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> None:
    """Work out one layer: output size, parameters, multiply-adds, each with its formula.

    --filters with --kernel is a convolution, --pool with --kernel is pooling, --dense a fully
    connected layer; --kernel alone tells the size. --to asks the inverse: which kernel, stride and
    padding make this output? A multiply-add counts once, biases not; padding counts as input.

    Parameters
    ----------
    size
        The input: height x width x channels, as 32x32x3; 28x28 has one channel, 28 is 28x28.
    filters
        A convolution of so many filters of --kernel; each makes one feature map.
    kernel
        Kernel size: 5, or vertical x horizontal, as 3x5.
    stride
        Cells from one window to the next: 2, or 2x1; default 1, in pooling the kernel size.
    padding
        Cells around the input: 2, or 2x1; before,after as 0,1; same; valid. Default 0.
    same
        As --padding same: what keeps the size at stride 1.
    dilation
        Cells from one tap of the kernel to the next: 2, or 2x1; default 1.
    groups
        Parts into which channels and filters are divided; default 1.
    no_bias
        Filters and units without a bias.
    local
        Locally connected: every unit has a filter of its own.
    pool
        Pooling of windows of --kernel; the sizes are the same for all three.
    ceil
        Round the number of windows up, as some pooling does.
    dense
        A fully connected layer of so many units.
    to
        The inverse question: which kernels, strides and paddings make this output?
    json
        Print one JSON object.
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
        given = {"kernel": kernel, "stride": stride, "padding": padding}
        _print(*_answer_inverse(input, _volume(to, "--to"), given), json=json)
        return
    if dense is not None:
        cost = dense_layer(input, dense, bias=not no_bias)
        _print(work_out_dense(input, cost), _facts(input, cost), json=json)
        return
    wide, apart = _pair(kernel or "", "--kernel"), _pair(dilation or "1", "--dilation")
    step = _pair(stride, "--stride") if stride else wide if pool else (1, 1)
    around = _padding("same" if same else padding or "0")
    axes = sliding(input, wide, stride=step, padding=around, dilation=apart, ceil=ceil)
    if filters is not None:
        parts = 1 if groups is None else groups
        count = locally_connected if local else convolution
        cost = count(
            input,
            filters,
            wide,
            stride=step,
            padding=around,
            dilation=apart,
            groups=parts,
            bias=not no_bias,
        )
        worked = work_out_convolution(input, axes, cost, groups=parts, local=local)
    elif pool is not None:
        cost = pooling(input, wide, stride=step, padding=around, dilation=apart, ceil=ceil)
        worked = work_out_pooling(input, axes, cost)
    else:
        cost, worked = None, work_out_maps(axes)
    _print(worked, _facts(input, cost, axes), json=json)


def _check_options(subjects: Mapping[str, object], options: Mapping[str, object]) -> None:
    """Refuse two questions at once, none at all, and options that mean nothing with the question.

    An option that was not given is None.
    """
    asked = [f"--{name}" for name, value in subjects.items() if value is not None]
    given = {name for name, value in options.items() if value is not None}
    if len(asked) > 1:
        raise RequestError(f"{' and '.join(asked)} are two questions: ask them one by one.")
    if not asked and "kernel" not in given:
        raise RequestError(
            "Say what is done to the input: --filters 8 --kernel 5, --pool max --kernel 2, "
            "--dense 10, or --to 13."
        )
    subject = asked[0] if asked else "--kernel"
    if subject in {"--filters", "--pool"} and "kernel" not in given:
        raise RequestError(f"{subject} needs --kernel, the size of the window, as in --kernel 3.")
    if unused := sorted(f"--{name}" for name in given - _TAKES[subject.removeprefix("--")]):
        raise RequestError(f"{subject} takes no {', '.join(unused)}. Leave it out.")
    if {"same", "padding"} <= given:
        raise RequestError("--same and --padding are two paddings: give one.")


def _numbers(text: str, option: str, *, most: int, example: str) -> tuple[int, ...]:
    """The numbers of "32x32x3"; students write x, the lecture ×, programmers *."""
    parts = [part.strip() for part in re.split("[x×*]", text.lower())]
    if len(parts) > most or not all(re.fullmatch("[0-9]{1,9}", part) for part in parts):
        raise RequestError(f"{option} cannot be {text!r}. Write it as in {example}.")
    numbers = tuple(map(int, parts))
    if max(numbers) > _LARGEST:
        raise RequestError(f"{option} cannot be {text!r}: numbers end at {_LARGEST:,} here.")
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
        raise RequestError(f"--padding cannot be {text!r}: a map has two axes.")
    return sides[0], sides[-1]


def _side(text: str) -> Padding:
    if text in {"same", "valid"}:
        return "same" if text == "same" else "valid"
    if not re.fullmatch("[0-9]{1,6}(,[0-9]{1,6})?", text):
        raise RequestError(
            f"--padding cannot have {text!r}. Write a number, before,after as in 0,1, same or "
            "valid; and an x between the vertical and the horizontal, where they differ."
        )
    cells = [int(part) for part in text.split(",")]
    return cells[0], cells[-1]


def _answer_inverse(
    input: Volume,  # noqa: A002
    output: Volume,
    given: Mapping[str, str | None],
) -> tuple[Worked, Facts]:
    fixed = {
        name: _numbers(text, f"--{name}", most=1, example="3")[0]
        for name, text in given.items()
        if text is not None
    }
    bounds = {
        name: range(fixed.get(name, 1), fixed.get(name, largest) + 1)
        for name, largest in (("kernel", 11), ("stride", 4))
    }
    vertical, horizontal = (
        fitting(size, units, kernels=bounds["kernel"], strides=bounds["stride"])
        for size, units in ((input.height, output.height), (input.width, output.width))
    )
    windows = [
        window
        for window in vertical
        if window in horizontal and window.padding == fixed.get("padding", window.padding)
    ]
    worked = work_out_inverse(input, windows[:_SHOWN])
    if not windows:
        limits = {name: f"up to {bound[-1]}" for name, bound in bounds.items()} | fixed
        told = ", ".join(f"{name} {limit}" for name, limit in limits.items())
        sides = [f"{volume.height}x{volume.width}" for volume in (output, input)]
        worked = replace(
            worked, remarks=(f"No window of {told} makes {sides[0]} from {sides[1]}.",)
        )
    elif len(windows) > _SHOWN:
        more = f"And {len(windows) - _SHOWN} more: --kernel, --stride and --padding narrow them."
        worked = replace(worked, remarks=(more,))
    return worked, {"windows": [asdict(window) for window in windows]}


def _facts(
    input: Volume,  # noqa: A002
    cost: Cost | None,
    axes: tuple[Axis, Axis] | None = None,
) -> Facts:
    facts: Facts = {"input": asdict(input)}
    if cost is not None:
        facts |= asdict(cost) | {
            "parameters": cost.parameters,
            "output_bytes": cost.output_bytes,
            "parameter_bytes": cost.parameter_bytes,
        }
    if axes is not None:
        vertical, horizontal = axes
        if cost is None:
            facts["output"] = {"height": vertical.output, "width": horizontal.output}
        facts["padding"] = {"vertical": vertical.pads, "horizontal": horizontal.pads}
        facts["unread"] = {"rows": vertical.uncovered, "columns": horizontal.uncovered}
    return facts


def _print(worked: Worked, facts: Facts, *, json: bool) -> None:
    if isinstance(sys.stdout, TextIOWrapper):  # the dot of a product is no ASCII
        sys.stdout.reconfigure(errors="backslashreplace")
    if json:
        sys.stdout.write(dumps(facts) + "\n")
        return
    widths = [max((len(row[place]) for row in worked.rows), default=0) for place in (0, 1)]
    for name, value, formula in worked.rows:
        line = f"{name:<{widths[0]}}   {value:<{widths[1]}}   {formula}"
        sys.stdout.write(line.rstrip() + "\n")
    for remark in worked.remarks:
        sys.stdout.write(remark + "\n")
