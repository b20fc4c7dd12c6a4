"""Kinds that compute nothing: they move numbers, or make new ones from nothing."""

from functools import partial

from convscope.recording.kinds.kind import Kind

INPLACE_UPDATE = "inplace_update"
"""The kind of an operation that changes a tensor through another one that shares its storage."""

_same = partial(
    Kind, rule="move", field="elementwise", in_summary="hidden", on_page="hidden"
)  # the same numbers in the same order
_reshape = partial(_same, field="reshape")
_move = partial(Kind, rule="move", in_summary="hidden")
_layer = partial(Kind, rule="move")  # torch.nn has a layer that does it
_join = partial(Kind, rule="move", field="concatenation")
_new = partial(Kind, rule="generated", field="no_dependency")

SAME = (
    _same("contiguous", "contiguous"),
    _same("clone", "clone"),
    _same("detach", "detach"),
    _same("data", "data"),
    _same("alias", "alias"),
    _same("requires_grad", "requires_grad"),
    _same("positive", "positive"),
)

SHAPES = (
    _reshape("flatten", "Flatten", arguments=("input", "start_dim", "end_dim")),
    _reshape("unflatten", "Unflatten", arguments=("input", "dim", "sizes")),
    _reshape("view", "view", arguments=("input", "*shape")),
    _reshape("reshape", "reshape", arguments=("input", "*shape")),
    _reshape("view_as", "view_as"),
    _reshape("reshape_as", "reshape_as"),
    _reshape("ravel", "ravel"),
    _reshape("squeeze", "squeeze", arguments=("input", "dim")),
    _reshape("unsqueeze", "unsqueeze", arguments=("input", "dim")),
    _same("permute", "permute", arguments=("input", "*dims"), field="permute"),
    _same(
        "transpose",
        "transpose",
        arguments=("input", "dim0", "dim1"),
        aliases=("swapaxes", "swapdims"),
        field="permute",
    ),
    _same("movedim", "movedim", arguments=("input", "source", "destination"), field="permute"),
    _same("moveaxis", "moveaxis", arguments=("input", "source", "destination"), field="permute"),
    _same("T", "T", field="permute"),
    _same("mT", "mT", field="permute"),
    _same("t", "t", field="permute"),
    _same("expand", "expand", arguments=("input", "*sizes")),
    _same("expand_as", "expand_as", field="first_operand"),
    _same("broadcast_to", "broadcast_to"),
)

PARTS = (
    _move("getitem", "getitem", arguments=("input", "index"), field="index"),
    _move("chunk", "chunk", arguments=("input", "chunks", "dim"), field="chunk"),
    _move("split", "split", arguments=("input", "split_size", "dim"), field="chunk"),
    _move(
        "tensor_split",
        "tensor_split",
        arguments=("input", "indices_or_sections", "dim"),
        field="chunk",
    ),
    _move("unbind", "unbind", arguments=("input", "dim"), field="chunk"),
    _move("meshgrid", "meshgrid", arguments=("*tensors",)),
    _move("narrow", "narrow", arguments=("input", "dim", "start", "length"), field="narrow"),
    _move("select", "select", arguments=("input", "dim", "index"), field="select"),
    _move("diagonal", "diagonal", field="move"),
    _move("index_select", "index_select", arguments=("input", "dim", "index"), field="move"),
    _move("gather", "gather", arguments=("input", "dim", "index"), field="move"),
    _move(
        "take_along_dim",
        "take_along_dim",
        arguments=("input", "indices", "dim"),
        field="move",
    ),
)

ORDER = (
    _move("roll", "roll", arguments=("input", "shifts", "dims"), field="roll"),
    _move("flip", "flip", arguments=("input", "*dims"), field="flip"),
    _move("fliplr", "fliplr", field="flip"),
    _move("flipud", "flipud", field="flip"),
    _move("rot90", "rot90", arguments=("input", "k", "dims"), field="rot90"),
    _move("repeat", "repeat", arguments=("input", "*repeats"), field="repeat"),
    _move("tile", "tile", arguments=("input", "*dims"), field="repeat"),
    _move(
        "repeat_interleave",
        "repeat_interleave",
        arguments=("input", "repeats", "dim"),
        field="repeat_interleave",
    ),
    _move("tril", "tril", field="move"),
    _move("triu", "triu", field="move"),
    _move("pad", "pad", arguments=("input", "pad", "mode", "value"), field="pad"),
    _layer(
        "channel_shuffle", "ChannelShuffle", arguments=("input", "groups"), field="channel_shuffle"
    ),
    _layer(
        "native_channel_shuffle",
        "ChannelShuffle",
        arguments=("input", "groups"),
        field="channel_shuffle",
    ),
    _layer(
        "pixel_shuffle",
        "PixelShuffle",
        arguments=("input", "upscale_factor"),
        field="pixel_shuffle",
    ),
    _layer(
        "pixel_unshuffle",
        "PixelUnshuffle",
        arguments=("input", "downscale_factor"),
        field="pixel_unshuffle",
    ),
    _layer(
        "unfold",
        "Unfold",
        arguments=("input", "kernel_size", "dilation", "padding", "stride"),
        field="unfold",
    ),
    Kind(
        "fold",
        "Fold",
        arguments=("input", "output_size", "kernel_size", "dilation", "padding", "stride"),
        rule="linear_map",
        field="fold",
    ),
)

JOINS = (
    _join(
        "cat",
        "cat",
        arguments=("tensors", "dim"),
        aliases=("concat", "concatenate"),
        drawing="concat",
    ),
    _join("stack", "stack", arguments=("tensors", "dim")),
    _join("hstack", "hstack", arguments=("tensors",)),
    _join("vstack", "vstack", arguments=("tensors",)),
    Kind("setitem", "setitem", arguments=("input", "index", "value"), rule="move", field="write"),
    Kind("copy", "copy", arguments=("input", "src"), rule="move", field="copy"),
    Kind(INPLACE_UPDATE, INPLACE_UPDATE, rule="overwrite", field="overwrite"),
)

NEW = (
    *(_new(n, n) for n in ("rand", "randn", "randint", "randperm", "uniform", "exponential")),
    *(_new(n, n) for n in ("zeros", "ones")),
    *(_new(n, n) for n in ("empty", "eye", "zero")),
    *(_new(n, n, field="full_field") for n in ("full", "arange", "linspace", "tensor")),
    _new("fill", "fill", field="fill"),
    *(_new(n, n, field="fill") for n in ("full_like", "new_full")),
    *(_new(f"{n}_like", f"{n}_like") for n in ("zeros", "ones", "empty", "rand", "randn")),
    *(_new(f"new_{n}", f"new_{n}") for n in ("empty", "zeros", "ones", "tensor")),
    Kind("bernoulli", "bernoulli", rule="generated"),  # from probabilities
    Kind("normal", "normal", rule="generated"),  # from means
)

MOVEMENT = (*SAME, *SHAPES, *PARTS, *ORDER, *JOINS, *NEW)
