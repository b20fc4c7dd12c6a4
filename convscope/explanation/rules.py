"""Which function explains which kind of operation."""

from collections.abc import Callable

from convscope.explanation import (
    activation,
    arithmetic,
    blends,
    chance,
    dense,
    distances,
    functions,
    linear,
    normalization,
    order,
    pooling,
    rare_pooling,
    recurrent,
    running,
    shape_ops,
    statistics,
    windows,
)
from convscope.explanation.operation_view import Index, OperationView
from convscope.recording import KINDS
from convscope.recording.kinds import Rule
from convscope.terms import Decomposition

Explain = Callable[[OperationView, Index], Decomposition]

FUNCTIONS: dict[Rule, Explain] = {
    "convolution": windows.convolution,
    "transposed_convolution": windows.transposed_convolution,
    "locally_connected": windows.locally_connected,
    "connection_table": windows.connection_table,
    "dense": dense.dense,
    "matrix_product": dense.matrix_product,
    "radial_basis": dense.radial_basis,
    "recurrent": recurrent.recurrent,
    "recurrent_cell": recurrent.recurrent_cell,
    "max_pool": pooling.max_pool,
    "avg_pool": pooling.avg_pool,
    "adaptive_avg_pool": pooling.adaptive_avg_pool,
    "adaptive_max_pool": pooling.adaptive_max_pool,
    "fractional_max_pool": rare_pooling.fractional_max_pool,
    "lp_pool": rare_pooling.lp_pool,
    "max_unpool": rare_pooling.max_unpool,
    "min_pool": pooling.min_pool,
    "subsampling": pooling.subsampling,
    "reduction": pooling.reduction,
    "batch_norm": normalization.batch_norm,
    "instance_norm": normalization.instance_norm,
    "group_norm": normalization.group_norm,
    "layer_norm": normalization.layer_norm,
    "local_response_norm": normalization.local_response_norm,
    "paper_response_norm": normalization.paper_response_norm,
    "softmax": normalization.softmax,
    "rms_norm": normalization.rms_norm,
    "norm": statistics.norm,
    "variance": statistics.variance,
    "product": statistics.product,
    "log_sum_exp": statistics.log_sum_exp,
    "normalize": distances.normalize,
    "cosine_similarity": distances.cosine_similarity,
    "pairwise_distance": distances.pairwise_distance,
    "cdist": distances.cdist,
    "running_sum": running.running_sum,
    "running_product": running.running_product,
    "running_log_sum_exp": running.running_log_sum_exp,
    "addcdiv": blends.addcdiv,
    "lerp": blends.lerp,
    "gated_linear_unit": blends.gated_linear_unit,
    "alpha_dropout": chance.alpha_dropout,
    "rrelu": chance.rrelu,
    "summed_products": dense.summed_products,
    "outer_product": dense.outer_product,
    "curve": activation.curve,
    "scaled_tanh": activation.scaled_tanh,
    "prelu": activation.prelu,
    "function": functions.function,
    "extremum": order.extremum,
    "running_extremum": order.running_extremum,
    "order_statistic": order.order_statistic,
    "add": arithmetic.add,
    "multiply": arithmetic.multiply,
    "divide": arithmetic.divide,
    "negate": arithmetic.negate,
    "addcmul": arithmetic.addcmul,
    "maximum": arithmetic.maximum,
    "comparison": arithmetic.comparison,
    "one_hot": arithmetic.one_hot,
    "where": arithmetic.where,
    "generated": arithmetic.generated,
    "dropout": arithmetic.dropout,
    "drop_path": arithmetic.drop_path,
    "fractal_join": arithmetic.fractal_join,
    "move": shape_ops.move,
    "cast": shape_ops.cast,
    "overwrite": shape_ops.overwrite,
    "linear_map": linear.linear_map,
}
"""By the rule's name in the table of operation kinds."""

RULES: dict[str, Explain] = {
    kind.name: FUNCTIONS[kind.rule] for kind in KINDS.values() if kind.rule is not None
}
"""By the kind of the operation."""
