"""The forms of the snapshots in `live/`: their tensors, and their metadata."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Required, TypedDict

import torch

from convscope.errors import RequestError
from convscope.runs.tensor_file import TensorFile
from convscope.strict import Between, Count, Share, checked

Snapshot = Literal["look", "filters", "wrong", "examples", "example", "layers", "confusion"]


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


class Example(TypedDict):
    """An image whose layers are shown: its `label` is None where its class is not known."""

    name: str
    label: Count | None
    truth: str


class Examples(TypedDict):
    """Images to choose from, see `examples_of`."""

    split: Literal["val", "test"]
    images: list[Example]


class _Part(TypedDict):
    shape: list[Count]
    low: float
    high: float
    peak: Annotated[float, Between(0)]


class _ViewedLayer(TypedDict):
    name: str
    kind: str
    shape: list[Count]
    parts: dict[str, _Part]


class Layers(TypedDict):
    """What layers hold for an image, see `view_layers`, at a step of the training."""

    step: Count
    epoch: Count
    example: Example
    answers: list[tuple[str, Share | None]]
    loss: float | None
    target: Count | None
    layers: list[_ViewedLayer]
    left_out: Count


class Confusion(TypedDict):
    """The confusion matrix of the last validation: rows are true classes."""

    step: Count
    epoch: Count
    classes: list[str]


_FORMS: Mapping[Snapshot, Any] = {
    "look": Look,
    "filters": Filters,
    "wrong": Wrong,
    "examples": Examples,
    "example": Example,
    "layers": Layers,
    "confusion": Confusion,
}


def checked_snapshot(name: Snapshot, stored: TensorFile, *, where: str) -> TensorFile:
    """A snapshot whose tensors and metadata belong together; RequestError for another."""
    values = checked(dict(stored.metadata), _FORMS[name], where=where)
    tensors, shape = _tensors_of(name, values, stored)
    found = {key: tensor.dtype for key, tensor in stored.tensors.items()}
    if not tensors or found != tensors:
        raise RequestError(f"{where} has the tensors {sorted(found)}, not {sorted(tensors)}.")
    for key, tensor in stored.tensors.items():
        sides = zip(tensor.shape, shape, strict=False)
        if tensor.ndim != 4 or any(side != known for side, known in sides if known is not None):
            raise RequestError(f"{where}: {key} has the impossible shape {tuple(tensor.shape)}.")
    return TensorFile(stored.tensors, values)


_Sides = tuple[int | None, ...]


def _tensors_of(
    name: Snapshot, values: Mapping[str, Any], stored: TensorFile
) -> tuple[dict[str, torch.dtype], _Sides]:
    """The tensors that belong to the metadata, and the sides of their shapes that are known."""
    match name:
        case "look":
            return {"batch": torch.uint8}, (len(values["labels"]), None, None, None)
        case "wrong" | "examples":
            return {"pixels": torch.uint8}, (len(values["images"]), None, None, None)
        case "example":
            return {"pixels": torch.uint8}, (1, None, None, None)
        case "confusion":
            return {"counts": torch.int64}, (1, 1, len(values["classes"]), len(values["classes"]))
        case "filters":
            shape = next(iter(stored.tensors.values())).shape if stored.tensors else ()
            return {str(step): torch.float32 for step in values["steps"]}, tuple(shape)
        case "layers":
            layers = enumerate(values["layers"])
            parts = [f"{index}/{part}" for index, layer in layers for part in layer["parts"]]
            return {"pixels": torch.uint8, **dict.fromkeys(parts, torch.int8)}, ()
