"""Kinds that choose units by indices or masks, or write them elsewhere; and pieces put together."""

from functools import partial

from convscope.recording.kinds.kind import Kind

_move = partial(Kind, rule="move", field="move", in_summary="hidden")

CHOICES = (
    Kind(
        "embedding",
        "Embedding",
        arguments=("input", "weight"),
        rule="move",
        field="embedding",
    ),
    _move("take", "take", arguments=("input", "index")),
    _move("masked_select", "masked_select", arguments=("input", "mask")),
    _move("scatter", "scatter", arguments=("input", "dim", "index", "value")),
    _move("index_copy", "index_copy", arguments=("input", "dim", "index", "source")),
    _move("index_fill", "index_fill", arguments=("input", "dim", "index", "value")),
    _move("index_put", "index_put", arguments=("input", "indices", "values", "accumulate")),
    _move("masked_scatter", "masked_scatter", arguments=("input", "mask", "source")),
    *(_move(f"{n}_scatter", f"{n}_scatter") for n in ("slice", "select", "diagonal")),
    *(_move(name, name) for name in ("diag", "diag_embed", "diagflat", "block_diag")),
    *(_move(name, name, arguments=("tensors",)) for name in ("dstack", "column_stack")),
    *(_move(name, name) for name in ("hsplit", "vsplit", "dsplit", "broadcast_tensors")),
    *(_move(f"atleast_{n}d", f"atleast_{n}d") for n in (1, 2, 3)),
)

ADDED = (
    Kind("scatter_add", "scatter_add", ("input", "dim", "index", "src"), rule="joint_linear_map"),
    Kind("index_add", "index_add", ("input", "dim", "index", "source"), rule="joint_linear_map"),
    Kind("trace", "trace", ("input",), rule="joint_linear_map"),
)

SCATTERED = (*CHOICES, *ADDED)
