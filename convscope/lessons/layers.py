"""Which lessons are about a layer, and so which layer shows what a lesson teaches."""

from collections.abc import Sequence

_POOLING = ("maxpool", "avgpool", "minpool")
_LESSONS = {
    "image": ("volumes", "redundancy", "subsampling"),
    "mean": ("anysize",),
    "softmax": ("backprop", "training"),
}


def lessons_about(
    op: str,
    *,
    stride: Sequence[int] | None = None,
    padding: Sequence[int] | None = None,
    has_activation: bool = False,
    reads_image: bool = False,
) -> list[str]:
    """The names of the lessons about a layer, what is special about it first.

    `op` is how the lab draws the layer: "conv", "dense", "maxpool". Layers of which no lesson
    speaks, such as a sum, have none.

    >>> lessons_about("conv", stride=(2, 2), padding=(0, 0), reads_image=True)
    ['stride', 'convolution', 'volumes', 'size', 'filters', 'detector']
    >>> lessons_about("add")
    []
    """
    if op in _LESSONS:
        return list(_LESSONS[op])
    if op in _POOLING:
        return ["pooling", "size", "subsampling"]
    if op == "dense":
        return ["sharing", "bird", "anysize", *["maps"] * has_activation]
    if op != "conv":
        return []
    special = ["stride"] * _is_above(stride, 1) + ["padding"] * _is_above(padding, 0)
    general = ["convolution", "volumes", "size"] + ["maps"] * has_activation
    return special + general + ["filters", "detector"] * reads_image


def _is_above(sides: Sequence[object] | None, usual: int) -> bool:
    return any(isinstance(side, int) and side > usual for side in sides or ())
