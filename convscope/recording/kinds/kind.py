"""A row of the table of operation kinds, and the values that its columns may have."""

from dataclasses import dataclass
from typing import Literal

Rule = Literal[
    "adaptive_avg_pool",
    "adaptive_max_pool",
    "add",
    "addcdiv",
    "addcmul",
    "alpha_dropout",
    "avg_pool",
    "batch_norm",
    "cast",
    "cdist",
    "comparison",
    "connection_table",
    "convolution",
    "cosine_similarity",
    "count_nonzero",
    "curve",
    "dense",
    "dequantize",
    "divide",
    "drop_path",
    "dropout",
    "dynamic_dense",
    "extremum",
    "fake_quantize",
    "fourier_transform",
    "fractal_join",
    "fractional_max_pool",
    "function",
    "gated_linear_unit",
    "generated",
    "global_contrast_norm",
    "group_norm",
    "instance_norm",
    "integers",
    "joint_linear_map",
    "layer_norm",
    "lerp",
    "linear_map",
    "local_response_norm",
    "locally_connected",
    "log_sum_exp",
    "lp_pool",
    "matrix_product",
    "max_pool",
    "max_unpool",
    "maximum",
    "min_pool",
    "move",
    "multiply",
    "negate",
    "norm",
    "normalize",
    "one_hot",
    "order_statistic",
    "outer_product",
    "overwrite",
    "pairwise_distance",
    "paper_response_norm",
    "polar",
    "prelu",
    "product",
    "quantize",
    "quantized_arithmetic",
    "quantized_concatenation",
    "quantized_convolution",
    "quantized_curve",
    "quantized_dense",
    "quantized_norm",
    "radial_basis",
    "recurrent",
    "recurrent_cell",
    "reduction",
    "rms_norm",
    "rrelu",
    "running_extremum",
    "running_log_sum_exp",
    "running_product",
    "running_sum",
    "scaled_tanh",
    "softmax",
    "subsampling",
    "summed_products",
    "transposed_convolution",
    "truth",
    "variance",
    "weight_norm",
    "where",
    "zca_whitening",
]
"""Names of the rules that explain a unit; `explanation/rules/` has their functions."""

FieldEffect = Literal[
    "adaptive_pool",
    "attention",
    "channel_shuffle",
    "choice",
    "chunk",
    "complex_parts",
    "concatenation",
    "convolution",
    "copy",
    "cross_channel",
    "cumulative",
    "dense",
    "einsum",
    "elementwise",
    "embedding",
    "fill",
    "first_operand",
    "flip",
    "fold",
    "fractional_pool",
    "full_field",
    "halves",
    "index",
    "matrix_product",
    "mixed_along",
    "move",
    "narrow",
    "no_dependency",
    "normalized",
    "normalized_along",
    "overwrite",
    "pad",
    "paired_reduction",
    "permute",
    "pixel_shuffle",
    "pixel_unshuffle",
    "pool",
    "quantized_convolution",
    "recurrent",
    "recurrent_cell",
    "reduction",
    "repeat",
    "repeat_interleave",
    "reshape",
    "resize",
    "roll",
    "rot90",
    "sample",
    "select",
    "sliding_layer",
    "transposed_convolution",
    "unfold",
    "write",
]
"""What an operation does to receptive fields; `receptive/` has the functions. `full_field` is for
operations whose units may depend on everything that any operand depends on."""

MultiplyAdds = Literal[
    "attention",
    "bilinear",
    "connection_table",
    "contraction",
    "convolution",
    "einsum",
    "linear",
    "locally_connected",
    "matrix_product",
    "packed",
    "recurrent",
    "recurrent_cell",
    "subsampling",
    "sum_of_matrix_products",
    "transposed_convolution",
    "unknown",
]
"""Formulas that count multiply-adds; `summaries/counts.py` has the functions. `unknown` is for
operations that may cost any number of them."""

Drawing = Literal[
    "activation",
    "add",
    "avgpool",
    "concat",
    "conv",
    "dense",
    "maxpool",
    "mean",
    "minpool",
    "mul",
    "norm",
    "other",
    "softmax",
]
"""How the page draws an operation and words its sentences; `other` is a plain box."""

InSummary = Literal["row", "activation", "hidden"]
"""A row of its own; the activation column of the row it acts on; or no row."""

OnPage = Literal["row", "merged", "hidden"]
"""A volume of its own; part of the volume it acts on; or no volume."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of operation: one row of the table that every part of convscope reads.

    Attributes:
        name: torch's name of the function (`conv2d`), or the class of a layer of convscope's.
        label: what summaries and the page call it: the name of torch.nn's layer without the
            number of axes (`Conv`, `ReLU`), and the function's where torch.nn has no layer (`add`).
        arguments: names of its positional arguments, for functions without a Python signature; one
            that begins with `*` collects the rest.
        aliases: torch's other names for the same function.
        rule: explains the value of a unit; None where only the value can be shown.
        field: what it does to receptive fields.
        multiply_adds: the formula of its cost; None where it costs none.
        drawing: how the page draws it.
        in_summary, on_page: where it appears.
    """

    name: str
    label: str
    arguments: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    rule: Rule | None = None
    field: FieldEffect = "full_field"
    multiply_adds: MultiplyAdds | None = None
    drawing: Drawing = "other"
    in_summary: InSummary = "row"
    on_page: OnPage = "row"
