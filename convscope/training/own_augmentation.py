"""The user's own function as augmentation: found before a training, and again when it goes on."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from convscope.card import Card
from convscope.data.augmentation.draws import Draws
from convscope.data.augmentation.own_function import OwnFunction, Transform
from convscope.errors import RequestError
from convscope.runs import own_code
from convscope.runs.folder import Run
from convscope.runs.own_code import HANDED_OVER, Consent
from convscope.training.callbacks.base import CallbackList
from convscope.zoo.import_model import imported

TABLE = "augmentation"
"""The table of a run's config.toml that records the function's code."""

_objects: dict[str, OwnFunction] = {}
"""Functions that were handed over, by the folder of the run, as long as this process lives."""


@dataclass(frozen=True)
class RequestedAugmentation:
    """What the setting `augment` is in a run, and the function that it names, if it is one.

    A function that no name finds again is `object:` and what it is called; None is not decided yet.
    """

    text: str | None
    function: OwnFunction | None = None

    @classmethod
    def of(cls, augment: str | None, function: Transform | None = None) -> "RequestedAugmentation":
        """Find a function that is named, or name one that is handed over.

        Raises RequestError for what cannot be imported or called.
        """
        if isinstance(function, type):
            raise RequestError(
                f"`augment` is the class {function.__name__}. Pass an instance of it, "
                f"{function.__name__}(...), or a function."
            )
        if function is not None:
            return cls(_name_of(function), OwnFunction(function, _called(function)))
        if augment is None or not is_own(augment):
            return cls(augment)
        found = _imported(augment)
        own_code.remember_named(augment)
        return cls(augment, found)

    def check(self, card: Card) -> None:
        """Try the function on an image of noise. Raises RequestError where it fails."""
        if self.function is not None:
            noise = np.random.default_rng(0).integers(
                0, 256, (1, *card.input_size, card.in_channels), np.uint8
            )
            self.function(torch.from_numpy(noise), Draws(0, 0, np.zeros(1, np.int64)))

    def remember(self, run: Run, callbacks: CallbackList) -> None:
        """Keep a function that was handed over for a resume in this process.

        Where later ones need it again, say so.
        """
        if self.function is None or not (self.text or "").startswith(HANDED_OVER):
            return
        _objects[str(run.path.resolve())] = self.function
        callbacks.message(
            f"No name finds {self.function.name} again, so `convscope.resume(run, augment=...)` "
            "needs it. With module:attr it does not."
        )


def is_own(augment: str | None) -> bool:
    """Whether a value of the setting is a function of the user's own."""
    return augment is not None and ":" in augment


def record(augment: str) -> dict[str, Any]:
    """The tables of a run's config.toml about its function: none, if it has no code of its own."""
    if not is_own(augment) or augment.startswith(HANDED_OVER):
        return {}
    return {TABLE: own_code.record(augment, None)}


def resumed(
    run: Run,
    saved: Mapping[str, Any],
    augment: str,
    given: str | Transform | None,
    consent: Consent,
) -> OwnFunction | None:
    """The function of a run that goes on; `given` is what the caller names or hands over for it.

    Raises ConsentError for code that nobody has allowed, RequestError for an object that is gone.
    """
    if given is not None and not is_own(augment):
        raise RequestError(
            f"`augment` is for runs with a function of your own, and {run.path} was trained with "
            f"`augment='{augment}'`. Leave it out."
        )
    if given is not None:
        return _imported(given) if isinstance(given, str) else OwnFunction(given, _called(given))
    if not is_own(augment):
        return None
    if augment.startswith(HANDED_OVER):
        if (found := _objects.get(str(run.path.resolve()))) is not None:
            return found
        raise RequestError(
            f"The images of {run.path} were augmented by {augment.removeprefix(HANDED_OVER)}, "
            "which was handed over as an object. Pass it again: `convscope.resume(run, "
            "augment=...)`, or name it, as in `augment=module:attr`."
        )
    asked = {"model": augment, "network": saved.get(TABLE, {}), "weights": None}
    with own_code.allowed(run, asked, consent, setting="augment"):
        return _imported(augment)


def _imported(augment: str) -> OwnFunction:
    found = imported(augment, setting="augment")
    if isinstance(found, type):
        raise RequestError(
            f"{augment} is a class. Name an instance of it, or a function: it is called with each "
            "image."
        )
    return OwnFunction(found, augment)


def _called(function: object) -> str:
    """What errors call a function or an object."""
    return str(getattr(function, "__qualname__", type(function).__name__))


def _name_of(function: object) -> str:
    """A text that finds a function again, as module:attr; else `object:` and what it is called."""
    module, path = getattr(function, "__module__", ""), getattr(function, "__qualname__", "")
    found: object = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    if path and found is function and module not in ("__main__", "builtins"):
        own_code.remember_named(f"{module}:{path}")
        return f"{module}:{path}"
    return f"{HANDED_OVER}{_called(function)}"
