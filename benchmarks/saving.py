"""Measure the memory that saving takes beside a training's own.

    python benchmarks/saving.py [--model vgg11] [--input-size 224] [--batch-size 2]

Two steps in each of three processes: without any save, with `convscope.train`'s own saves (the best
weights and the state at every step), and with `torch.save` of the same in their place. Prints the
size of the state, the peak of resident memory up to the end of the training, and what the saves
added, also as a share of the state.
"""

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import torch

import convscope
from convscope.runs.folder import Run
from convscope.runs.tensor_file import TensorFile
from convscope.training.callbacks.checkpoint import Checkpoint
from convscope.training.trainer import Trainer

WAYS = ("nothing", "convscope", "torch.save")
_CLASSES, _IMAGES_OF_EACH = 3, 4


class DoneError(Exception):
    """The training is over; the test of the best weights is not measured."""


def train(way: str, model: str, input_size: int, batch_size: int) -> dict[str, int]:
    """Train two steps, saving in one of `WAYS`; the peak and the size of the state, in bytes."""
    figures = {"state": 0}
    fit, write_state = Trainer.fit, Run.write_state

    def save_state(run: Run, step: int, stored: TensorFile, *card: Any) -> None:
        figures["state"] = sum(tensor.nbytes for tensor in stored.tensors.values())
        if way == "torch.save":
            torch.save(dict(stored.tensors), run.path / "state.pt")
        else:
            write_state(run, step, stored, *card)

    def save_weights(run: Run, stored: TensorFile, *_card: Any) -> None:
        if way == "torch.save":
            torch.save(dict(stored.tensors), run.path / "model.pt")

    def fit_alone(trainer: Trainer) -> None:
        fit(trainer)
        figures["peak"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        raise DoneError

    images = np.random.default_rng(0).integers(
        0, 256, (_CLASSES * _IMAGES_OF_EACH, input_size, input_size, 3), dtype=np.uint8
    )
    with TemporaryDirectory() as folder, mock.patch.object(Trainer, "fit", fit_alone):
        mock.patch.object(Run, "write_state", save_state).start()
        if way == "nothing":
            mock.patch.object(Checkpoint, "on_checkpoint", return_value=None).start()
        if way != "convscope":
            mock.patch.object(Run, "write_weights", save_weights).start()
        try:
            convscope.train(
                (images, np.arange(len(images)) % _CLASSES),
                model=model,
                out=Path(folder) / "run",
                input_size=input_size,
                batch_size=batch_size,
                steps=2,
                val=0.25,
                test=0.25,
                engine="torch",
                device="cpu",
                checkpoint_seconds=0,
                progress=False,
            )
        except DoneError:
            mock.patch.stopall()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="vgg11")
    parser.add_argument("--input-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.way:
        print(json.dumps(train(args.way, args.model, args.input_size, args.batch_size)))
        return
    found: dict[str, dict[str, int]] = {}
    for way in WAYS:
        command = [sys.executable, __file__, *sys.argv[1:], "--way", way]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found[way] = json.loads(done.stdout.splitlines()[-1])
    alone = found["nothing"]["peak"]
    print(f"training alone: peak {alone / 1e6:,.0f} MB")
    for way in WAYS[1:]:
        state, added = found[way]["state"], found[way]["peak"] - alone
        print(
            f"{way}: state {state / 1e6:,.0f} MB, peak {found[way]['peak'] / 1e6:,.0f} MB, saves "
            f"added {added / 1e6:,.0f} MB, {added / state:.3f} of the state"
        )


if __name__ == "__main__":
    main()
