"""`model.pt2`, the network for PyTorch without its code, by `torch.export`."""

import warnings
from pathlib import Path
from typing import Any

import torch

from convscope.conversion.draft import Draft
from convscope.conversion.exporter_errors import not_exported
from convscope.conversion.network_graph import Logits, batch_dimension
from convscope.conversion.parity import Parity, compared
from convscope.engines import Batch, Engine
from convscope.errors import NetworkError

TORCH_FILE = "model.pt2"


def write_torch_file(draft: Draft) -> Parity:
    """Write the network, for any number of normalized images, and compare what is read back.

    Raises NetworkError for a network that `torch.export` cannot follow, WorkError where what was
    read back answers otherwise.
    """
    path = draft.folder / TORCH_FILE
    save_program(draft, path)
    return compared(f"{TORCH_FILE}, read back,", draft.reference, open_torch_file(path))


def save_program(draft: Draft, path: Path) -> None:
    """Write the network by `torch.export`, for any number of images.

    Raises NetworkError for a network that it cannot follow.
    """
    card = draft.card
    images = torch.zeros(2, card.in_channels, *card.input_size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about its own code
            program = torch.export.export(
                Logits(draft.net, card.num_outputs),
                (images,),
                dynamic_shapes=({0: batch_dimension()},),
            )
            torch.export.save(program, path)
    except NetworkError:
        raise
    except Exception as error:
        raise NetworkError(not_exported(error, draft.net, images.shape[1:])) from error


def open_torch_file(path: Path) -> Engine:
    """The network of a file; PyTorch unpickles parts of it, so the file must be one's own."""
    module: Any = torch.export.load(path).module()

    @torch.inference_mode()
    def run(images: Batch, /) -> Batch:
        return module(torch.from_numpy(images)).numpy()

    return run
