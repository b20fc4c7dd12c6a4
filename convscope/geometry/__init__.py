"""The arithmetic of convolutional networks: integers in and out, exact, and without torch.

Three conventions hold throughout.

- A multiply-add is one operation, not two; biases are not counted.
- A connection is one link of one output unit to one operand: to an input by a weight, or to its
  bias. Both counts take windows whole, also where they stand on padding.
- A range of cells is (first, end) as in `range` and in slices: `end` is the first cell outside.

Volumes are (channels, height, width). One value for two axes means the same for both; a pair is
(vertical, horizontal).
"""

from convscope.geometry.axis import Axis
from convscope.geometry.cost import (
    Cost,
    MapPadding,
    Volume,
    convolution,
    dense,
    locally_connected,
    pooling,
    sliding,
)
from convscope.geometry.coverage import tell_uncovered, uncovered
from convscope.geometry.field import Field
from convscope.geometry.inverse import Window, fitting
from convscope.geometry.sizes import Padding, output_size, pads, same_padding, span
from convscope.geometry.support import Support
from convscope.geometry.worked import (
    Worked,
    work_out_convolution,
    work_out_dense,
    work_out_inverse,
    work_out_maps,
    work_out_pooling,
)

__all__ = [
    "Axis",
    "Cost",
    "Field",
    "MapPadding",
    "Padding",
    "Support",
    "Volume",
    "Window",
    "Worked",
    "convolution",
    "dense",
    "fitting",
    "locally_connected",
    "output_size",
    "pads",
    "pooling",
    "same_padding",
    "sliding",
    "span",
    "tell_uncovered",
    "uncovered",
    "work_out_convolution",
    "work_out_dense",
    "work_out_inverse",
    "work_out_maps",
    "work_out_pooling",
]
