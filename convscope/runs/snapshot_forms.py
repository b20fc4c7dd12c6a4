"""The forms of the snapshots in `live/`: their tensors, and their metadata."""

from collections.abc import Mapping
from typing import Any, Literal, Required, TypedDict

import torch

from convscope.errors import RequestError
from convscope.runs.tensor_file import TensorFile
from convscope.strict import Count, Share, checked

Snapshot = Literal["look", "filters", "wrong"]


class _Layer(TypedDict, total=False):
    name: Required[str]
    kind: Required[str]
    shape: list[Count]
    activation: dict[str, float | None]
    gradient: float | None
    weight: float | None
    update: float | None


class _Entry(TypedDict):
    step: Count
    layers: dict[str, dict[str, float | None]]


class Look(TypedDict):
    """A batch as the network saw it, see `LayerStats`."""

    step: Count
    labels: list[str]
    layers: list[_Layer]
    history: list[_Entry]


class Filters(TypedDict):
    """The filters of a layer at some steps, see `FilterSnapshots`."""

    layer: str
    steps: list[Count]


_Image = TypedDict(
    "_Image",
    {
        "index": Count,
        "name": str,
        "is": str,
        "said": str,
        "probability": Share,
        "loss": float | None,
    },
)


class Wrong(TypedDict):
    """The images with the largest losses, see `top_losses`."""

    step: Count
    epoch: Count
    images: list[_Image]


_FORMS: Mapping[Snapshot, Any] = {"look": Look, "filters": Filters, "wrong": Wrong}


def checked_snapshot(name: Snapshot, stored: TensorFile, *, where: str) -> TensorFile:
    """A snapshot whose tensors and metadata belong together; RequestError for another."""
    values = checked(dict(stored.metadata), _FORMS[name], where=where)
    match name:
        case "look":
            tensors, shape = {"batch": torch.uint8}, (len(values["labels"]), None, None, None)
        case "wrong":
            tensors, shape = {"pixels": torch.uint8}, (len(values["images"]), None, None, None)
        case "filters":
            tensors = {str(step): torch.float32 for step in values["steps"]}
            shape = next(iter(stored.tensors.values())).shape if stored.tensors else ()
    found = {key: tensor.dtype for key, tensor in stored.tensors.items()}
    if not tensors or found != tensors:
        raise RequestError(f"{where} has the tensors {sorted(found)}, not {sorted(tensors)}.")
    for key, tensor in stored.tensors.items():
        sides = zip(tensor.shape, shape, strict=False)
        if tensor.ndim != 4 or any(side != known for side, known in sides if known is not None):
            raise RequestError(f"{where}: {key} has the impossible shape {tuple(tensor.shape)}.")
    return TensorFile(stored.tensors, values)
