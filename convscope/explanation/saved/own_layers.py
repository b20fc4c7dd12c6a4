"""Layers of convscope's in files: the class by its name, and attributes that are plain values."""

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from convscope import layers
from convscope.explanation.saved.arguments import Pack, Unpack, decode, encode
from convscope.explanation.saved.functions import NotSaved

_OF_EVERY_MODULE = frozenset(vars(nn.Module())) - {"training"}
_CLASSES = {
    name: value
    for name, value in vars(layers).items()
    if isinstance(value, type) and issubclass(value, nn.Module)
}


class MissingLayer(nn.Module):
    """Stands for a layer that a file does not hold, as one made of others."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.forward = NotSaved(f"The layer {name}")


def encode_layer(layer: nn.Module, pack: Pack) -> dict[str, Any]:
    """A layer as JSON; parameters and buffers are in the recording's state."""
    attributes = {
        name: _attribute(value, pack)
        for name, value in vars(layer).items()
        if name not in _OF_EVERY_MODULE
    }
    is_whole = (
        _CLASSES.get(type(layer).__name__) is type(layer)
        and next(layer.children(), None) is None
        and not any(
            isinstance(value, dict) and "not saved" in value for value in attributes.values()
        )
    )
    return {
        "class": type(layer).__name__,
        "attributes": attributes if is_whole else None,
        "parameters": _names(vars(layer)["_parameters"]),
        "buffers": _names(vars(layer)["_buffers"]),
    }


def _names(tensors: Mapping[str, Tensor | None]) -> list[list[Any]]:
    """The names, and whether there is such a tensor: a bias may be None."""
    return [[name, tensor is not None] for name, tensor in tensors.items()]


def decode_layer(
    content: Mapping[str, Any], path: str, state: Mapping[str, Tensor], unpack: Unpack
) -> nn.Module:
    """The layer, or one that cannot be called where the file does not hold all of it.

    Raises KeyError and its like for what `encode_layer` does not write.
    """
    name, attributes = content["class"], content["attributes"]
    if attributes is None or name not in _CLASSES:
        return MissingLayer(name)
    kind: type[nn.Module] = _CLASSES[name]
    layer = kind.__new__(kind)
    nn.Module.__init__(layer)
    for key, value in attributes.items():
        if key in _OF_EVERY_MODULE or key.startswith("__") or hasattr(kind, key):
            raise ValueError(f"{name} has no attribute {key!r}")
        setattr(layer, key, _decoded(value, unpack))
    prefix = f"{path}." if path else ""
    for key, is_there in content["parameters"]:
        found = state[prefix + key] if is_there else None
        weight = None if found is None else nn.Parameter(found, requires_grad=found.requires_grad)
        layer.register_parameter(key, weight)
    for key, is_there in content["buffers"]:
        layer.register_buffer(key, state[prefix + key] if is_there else None)
    return layer


def _attribute(value: Any, pack: Pack) -> Any:
    if type(value) is layers.DropPathSampler:
        return {"sampler": [[name, encode(each, pack)] for name, each in vars(value).items()]}
    return encode(value, pack)


def _decoded(value: Any, unpack: Unpack) -> Any:
    if not isinstance(value, dict) or "sampler" not in value:
        return decode(value, unpack)
    sampler = layers.DropPathSampler.__new__(layers.DropPathSampler)
    for name, each in cast("dict[str, list[list[Any]]]", value)["sampler"]:
        if hasattr(layers.DropPathSampler, name):
            raise ValueError(f"a sampler has no attribute {name!r}")
        vars(sampler)[name] = decode(each, unpack)
    return sampler
