"""The SIMD widths among which the compiled engine chooses by time, on this processor.

Trainings that are compared must fix one, or chance decides whether their bits are equal.
"""

from importlib.util import find_spec

WIDTHS: list[int] = []
if find_spec("llvmlite"):
    from convscope.lanes.jit import fast_targets

    WIDTHS = [target.lanes for target in fast_targets()]
WIDEST = {"simd_width": WIDTHS[-1] if WIDTHS else None}
