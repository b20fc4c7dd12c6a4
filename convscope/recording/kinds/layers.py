"""Kinds with weights, windows or statistics: convolution, products, pooling, normalization."""

from functools import partial

from convscope.recording.kinds.kind import Kind

_AXES = (1, 2, 3)
_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = (*_CONVOLUTION[:5], "output_padding", "groups", "dilation")
_WINDOW = ("input", "kernel_size", "stride", "padding")
_AVERAGE = (*_WINDOW, "ceil_mode", "count_include_pad")
_PAIR = ("input", "other")
_ADDEND_AND_PAIR = ("bias", "input", "other")

_convolution = partial(
    Kind,
    label="Conv",
    arguments=_CONVOLUTION,
    rule="convolution",
    field="convolution",
    multiply_adds="convolution",
    drawing="conv",
)
_transposed = partial(
    Kind,
    label="ConvTranspose",
    arguments=_TRANSPOSED,
    rule="transposed_convolution",
    field="transposed_convolution",
    multiply_adds="transposed_convolution",
    drawing="conv",
)
_product = partial(
    Kind, rule="matrix_product", field="matrix_product", multiply_adds="matrix_product"
)
_map = partial(Kind, rule="linear_map")
_adaptive = partial(Kind, arguments=("input", "output_size"), field="adaptive_pool")
_norm = partial(Kind, field="normalized", drawing="norm")
_recurrent = partial(
    Kind,
    arguments=(
        *("input", "hx", "params", "has_biases", "num_layers"),
        *("dropout", "train", "bidirectional", "batch_first"),
    ),
    rule="recurrent",
    field="recurrent",
    multiply_adds="recurrent",
)
_cell = partial(
    Kind,
    arguments=("input", "hx", "w_ih", "w_hh", "b_ih", "b_hh"),
    rule="recurrent_cell",
    field="recurrent_cell",
    multiply_adds="recurrent_cell",
)

CONVOLUTIONS = (
    *(_convolution(f"conv{n}d") for n in _AXES),
    *(_transposed(f"conv_transpose{n}d") for n in _AXES),
    Kind(
        "LocallyConnected2d",
        "LocallyConnected",
        rule="locally_connected",
        field="sliding_layer",
        multiply_adds="locally_connected",
        drawing="conv",
    ),
    Kind(
        "SparseConnectionConv2d",
        "SparseConnectionConv",
        rule="connection_table",
        field="sliding_layer",
        multiply_adds="connection_table",
        drawing="conv",
    ),
)

PRODUCTS = (
    Kind(
        "linear",
        "Linear",
        arguments=("input", "weight", "bias"),
        rule="dense",
        field="dense",
        multiply_adds="linear",
        drawing="dense",
    ),
    Kind("RadialBasis", "RadialBasis", rule="radial_basis", field="dense", drawing="dense"),
    Kind(
        "ZCAWhitening",
        "ZCAWhitening",
        rule="zca_whitening",
        field="normalized",
        multiply_adds="locally_connected",
        drawing="norm",
    ),
    _product("matmul", "matmul", arguments=_PAIR),
    _product("bmm", "bmm", arguments=_PAIR),
    _product("mm", "mm", arguments=_PAIR, aliases=("spmm",)),
    _product("mv", "mv", arguments=_PAIR),
    *(_product(name, name, arguments=_ADDEND_AND_PAIR) for name in ("addmm", "baddbmm", "addmv")),
    _product(
        "addbmm",
        "addbmm",
        arguments=_ADDEND_AND_PAIR,
        rule="summed_products",
        field="full_field",
        multiply_adds="sum_of_matrix_products",
    ),
    Kind("addr", "addr", arguments=_ADDEND_AND_PAIR, rule="outer_product"),
    Kind("outer", "outer", arguments=_PAIR, aliases=("ger",), rule="outer_product"),
    *(
        _map(name, name, arguments=_PAIR, multiply_adds="matrix_product")
        for name in ("dot", "vdot", "inner")
    ),
    *(_map(name, name, arguments=_PAIR) for name in ("kron", "cross")),
    _map("tensordot", "tensordot", arguments=("a", "b", "dims"), multiply_adds="contraction"),
    _map("chain_matmul", "chain_matmul", arguments=("*matrices",), multiply_adds="unknown"),
    _map("multi_dot", "multi_dot", arguments=("tensors",), multiply_adds="unknown"),
    _map(
        "bilinear",
        "Bilinear",
        arguments=("input1", "input2", "weight", "bias"),
        multiply_adds="bilinear",
    ),
    Kind(
        "cosine_similarity",
        "CosineSimilarity",
        arguments=("x1", "x2", "dim", "eps"),
        rule="cosine_similarity",
        field="paired_reduction",
    ),
    Kind(
        "pairwise_distance",
        "PairwiseDistance",
        arguments=("x1", "x2", "p", "eps", "keepdim"),
        rule="pairwise_distance",
        field="paired_reduction",
    ),
    Kind("cdist", "cdist", arguments=("x1", "x2", "p"), rule="cdist", multiply_adds="unknown"),
    Kind("einsum", "einsum", rule="linear_map", field="einsum", multiply_adds="einsum"),
    Kind(
        "scaled_dot_product_attention",
        "attention",
        arguments=("query", "key", "value", "attn_mask", "dropout_p", "is_causal"),
        rule="linear_map",
        field="attention",
        multiply_adds="attention",
    ),
)

