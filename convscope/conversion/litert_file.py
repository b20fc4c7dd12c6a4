"""`model.tflite`, the network for LiteRT (TensorFlow Lite), which takes one image at a time."""

import os
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from convscope.conversion.draft import Draft
from convscope.conversion.parity import Parity, compared
from convscope.conversion.torch_file import TORCH_FILE, save_program
from convscope.engines import Batch, Engine, reason_of
from convscope.errors import RequestError, WorkError

LITERT_FILE = "model.tflite"
PYTHON_VARIABLE = "CONVSCOPE_LITERT_PYTHON"
"""The environment variable with the Python in which litert-torch is installed.

It cannot be installed beside convscope: by way of xdsl 0.28, litert-torch 0.10 needs a
typing_extensions below 4.13, which the libraries of `lab` and `serve` refuse.
"""

_CONVERT = """
import sys, torch, litert_torch
source, target, *shape = sys.argv[1:]
network = torch.export.load(source).module()
litert_torch.convert(network, (torch.zeros(1, *map(int, shape)),)).export(target)
"""
_SECONDS = 1800  # that it may take


def litert_command() -> list[str]:
    """The Python that converts. Raises RequestError where there is none, or nothing to check by."""
    if find_spec("ai_edge_litert") is None:
        raise RequestError(
            "`format=litert` is checked by LiteRT's interpreter, which is not installed: "
            "`pip install 'convscope[litert]'`."
        )
    stated = os.environ.get(PYTHON_VARIABLE)
    if stated:
        return [stated]
    if find_spec("litert_torch") is not None:
        return [sys.executable]
    raise RequestError(
        "LiteRT's converter needs an environment of its own, for its packages exclude some of "
        "convscope's: `python -m venv litert`, `litert/bin/pip install litert-torch`, and then "
        f"{PYTHON_VARIABLE}=litert/bin/python in the environment."
    )


def write_litert_file(draft: Draft) -> Parity:
    """Write the network for one normalized image, and compare what LiteRT answers.

    Raises NetworkError for a network that `torch.export` cannot follow, WorkError where the
    converter refuses it, or LiteRT answers otherwise.
    """
    path, card = draft.folder / LITERT_FILE, draft.card
    shape = (card.in_channels, *card.input_size)
    with TemporaryDirectory() as temporary:
        source = Path(temporary, TORCH_FILE)
        save_program(draft, source)
        command = [*litert_command(), "-c", _CONVERT, source, path, *map(str, shape)]
        try:
            said = subprocess.run(  # noqa: S603 -- the user's own Python
                command, capture_output=True, text=True, errors="replace", timeout=_SECONDS,
                check=False,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            raise WorkError(
                f"{command[0]}, of {PYTHON_VARIABLE}, did not convert the network: "
                f"{reason_of(error)}"
            ) from error
    if said.returncode != 0 or not path.exists():
        lines = said.stderr.strip().splitlines() or ["it wrote nothing"]
        raise WorkError(f"litert-torch could not convert the network: {lines[-1]}")
    return compared(LITERT_FILE, draft.reference, open_litert_file(path, threads=draft.threads))


def open_litert_file(path: Path, *, threads: int) -> Engine:
    """The network of a file, by the interpreter of ai-edge-litert; one image after the other.

    Raises WorkError for a file that it refuses.
    """
    library: Any = import_module("ai_edge_litert.interpreter")  # an extra
    try:
        interpreter = library.Interpreter(str(path), num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise WorkError(f"LiteRT refuses {path.name}: {reason_of(error)}") from error
    (given,), (returned,) = interpreter.get_input_details(), interpreter.get_output_details()

    def run_one(image: Batch) -> Batch:
        interpreter.set_tensor(given["index"], image[None])
        interpreter.invoke()
        return interpreter.get_tensor(returned["index"])[0]

    def run(images: Batch, /) -> Batch:
        return np.stack([run_one(image) for image in images])

    return run
