"""Networks of the user, named `module:attr` and importable from the working directory."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from convscope.errors import ConsentError, NetworkError, RequestError, nearest
from convscope.forward import first_line
from convscope.zoo.builder_call import call_builder
from convscope.zoo.module_sources import imports_recorded


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
    builder = imported(name)
    if isinstance(builder, nn.Module):
        return builder
    return call_builder(
        builder, name, num_classes=num_classes, in_channels=in_channels, input_size=input_size
    )


def imported(name: str, *, setting: str = "model") -> nn.Module | Callable[..., Any]:
    """What `module:attr` names: a network, or what builds one; for another `setting`, a function.

    Raises RequestError.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise RequestError(
            f"{name!r} is not of the form module:attr, as in `mynets:Net` for the class Net of "
            "mynets.py."
        )
    builder = _attribute(_import(module_name, setting), module_name, attribute)
    if not callable(builder):
        expected = "neither an nn.Module nor callable" if setting == "model" else "not callable"
        raise RequestError(f"{name} is of type {type(builder).__name__}: {expected}.")
    return builder


def _import(module_name: str, setting: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path and not imports_recorded():
        sys.path.insert(0, here)
    if module_name.endswith(".py") or "/" in module_name or "\\" in module_name:
        dotted = module_name.removesuffix(".py").replace("\\", "/").strip("./").replace("/", ".")
        raise RequestError(
            f"{module_name!r} is a path; `{setting}` takes a module's name, as Python imports it: "
            f"{dotted}:ATTR, from the folder that {dotted.partition('.')[0]} is in."
        )
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise RequestError(f"Importing {module_name} failed: {error}.") from error
        takes = (
            " `model` takes a name of the zoo, timm:NAME, torchvision:NAME or module:attr."
            if setting == "model"
            else ""
        )
        raise RequestError(
            f"There is no module {module_name!r}, in {here} or installed.{takes}"
        ) from error
    except ConsentError:
        raise
    except SystemExit as error:
        raise NetworkError(
            f"Importing {module_name} ended the program (SystemExit: {error}): put what it runs "
            "under `if __name__ == '__main__':`."
        ) from error
    except Exception as error:  # a user's module may raise anything
        raise NetworkError(
            f"Importing {module_name} failed: {type(error).__name__}: {first_line(error)}. The "
            "error is in that module's own code."
        ) from error


def _attribute(module: object, module_name: str, attribute: str) -> object:
    value = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            hint = nearest(part, dir(value))
            raise RequestError(f"Module {module_name!r} has no {attribute!r}.{hint}")
        value = getattr(value, part)
    return value
