"""The state of a pass on disk, so that one that was stopped goes on where it was."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from convscope.runs.tensor_file import CorruptFileError, load_tensors, save_tensors


@dataclass(frozen=True)
class Checkpoint:
    """A file with the tensors of a pass and how many images they are of.

    Attributes:
        path: None to save nothing.
        request: what the pass computes from, as JSON; a file of another request is not taken.
    """

    path: Path | None
    request: Mapping[str, Any]

    def read(self) -> tuple[dict[str, Tensor], int] | None:
        """The tensors and the number of images; None where there is nothing to go on with."""
        if self.path is None or not self.path.exists():
            return None
        try:
            file = load_tensors(self.path)
        except CorruptFileError:
            return None
        if file.metadata.get("request") != self.request:
            return None
        return dict(file.tensors), int(file.metadata["done"])

    def write(self, tensors: Mapping[str, Tensor], done: int) -> None:
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            save_tensors(self.path, tensors, {"request": self.request, "done": done})

    def remove(self) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def digest_of_weights(net: nn.Module) -> str:
    """The SHA-256 of all parameters and buffers, by name."""
    digest = hashlib.sha256()
    for name, tensor in net.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(memoryview(flat.view(torch.uint8).numpy()) if flat.numel() else b"")
    return digest.hexdigest()
