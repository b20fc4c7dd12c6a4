"""What the page of a course computes itself, from which Python, and what is written by hand."""

from convscope.webapp.course.translate import Names

LESSONS = (
    "bird", "redundancy", "subsampling", "convolution", "volumes", "stride", "padding", "size",
    "maps", "pooling", "sharing", "detector", "anysize", "lenet5", "ilsvrc", "towers", "vgg",
    "backprop", "training",
)  # fmt: skip
"""The lessons whose `compute` is translated."""

WANTED: Names = {
    **{f"convscope.lessons.{name}": ("compute",) for name in LESSONS},
    "convscope.lessons.exercises.checking": ("check",),
    "convscope.lessons.exercises.answer": ("Answer",),
    "convscope.lessons.exercises.task": ("Task", "Mistake"),
    "convscope.arithmetic.derivation": ("Derivation",),
    "convscope.webapp.course.variants": ("variant_of",),
}

BY_HAND: Names = {
    "convscope.arithmetic.coverage": ("uncovered",),
    "convscope.lessons.window": ("convolve",),
    "convscope.lessons.maps": ("ACTIVATIONS", "as_arrays", "gray"),
    "convscope.lessons.pooling": ("KINDS", "pool_map"),
    "convscope.lessons.sharing": ("run_layers", "volume"),
    "convscope.lessons.lenet5": ("summarize", "connections"),
    "convscope.lessons.vgg": ("describe_network", "describe_first"),
    "convscope.lessons.images": ("gray", "volume", "square"),
    "convscope.lessons.redundancy": ("shuffled_square", "shift_curve", "shuffle_effects"),
    "convscope.lessons.towers": ("describe_towers",),
    "convscope.lessons.ilsvrc": ("describe_winners",),
    "convscope.lessons.backprop": ("differentiate",),
    "convscope.lessons.training": (
        "picture", "curvature", "best", "softmax", "error_factor", "descend",
    ),
}  # fmt: skip

_HERE = (
    "Every number is computed in this page, by JavaScript that is translated from convscope's "
    "Python."
)
ORIGINS = {
    **dict.fromkeys(
        (
            "bird",
            "convolution",
            "volumes",
            "stride",
            "padding",
            "size",
            "maps",
            "pooling",
            "detector",
            "anysize",
            "backprop",
        ),
        _HERE,
    ),
    "redundancy": "Correlations and shuffled pixels are Python's, written into this page.",
    "subsampling": "The photographs are Python's, written into this page; everything else is "
    "computed here, by JavaScript that is translated from convscope's Python.",
    "ilsvrc": "Published figures, written into this page with their sources; the errors of the "
    "examples are counted here.",
    "towers": "The table of the network is Python's, written into this page; the layer in groups "
    "is computed here.",
    "sharing": "Counts and layers are computed in this page, by JavaScript that is translated from "
    "convscope's Python or compared with it. Times are measured in the lab only.",
    "lenet5": "The tables of the networks are Python's, written into this page for every size of "
    "the image; the formulas are computed here.",
    "vgg": "The tables of the networks are Python's, written into this page; the stack of filters "
    "is computed here.",
    "training": "Every step is computed in this page, by JavaScript that is translated from "
    "convscope's Python or compared with it.",
    "filters": "Everything is Python's, measured on a network that was trained when this page was "
    "written.",
}
"""Where the numbers of each lesson come from."""
