"""The arithmetic of convolutional networks: integers in and out, exact, and without torch.

Three conventions hold throughout.

- A multiply-add is one operation, not two; biases are not counted.
- A connection links one output unit to one operand: to an input by a weight, or to its bias. Both
  counts include the part of a window that covers padding.
- A range of cells is (start, stop) as in `range` and in slices: `stop` is the first cell outside.

Volumes are (channels, height, width). A single value applies to both axes; a pair is (vertical,
horizontal).
"""

from convscope.arithmetic.axis import Axis
from convscope.arithmetic.cost import (
    Cost,
    MapPadding,
    Volume,
    convolution,
    dense,
    locally_connected,
    pooling,
    sliding,
)
from convscope.arithmetic.coverage import describe_uncovered, uncovered
from convscope.arithmetic.derivation import (
    Derivation,
    derive_convolution,
    derive_dense,
    derive_output,
    derive_pooling,
    derive_windows,
)
from convscope.arithmetic.field import Field
from convscope.arithmetic.geometry import Geometry as Geometry
from convscope.arithmetic.geometry import geometry as geometry
from convscope.arithmetic.inverse import Window, solve_for_window
from convscope.arithmetic.sizes import (
    Padding,
    effective_kernel,
    output_size,
    padding_pair,
    same_padding,
)
from convscope.arithmetic.support import Support

__all__ = [
    "Axis",
    "Cost",
    "Derivation",
    "Field",
    "MapPadding",
    "Padding",
    "Support",
    "Volume",
    "Window",
    "convolution",
    "dense",
    "derive_convolution",
    "derive_dense",
    "derive_output",
    "derive_pooling",
    "derive_windows",
    "describe_uncovered",
    "effective_kernel",
    "locally_connected",
    "output_size",
    "padding_pair",
    "pooling",
    "same_padding",
    "sliding",
    "solve_for_window",
    "uncovered",
]
