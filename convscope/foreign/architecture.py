"""A network that was read, without its weights: a table in TOML, which a run keeps.

keras = "{\\"class_name\\": \\"Sequential\\", ...}"  # its JSON; keras_2 of older files; convnetjs
"""

from collections.abc import Mapping
from typing import Any

import torch

from convscope.errors import RequestError
from convscope.foreign.convnetjs import is_convnetjs, read_convnetjs
from convscope.foreign.finished import ForeignNetwork
from convscope.foreign.keras.files import KerasFile
from convscope.foreign.keras.network import keras_network
from convscope.strict import parse_json
from convscope.words.json_text import to_json

ARCHITECTURES = ("keras", "keras_2", "convnetjs")
"""The keys under which a table has the JSON of an architecture."""

_WEIGHTS = ("filters", "biases")


def keras_table(file: KerasFile) -> str:
    """The architecture of a file of Keras."""
    return _table("keras_2" if file.is_old else "keras", file.content)


def convnetjs_table(content: Mapping[str, Any]) -> str:
    """The architecture of a network of ConvNetJS."""
    layers = [
        {key: value for key, value in layer.items() if key not in _WEIGHTS}
        for layer in content["layers"]
    ]
    return _table("convnetjs", {"layers": layers})


def build_architecture(
    kind: str, text: object, *, where: str, input_size: tuple[int, int] | None = None
) -> ForeignNetwork:
    """The network of an architecture, with random weights. Raises RequestError."""
    if not isinstance(text, str):
        raise RequestError(f"{where}: {kind} must be the JSON of a network, as text.")
    content: Any = parse_json(text, where=f"{where}, {kind}")
    with torch.device("cpu"):
        if kind != "convnetjs":
            file = KerasFile(content, None, is_old=kind == "keras_2")
            return keras_network(file, where, input_size)
        if not is_convnetjs(content):
            raise RequestError(f"{where}: {kind} is not the JSON of a network of ConvNetJS.")
        return read_convnetjs(content, where, has_weights=False)


def _table(kind: str, content: object) -> str:
    return f"{kind} = {to_json(to_json(content))}\n"
