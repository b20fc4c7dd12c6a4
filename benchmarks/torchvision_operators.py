"""Makes torchvision importable where its compiled operators cannot be loaded; import it first.

The wheel of torchvision for CUDA cannot load them where torch is the build for CPUs, and then
`import torchvision` fails at two operators that its Python names. Nothing here calls them. Where
torchvision can be imported as it is, nothing is declared.
"""

import importlib.util
import os
import subprocess
import sys

import torch

# Kept for the processes that this one starts: asking takes seconds.
_ANSWER = "TORCHVISION_CAN_BE_IMPORTED"


def _can_be_imported() -> bool:
    """Ask a process of its own: an import that fails leaves operators behind."""
    if _ANSWER not in os.environ:
        done = subprocess.run(
            [sys.executable, "-c", "import torchvision"], capture_output=True, check=False
        )
        os.environ[_ANSWER] = "no" if done.returncode else "yes"
    return os.environ[_ANSWER] == "yes"


def _declare_missing() -> torch.library.Library | None:
    if importlib.util.find_spec("torchvision") is None or _can_be_imported():
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


TORCHVISION = _declare_missing()
"""What declares them; a library that is garbage collected takes its operators along."""
