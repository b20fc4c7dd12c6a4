"""Networks of the user, named `module:attr` and importable from the working directory."""

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from convscope.errors import RequestError, nearest


def build_imported(
    name: str,
    *,
    num_classes: int | None,
    in_channels: int | None,
    input_size: tuple[int, int] | None,
) -> nn.Module:
    """Import `module:attr` and build its network; see `convscope.zoo.create_model`.

    Raises RequestError if the module cannot be imported, has no such attribute, or the attribute
    neither is an `nn.Module` nor returns one.
    """
    module_name, _, attribute = name.partition(":")
    builder = _attribute(_import(module_name), module_name, attribute)
    if isinstance(builder, nn.Module):
        return builder
    if not callable(builder):
        raise RequestError(
            f"{name} is of type {type(builder).__name__}: neither an nn.Module nor callable."
        )
    arguments = {"num_classes": num_classes, "in_channels": in_channels, "input_size": input_size}
    try:
        net = builder(**_accepted(builder, arguments))
    except Exception as error:
        raise RequestError(f"{name} failed while building: {error!r}.") from error
    if not isinstance(net, nn.Module):
        raise RequestError(
            f"{name} returned an object of type {type(net).__name__}; it must return a "
            "torch.nn.Module."
        )
    return net


def _import(module_name: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path:  # `python -m` adds it; a console script's entry point does not
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
    value = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            hint = nearest(part, dir(value))
            raise RequestError(f"Module {module_name!r} has no {attribute!r}.{hint}")
        value = getattr(value, part)
    return value


def _accepted(builder: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Keep the arguments that are set and that the signature has."""
    try:
        parameters = inspect.signature(builder).parameters
    except ValueError:  # a builtin without a signature
        return {}
    return {
        name: value for name, value in arguments.items() if name in parameters and value is not None
    }
