"""Snapshots of a training as its callbacks write them, of given images."""

from torch import Tensor

from convscope.runs.tensor_file import TensorFile

NUMBERS = {"mean": 0.1, "std": 0.2, "zeros": 0.0, "largest": None}
LAYER = {
    "name": "conv1", "kind": "Conv2d", "shape": [4, 6, 7], "activation": NUMBERS, "gradient": 0.5,
    "weight": 1.0, "update": None,
}  # fmt: skip


def look(batch: Tensor, *, step: int) -> TensorFile:
    """A batch (n, h, w, c) as the network saw it, and one layer."""
    facts = {"labels": ["a class"] * len(batch), "layers": [LAYER], "history": [entry(step)]}
    return TensorFile({"batch": batch}, {"step": step, **facts})


def entry(step: int) -> dict[str, object]:
    return {"step": step, "layers": {"conv1": {"gradient": 0.5, "std": 0.2, "zeros": None}}}


def wrong(pixels: Tensor, *, step: int, epoch: int = 2) -> TensorFile:
    """Images (n, h, w, c) that were taken for another class."""
    image = {"index": 0, "name": "0.png", "is": "4", "said": "9", "probability": 0.5, "loss": 0.7}
    facts = {"step": step, "epoch": epoch, "images": [image] * len(pixels)}
    return TensorFile({"pixels": pixels}, facts)


def filters(kept: dict[str, Tensor]) -> TensorFile:
    """The filters of the first convolution, by step."""
    return TensorFile(kept, {"layer": "conv1", "steps": [int(step) for step in kept]})
