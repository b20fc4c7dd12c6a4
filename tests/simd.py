"""The SIMD widths among which the compiled engine chooses by time, on this processor.

Trainings that are compared must fix one, or chance decides whether their bits are equal.
"""

from importlib.util import find_spec


def _widths() -> list[int]:
    if not find_spec("llvmlite"):
        return []
    from convscope.lanes.jit import fast_targets  # noqa: PLC0415 -- needs an extra

    return [target.lanes for target in fast_targets()]


WIDTHS = _widths()
WIDEST = {"simd_width": WIDTHS[-1] if WIDTHS else None}
