"""The weights that timm keeps on Hugging Face, and what it says of each beside them.

Reference: Wightman, "PyTorch Image Models", https://github.com/huggingface/pytorch-image-models
"""

import json
import math
import re
from typing import Any

from convscope.card import Card, ResizeMode
from convscope.data.download import RemoteFile
from convscope.errors import RequestError

HOST = "https://huggingface.co/timm/"
_FITS: dict[str, ResizeMode] = {
    "center": "crop"
}  # by timm's crop_mode; no network of the zoo has another
_STRANGE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


def remote_files(name: str) -> tuple[RemoteFile, RemoteFile]:
    """The configuration and the weights of a model called as timm calls it: resnet18.a1_in1k.

    Raises RequestError for what can be no such name.
    """
    if not re.fullmatch(r"[\w.-]+", name, re.ASCII) or name.startswith("."):
        raise RequestError(f"timm has no model {name!r}. A name looks like resnet18.a1_in1k.")
    where = f"{HOST}{name}/resolve/main/"
    return (
        RemoteFile(f"timm-{name}.json", None, (f"{where}config.json",)),
        RemoteFile(f"timm-{name}.safetensors", None, (f"{where}model.safetensors",)),
    )


def card_from_config(config: str, *, where: str) -> Card:
    """The card that a configuration describes.

    timm scales the shorter side to size / crop_pct, rounded down, and cuts the center out.

    Raises RequestError, naming `where`, for a text that is none, and for a way to prepare pictures
    that a card cannot say.
    """
    try:
        whole: dict[str, Any] = json.loads(config)
        facts: dict[str, Any] = whole.get("pretrained_cfg", whole)
        channels, height, width = facts["input_size"]
        return Card(
            classes=tuple(map(str, range(facts["num_classes"]))),
            input_size=(height, width),
            in_channels=channels,
            resize_mode=_FITS[facts.get("crop_mode", "center")],
            resize_size=math.floor(max(height, width) / facts["crop_pct"]),
            interpolation=facts["interpolation"],
            mean=tuple(facts["mean"]),
            std=tuple(facts["std"]),
        )
    except (RequestError, *_STRANGE) as error:
        raise RequestError(
            f"{where} is not timm's description of a model, or of none that a card can describe "
            f"({error!r}). Give the path of the weights, and set `input_size` and "
            "`resize_mode` yourself."
        ) from error
