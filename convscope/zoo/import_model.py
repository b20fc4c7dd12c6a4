"""The user's own network, named `module:attr` and imported from where the user is."""

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from convscope.errors import RequestError, nearest


def build_own(
    name: str,
    *,
    num_classes: int | None,
    in_channels: int | None,
    input_size: tuple[int, int] | None,
) -> nn.Module:
    """Import `module:attr` and make a network of it; see `convscope.zoo.create_model`.

    Raises RequestError where the module cannot be imported, has no such attribute, or the attribute
    is neither an `nn.Module` nor makes one.
    """
    module_name, _, attribute = name.partition(":")
    found = _attribute(_import(module_name), module_name, attribute)
    if isinstance(found, nn.Module):
        return found
    if not callable(found):
        raise RequestError(f"{name} is {type(found).__name__}, not a network or what makes one.")
    words = {"num_classes": num_classes, "in_channels": in_channels, "input_size": input_size}
    try:
        net = found(**_accepted(found, words))
    except Exception as error:
        raise RequestError(f"{name} failed while building: {error!r}.") from error
    if not isinstance(net, nn.Module):
        raise RequestError(f"{name} made {type(net).__name__}; a torch.nn.Module is needed.")
    return net


def _import(module_name: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path:  # as `python -m` has it; the entry point of a console script has not
        sys.path.insert(0, here)
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise RequestError(f"Importing {module_name} failed: {error}.") from error
        raise RequestError(
            f"There is no module {module_name!r}, in {here} or installed. `model` takes a name of "
            "the zoo or module:attr."
        ) from error
    except Exception as error:  # a user's module may raise anything
        raise RequestError(f"Importing {module_name} failed: {error!r}.") from error


def _attribute(module: object, module_name: str, attribute: str) -> object:
    found = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            hint = nearest(part, dir(found))
            raise RequestError(f"Module {module_name!r} has no {attribute!r}.{hint}")
        found = getattr(found, part)
    return found


def _accepted(maker: Callable[..., Any], words: dict[str, Any]) -> dict[str, Any]:
    """Those of `words` that the signature names and that were asked for."""
    try:
        named = inspect.signature(maker).parameters
    except ValueError:  # a builtin without a signature
        return {}
    return {word: value for word, value in words.items() if word in named and value is not None}
