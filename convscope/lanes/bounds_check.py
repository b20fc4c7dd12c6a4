"""Bounds of accesses, for code that is checked."""

from collections.abc import Sequence


def check_name(function: str, base: str) -> str:
    return f"guard_{function}_{base[1:]}"


def write_bounds_check(
    function: str, base: str, regions: Sequence[tuple[int, int]], counter: str
) -> str:
    """A function that answers with the address it is given where that is in a region of floats.

    What is outside is counted in the number `counter`, and diverted to a harmless address.
    """
    lines = ["  %found0 = add i1 0, 0"]
    for number, (low, high) in enumerate(regions):
        lines += [
            f"  %from{number} = icmp sge i64 %first, {4 * low}",
            f"  %to{number} = icmp sle i64 %end, {4 * high}",
            f"  %in{number} = and i1 %from{number}, %to{number}",
            f"  %found{number + 1} = or i1 %found{number}, %in{number}",
        ]
    body = "\n".join(lines)
    arguments = "ptr %base, ptr %at, i64 %bytes"
    head = f"define internal ptr @{check_name(function, base)}({arguments}) noinline nounwind"
    return f"""{head} {{
entry:
  %begin = ptrtoint ptr %base to i64
  %place = ptrtoint ptr %at to i64
  %first = sub i64 %place, %begin
  %end = add i64 %first, %bytes
{body}
  br i1 %found{len(regions)}, label %inside, label %outside
inside:
  ret ptr %at
outside:
  %before = atomicrmw add ptr @{counter}, i64 1 monotonic
  ret ptr @harmless
}}
"""
