"""Functions that are not in the table, and of which one thing is known: they add up no products.

So a summary can count what a network costs although it cannot explain all of it.
"""

_CHOICES = (
    *("embedding", "embedding_bag", "nonzero", "argwhere", "masked_select", "take"),
    *("index_add", "index_copy", "index_fill", "index_put", "index_reduce", "put"),
    *("scatter", "scatter_add", "scatter_reduce", "masked_scatter", "diagonal_scatter"),
    *("select_scatter", "slice_scatter", "unique", "unique_consecutive", "bucketize"),
    *("searchsorted", "isin", "bincount", "histc", "multinomial", "pack_padded_sequence"),
    *("pad_packed_sequence", "set"),
)
_SHAPES = (
    *("as_strided", "atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_tensors"),
    *("cartesian_prod", "column_stack", "dstack", "diag", "diag_embed", "diagflat"),
    *("hsplit", "vsplit", "dsplit", "fftshift", "ifftshift", "fill_diagonal", "resize", "H", "mH"),
)
_NUMBERS = (
    *("complex", "polar", "real", "imag", "angle", "conj", "conj_physical", "resolve_conj"),
    *("view_as_complex", "view_as_real", "resolve_neg", "cfloat", "cdouble", "any", "all"),
    *("isclose", "isreal", "isneginf", "isposinf", "trace", "count_nonzero", "nansum", "nanmean"),
    *("digamma", "polygamma", "i0", "i0e", "i1", "i1e", "fmax", "fmin", "ldexp", "frexp"),
    *("log_ndtr", "xlog1py", "logaddexp2", "gcd", "lcm", "bitwise_left_shift"),
    *("bitwise_right_shift", "norm_except_dim", "renorm", "grid_sampler", "affine_grid"),
)
_QUANTIZED = (
    *("quantize_per_tensor", "quantize_per_channel", "dequantize", "int_repr"),
    *("fake_quantize_per_tensor_affine", "fake_quantize_per_channel_affine"),
    "fused_moving_avg_obs_fake_quant",
)

WITHOUT_PRODUCTS = frozenset((*_CHOICES, *_SHAPES, *_NUMBERS, *_QUANTIZED))
"""By torch's names. Where the table has a row too, that counts."""
