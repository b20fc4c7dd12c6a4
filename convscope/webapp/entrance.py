"""What the lab opens on where no network is named: LeNet-5, trained on the digits once."""

import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from convscope.data.download import cache_dir
from convscope.errors import ConvscopeError
from convscope.runs.folder import Run
from convscope.training.api import train

NAME = "lenet5-digits"
UNTRAINED = "lenet5"

_EPOCHS = 6  # 97% of the test images right


def first_network(say: Callable[[str], None]) -> str:
    """A run of LeNet-5 on the digits: the one in the user's cache, or a new one there.

    `say` is told what takes a few seconds at the first start. Where it cannot be trained or kept,
    the network without training.
    """
    folder = cache_dir() / "lab" / NAME
    try:
        if not _is_whole(folder):
            say("Training LeNet-5 on handwritten digits, once: a few seconds.")
            _train(folder)
    except (ConvscopeError, OSError) as error:
        say(f"LeNet-5 stays untrained: {error}")
        return UNTRAINED
    return str(folder)


def _is_whole(folder: Path) -> bool:
    try:
        return bool(Run.open(folder).read_weights().tensors)
    except ConvscopeError:
        return False


def _train(folder: Path) -> None:
    """Train beside the folder, and take its place only with a run that is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f"draft-{secrets.token_hex(4)}")
    try:
        train("digits", out=draft, epochs=_EPOCHS, seed=0, progress=False)
        shutil.rmtree(folder, ignore_errors=True)
        draft.replace(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
