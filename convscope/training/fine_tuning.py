"""What a training decides of the settings that are left open, from scratch and from weights."""

import math
from collections.abc import Mapping
from typing import Any

FROM_SCRATCH: Mapping[str, Any] = {
    "optimizer": "sgd",
    "backbone_lr_scale": 1.0,
    "lr_schedule": "cosine",
    "clip_grad_norm": 0.0,
    "freeze_bn": False,
    "augment": "crop",
    "restore_best_weights": True,
}

FINE_TUNING: Mapping[str, Any] = {
    "optimizer": "adamw",
    "backbone_lr_scale": 0.1,
    "lr_schedule": "one-cycle",
    "clip_grad_norm": 1.0,
    "freeze_bn": True,
    "augment": "mild",
    "restore_best_weights": False,
}
"""Each of these was measured by itself: docs/training.md, "Fine-tuning"."""

SMALLEST_BATCH = 16
"""Down to which batches shrink with the number of images, if their size is left open."""

_BODY_LR = 0.0003  # what AdamW moves trained weights by without losing what they know
_HEAD_LR = 0.003
_BATCH = 32  # images per step, from which on these hold


def fine_tuning_lr(images_per_step: int, *, backbone_lr_scale: float) -> float:
    """AdamW's default peak learning rate of the head, from trained weights.

    That of the body is at most 0.0003, whatever its share. For less than 32 images both shrink by
    the root of their number: Malladi et al., 2022, "On the SDEs and scaling rules for adaptive
    gradient algorithms". Rounded to three digits, for a person reads and types it.

    >>> fine_tuning_lr(32, backbone_lr_scale=0.1), fine_tuning_lr(16, backbone_lr_scale=0.1)
    (0.003, 0.00212)
    """
    share = math.sqrt(min(1.0, images_per_step / _BATCH))
    return float(f"{share * min(_HEAD_LR, _BODY_LR / max(backbone_lr_scale, 0.01)):.3g}")


def describe_recipe(config: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """What fine-tuning decided of the settings that were `asked` for and left open, in a sentence.

    >>> asked = {**FINE_TUNING, "lr": None, "freeze_bn": None, "val": None}
    >>> describe_recipe({**FINE_TUNING, "lr": 0.003, "val": 0.1}, asked)
    'Fine-tuning: `lr=0.003`, `freeze_bn=True`.'
    """
    first = ("optimizer", "lr")
    names = (*first, *(name for name in FINE_TUNING if name not in first))
    chosen = [f"`{name}={config[name]}`" for name in names if asked[name] is None]
    none_held = asked["val"] is None and config["val"] == 0
    if none_held:
        chosen.append("`val=0`")
    if not chosen:
        return ""
    mirrors = asked["augment"] is None and asked["horizontal_flip"] is None
    mirrored = " Half of the images are mirrored; `horizontal_flip=0` mirrors none." * mirrors
    held = (
        " No image is held out for validation, which would choose nothing here; `val=0.1` holds "
        "out a tenth, to see how it goes." * none_held
    )
    return f"Fine-tuning: {', '.join(chosen)}.{mirrored}{held}"
