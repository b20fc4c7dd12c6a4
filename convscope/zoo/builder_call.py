"""Calling a builder of networks by what its signature says, whatever it calls the arguments."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from torch import nn

from convscope.errors import NetworkError, RequestError
from convscope.forward import first_line

NUM_CLASSES = (
    "num_classes", "n_classes", "nb_classes", "nclasses", "classes", "num_labels", "n_labels",
    "num_outputs", "n_outputs", "out_features",
)  # fmt: skip
IN_CHANNELS = (
    "in_channels", "in_chans", "n_channels", "num_channels", "input_channels", "n_input_channels",
    "channels",
)  # fmt: skip
INPUT_SIZE = ("input_size", "img_size", "image_size", "input_shape", "img_shape", "image_shape")
"""What people call the three arguments; the first that a signature has is used."""

_PASSED_ON = {"num_classes": ("num_classes",), "in_channels": ("in_chans", "in_channels")}
"""What is tried where a builder takes `**kwargs`, the usual name first."""


def call_builder(
    builder: Callable[..., Any],
    name: str,
    *,
    num_classes: int | None,
    in_channels: int | None,
    input_size: tuple[int, int] | None,
) -> nn.Module:
    """Build a network with those of the arguments that the builder takes; None leaves one out.

    Names that the signature has are used, also other usual ones, `n_classes` for example. What a
    builder may pass on through `**kwargs` is tried, and left out where it is refused.

    Raises NetworkError, with the arguments, where the builder fails or returns no `nn.Module`;
    RequestError where it requires more.
    """
    parameters = _parameters(builder)
    wanted = {"num_classes": num_classes, "in_channels": in_channels, "input_size": input_size}
    known = {"num_classes": NUM_CLASSES, "in_channels": IN_CHANNELS, "input_size": INPUT_SIZE}
    arguments: dict[str, Any] = {}
    for word, value in wanted.items():
        called = _argument(parameters, known[word])
        if called is not None and value is not None:
            arguments[called] = _converted(value, parameters[called])
    _check_required(parameters, arguments, name, known)
    optional: list[Sequence[str]] = []
    if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        for word, names in _PASSED_ON.items():
            is_taken = _argument(parameters, known[word]) is not None
            if wanted[word] is not None and not is_taken and (word, wanted[word]) != _USUAL:
                optional.append(names)
                arguments[names[0]] = wanted[word]
    return _built(builder, name, arguments, optional)


_USUAL = ("in_channels", 3)  # what every builder takes without being told


def _parameters(builder: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(builder).parameters
    except (ValueError, TypeError):  # a builtin without a signature
        return {}


def _argument(parameters: Mapping[str, inspect.Parameter], names: Sequence[str]) -> str | None:
    """The first of the names that the signature has; `channels` only where it may be of images."""
    for name in names:
        parameter = parameters.get(name)
        if parameter is None or parameter.kind is parameter.POSITIONAL_ONLY:
            continue
        if name == "channels" and parameter.default not in (parameter.empty, 1, 3, None):
            continue  # how wide the network is
        return name
    return None


def _converted(value: object, parameter: inspect.Parameter) -> object:
    """A size in the form that the parameter has: one side, (h, w), or (c, h, w)."""
    if not isinstance(value, tuple):
        return value
    height, width = cast("tuple[int, int]", value)
    is_one_side = parameter.annotation in (int, "int") or isinstance(parameter.default, int)
    is_unknown = parameter.default in (parameter.empty, None) and "size" in parameter.name
    if height == width and (is_one_side or (is_unknown and parameter.name != "input_size")):
        return height
    default: object = parameter.default
    has_channels = isinstance(default, tuple | list) and len(cast("Sequence[int]", default)) == 3
    first = cast("Sequence[int]", default)[:1] if has_channels else ()
    return (*first, height, width)


def _check_required(
    parameters: Mapping[str, inspect.Parameter],
    arguments: Mapping[str, object],
    name: str,
    known: Mapping[str, Sequence[str]],
) -> None:
    """Raise RequestError for parameters that have neither a value nor a default."""
    missing = [
        parameter.name
        for parameter in parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.name not in arguments
    ]
    if not missing:
        return
    words = [word for word, names in known.items() if set(missing) & set(names)]
    if len(words) == len(missing):
        given = " and ".join(f"`{word}`" for word in words)
        raise RequestError(f"{name} requires {' and '.join(missing)}. Give {given}.")
    raise RequestError(
        f"{name} requires arguments that convscope does not know: {', '.join(missing)}. Give them "
        "defaults, or name a function that passes them: `def net(num_classes): ...`."
    )


def _built(
    builder: Callable[..., Any],
    name: str,
    arguments: dict[str, Any],
    optional: Sequence[Sequence[str]],
) -> nn.Module:
    while True:
        try:
            net = builder(**arguments)
        except TypeError as error:
            if _dropped(arguments, optional, str(error)):
                continue
            raise _failure(name, arguments, error) from error
        except Exception as error:
            raise _failure(name, arguments, error) from error
        break
    if isinstance(net, nn.Module):
        return net
    if isinstance(net, type) and issubclass(net, nn.Module):
        raise NetworkError(f"{name} returned the class {net.__name__}; return an instance of it.")
    raise NetworkError(
        f"{name} returned an object of type {type(net).__name__}; it must return a torch.nn.Module."
    )


def _dropped(arguments: dict[str, Any], optional: Sequence[Sequence[str]], message: str) -> bool:
    """Leave out an argument that was refused, or try the next of its names."""
    for names in optional:
        for index, tried in enumerate(names):
            if tried in arguments and "unexpected keyword" in message and f"'{tried}'" in message:
                value = arguments.pop(tried)
                arguments.update(dict.fromkeys(names[index + 1 : index + 2], value))
                return True
    return False


def _failure(name: str, arguments: Mapping[str, object], error: Exception) -> NetworkError:
    called = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    return NetworkError(
        f"{name} failed while building, called with ({called}): {type(error).__name__}: "
        f"{first_line(error)}. The error is in the builder's own code."
    )
