"""convscope: a workbench for convolutional networks.

Every verb of the command line is a function here, with the same words and the same result:

    >>> import convscope
    >>> convscope.build("lenet5").get_submodule("conv1")
    Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1))
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convscope.card import Card as Card
    from convscope.errors import ConvscopeError as ConvscopeError
    from convscope.evaluate.predict import predict as predict
    from convscope.evaluate.verb import evaluate as evaluate
    from convscope.explain.recording import record as record
    from convscope.explain.verb import explain as explain
    from convscope.run.network import load_network as load_network
    from convscope.summary.verb import summary as summary
    from convscope.train.verb import resume as resume
    from convscope.train.verb import train as train
    from convscope.weights import load_weights as load_weights
    from convscope.zoo import build as build
    from convscope.zoo.fully_convolutional import fully_convolutional as fully_convolutional

__version__ = "0.1.0"

_HOME = {
    "Card": "convscope.card",
    "ConvscopeError": "convscope.errors",
    "build": "convscope.zoo",
    "evaluate": "convscope.evaluate.verb",
    "explain": "convscope.explain.verb",
    "fully_convolutional": "convscope.zoo.fully_convolutional",
    "load_network": "convscope.run.network",
    "load_weights": "convscope.weights",
    "predict": "convscope.evaluate.predict",
    "record": "convscope.explain.recording",
    "resume": "convscope.train.verb",
    "summary": "convscope.summary.verb",
    "train": "convscope.train.verb",
}

__all__ = [
    "Card",
    "ConvscopeError",
    "build",
    "evaluate",
    "explain",
    "fully_convolutional",
    "load_network",
    "load_weights",
    "predict",
    "record",
    "resume",
    "summary",
    "train",
]


def __getattr__(name: str) -> object:
    """Import a verb when it is first used, so that `import convscope` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'convscope' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


class _Verbs(ModuleType):
    """A module whose verbs are not hidden by the rooms of the same name: `train` is both."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Verbs