RECURRENT = (
    *(_recurrent(name, label) for name, label in (("lstm", "LSTM"), ("gru", "GRU"))),
    *(_recurrent(f"rnn_{activation}", "RNN") for activation in ("tanh", "relu")),
    *(_cell(f"{name}_cell", label) for name, label in (("lstm", "LSTMCell"), ("gru", "GRUCell"))),
    *(_cell(f"rnn_{activation}_cell", "RNNCell") for activation in ("tanh", "relu")),
)

POOLING = (
    *(
        Kind(
            f"max_pool{n}d",
            "MaxPool",
            arguments=(*_WINDOW, "dilation", "ceil_mode"),
            aliases=(f"max_pool{n}d_with_indices",),
            rule="max_pool",
            field="pool",
            drawing="maxpool",
        )
        for n in _AXES
    ),
    *(
        Kind(
            f"avg_pool{n}d",
            "AvgPool",
            arguments=_AVERAGE if n == 1 else (*_AVERAGE, "divisor_override"),
            rule="avg_pool",
            field="pool",
            drawing="avgpool",
        )
        for n in _AXES
    ),
    *(
        Kind(
            f"lp_pool{n}d",
            "LPPool",
            arguments=("input", "norm_type", "kernel_size", "stride", "ceil_mode"),
            rule="lp_pool",
            field="pool",
        )
        for n in _AXES
    ),
    *(
        _adaptive(
            f"adaptive_max_pool{n}d",
            "AdaptiveMaxPool",
            aliases=(f"adaptive_max_pool{n}d_with_indices",),
            rule="adaptive_max_pool",
            drawing="maxpool",
        )
        for n in _AXES
    ),
    *(
        _adaptive(
            f"adaptive_avg_pool{n}d",
            "AdaptiveAvgPool",
            rule="adaptive_avg_pool",
            drawing="avgpool",
        )
        for n in _AXES
    ),
    *(
        Kind(
            f"fractional_max_pool{n}d",
            "FractionalMaxPool",
            arguments=("input", "kernel_size", "output_size", "random_samples"),
            rule="fractional_max_pool",
            field="fractional_pool",
            drawing="maxpool",
        )
        for n in (2, 3)
    ),
    *(
        Kind(
            f"max_unpool{n}d",
            "MaxUnpool",
            arguments=("input", "indices", "kernel_size", "stride", "padding", "output_size"),
            rule="max_unpool",
        )
        for n in _AXES
    ),
    Kind("MinPool2d", "MinPool", rule="min_pool", field="sliding_layer", drawing="minpool"),
    Kind(
        "Subsampling2d",
        "Subsampling",
        rule="subsampling",
        field="sliding_layer",
        multiply_adds="subsampling",
        drawing="avgpool",
    ),
    Kind("interpolate", "Upsample", rule="linear_map", field="resize"),
    Kind(
        "grid_sample",
        "grid_sample",
        arguments=("input", "grid", "mode", "padding_mode", "align_corners"),
        rule="linear_map",
        field="sample",
    ),
)

NORMALIZATION = (
    _norm(
        "batch_norm",
        "BatchNorm",
        arguments=(
            *("input", "running_mean", "running_var", "weight", "bias"),
            *("training", "momentum", "eps"),
        ),
        rule="batch_norm",
        on_page="merged",
    ),
    _norm(
        "layer_norm",
        "LayerNorm",
        arguments=("input", "normalized_shape", "weight", "bias", "eps"),
        rule="layer_norm",
    ),
    _norm(
        "group_norm",
        "GroupNorm",
        arguments=("input", "num_groups", "weight", "bias", "eps"),
        rule="group_norm",
    ),
    _norm(
        "rms_norm",
        "RMSNorm",
        arguments=("input", "normalized_shape", "weight", "eps"),
        rule="rms_norm",
    ),
    _norm("instance_norm", "InstanceNorm", rule="instance_norm"),
    Kind(
        "local_response_norm",
        "LRN",
        arguments=("input", "size", "alpha", "beta", "k"),
        rule="local_response_norm",
        field="cross_channel",
        drawing="norm",
    ),
    Kind(
        "LocalResponseNorm",
        "LRN",
        rule="paper_response_norm",
        field="cross_channel",
        drawing="norm",
    ),
    _norm("GlobalContrastNorm", "GlobalContrastNorm", rule="global_contrast_norm"),
    _norm("normalize", "normalize", rule="normalize", field="normalized_along"),
    Kind("weight_norm", "weight_norm", arguments=("v", "g", "dim"), rule="weight_norm"),
    Kind("glu", "GLU", arguments=("input", "dim"), rule="gated_linear_unit", field="halves"),
)

LAYERS = (*CONVOLUTIONS, *PRODUCTS, *RECURRENT, *POOLING, *NORMALIZATION)
