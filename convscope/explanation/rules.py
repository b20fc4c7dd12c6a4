"""Which function explains which kind of operation."""

from collections.abc import Callable

from convscope.explanation import (
    activation,
    arithmetic,
    dense,
    linear,
    normalization,
    pooling,
    shape_ops,
    windows,
)
from convscope.explanation.operation_view import Index, OperationView
from convscope.recording import KINDS
from convscope.recording.kinds import Rule
from convscope.terms import Decomposition

Explain = Callable[[OperationView, Index], Decomposition]

FUNCTIONS: dict[Rule, Explain] = {
    "convolution": windows.convolution,
    "transposed_convolution": windows.transposed,
    "locally_connected": windows.locally_connected,
    "connection_table": windows.table,
    "dense": dense.dense,
    "matrix_product": dense.matrices,
    "radial_basis": dense.radial,
    "max_pool": pooling.largest,
    "avg_pool": pooling.average,
    "adaptive_avg_pool": pooling.adaptive_average,
    "adaptive_max_pool": pooling.adaptive_largest,
    "min_pool": pooling.smallest,
    "subsampling": pooling.subsampling,
    "reduction": pooling.reduced,
    "batch_norm": normalization.batch_norm,
    "instance_norm": normalization.instance_norm,
    "group_norm": normalization.group_norm,
    "layer_norm": normalization.layer_norm,
    "local_response_norm": normalization.response_norm,
    "paper_response_norm": normalization.paper_response_norm,
    "softmax": normalization.softmax,
    "norm": normalization.length,
    "normalize": normalization.unit_length,
    "curve": activation.curve,
    "scaled_tanh": activation.scaled_tanh,
    "prelu": activation.parametric,
    "power": activation.power,
    "add": arithmetic.add,
    "multiply": arithmetic.multiply,
    "divide": arithmetic.divide,
    "negate": arithmetic.negate,
    "addcmul": arithmetic.add_product,
    "maximum": arithmetic.extreme,
    "comparison": arithmetic.compare,
    "where": arithmetic.choose,
    "generated": arithmetic.drawn,
    "dropout": arithmetic.dropout,
    "drop_path": arithmetic.drop_path,
    "fractal_join": arithmetic.join,
    "move": shape_ops.moved,
    "cast": shape_ops.cast,
    "overwrite": shape_ops.overwritten,
    "linear_map": linear.weighted,
}
"""By the rule's name in the table of operation kinds."""

RULES: dict[str, Explain] = {
    kind.name: FUNCTIONS[kind.rule] for kind in KINDS.values() if kind.rule is not None
}
"""By the kind of the operation."""
