"""The weights that timm publishes on Hugging Face, with their configurations.

Reference: Wightman, "PyTorch Image Models", https://github.com/huggingface/pytorch-image-models
"""

import json
import math
import re
from typing import Any

from convscope.card import Card, ResizeMode
from convscope.data.download import RemoteFile
from convscope.errors import RequestError
from convscope.strict import parse_json
from convscope.weights.contents import class_names_in

HOST = "https://huggingface.co/timm/"
_RESIZE_MODES: dict[str, ResizeMode] = {
    "center": "crop"
}  # by timm's crop_mode; no network of the zoo has another
_FORMAT_ERRORS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


def remote_files(name: str) -> tuple[RemoteFile, RemoteFile]:
    """Return the configuration and the weights of a timm model, such as resnet18.a1_in1k.

    Raises RequestError for an invalid name.
    """
    if not re.fullmatch(r"[\w.-]+", name, re.ASCII) or name.startswith("."):
        raise RequestError(f"timm has no model {name!r}. A name looks like resnet18.a1_in1k.")
    where = f"{HOST}{name}/resolve/main/"
    return (
        RemoteFile(f"timm-{name}.json", None, (f"{where}config.json",)),
        RemoteFile(f"timm-{name}.safetensors", None, (f"{where}model.safetensors",)),
    )


def is_config(text: str) -> bool:
    """Whether a text is a configuration of timm's, and not another library's."""
    try:
        data: Any = parse_json(text, where="config.json")
    except RequestError:
        return False
    return isinstance(data, dict) and bool({"pretrained_cfg", "input_size"} & {*data})


def names_from_config(config: str) -> tuple[str, ...] | None:
    """The class names in a configuration; None if it has none, or not one for each class.

    >>> names_from_config('{"num_classes": 2, "label_names": ["cat", "dog"]}')
    ('cat', 'dog')
    """
    data: dict[str, Any] = json.loads(config)
    settings: dict[str, Any] = data.get("pretrained_cfg") or data
    count = settings.get("num_classes", data.get("num_classes"))
    for key in ("label_names", "labels"):
        names = class_names_in(settings.get(key, data.get(key)))
        if names is not None and len(names) == count:
            return names
    return None


def card_from_config(config: str, *, where: str) -> Card:
    """Return the card that a configuration describes.

    timm scales the shorter side to size / crop_pct, rounded down, and crops the center.

    Raises RequestError, naming `where`, for an invalid text and for preprocessing that a card
    cannot express.
    """
    try:
        data: dict[str, Any] = parse_json(config, where=where)
        settings: dict[str, Any] = data.get("pretrained_cfg", data)
        channels, height, width = settings["input_size"]
        return Card(
            classes=tuple(map(str, range(settings["num_classes"]))),
            input_size=(height, width),
            in_channels=channels,
            resize_mode=_RESIZE_MODES[settings.get("crop_mode", "center")],
            resize_size=math.floor(max(height, width) / settings["crop_pct"]),
            interpolation=settings["interpolation"],
            mean=tuple(settings["mean"]),
            std=tuple(settings["std"]),
        )
    except (RequestError, *_FORMAT_ERRORS) as error:
        raise RequestError(
            f"{where} is not a timm configuration that a card can express ({error!r}). Give the "
            "path of the weights, with `input_size` and `resize_mode`."
        ) from error
