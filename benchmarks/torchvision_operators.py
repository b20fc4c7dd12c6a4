"""Makes torchvision importable where its compiled operators cannot be loaded; import it first.

The wheel of torchvision for CUDA cannot load them where torch is the build for CPUs, and then
`import torchvision` fails at two operators that its Python names. Nothing here calls them.
"""

import importlib.util

import torch


def _declare_missing() -> torch.library.Library | None:
    if importlib.util.find_spec("torchvision") is None or torch.cuda.is_available():
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, operator):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


TORCHVISION = _declare_missing()
"""What declares them; a library that is garbage collected takes its operators along."""
