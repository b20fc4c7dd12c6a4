"""Read a file of weights, of any library; no code in it is executed."""

import os
import re
import struct
import warnings
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file  # pyright: ignore[reportUnknownVariableType]

from convscope.errors import RequestError
from convscope.strict import parse_json, shown
from convscope.weights.contents import Contents, contents_of
from convscope.weights.file_kind import file_format, read_index
from convscope.weights.safe_globals import safe_globals

# Observed exceptions for damaged files.
_READ_ERRORS = (
    SafetensorError, OSError, RuntimeError, ValueError, LookupError, EOFError, TypeError,
    AttributeError, AssertionError, ArithmeticError, MemoryError, struct.error,
)  # fmt: skip

_GLOBAL = re.compile(r"GLOBAL (\S+) (?:was not|whose)|unrecognized function (.+)|but got (.+)")


def read_contents(path: Path) -> Contents:
    """Read every tensor of a file, on the CPU, and the class names that lie beside them.

    The file is safetensors, from `torch.save`, or the index of a model in several files; recognized
    by its content, whatever its name.

    Raises RequestError for a file that is none of these, is damaged, contains something else, or
    needs to run code.
    """
    try:
        kind = file_format(path)
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}.") from error
    match kind:
        case "index":
            return _read_shards(path)
        case "safetensors" | "zip" | "pickle":
            contents = contents_of(_read(path, kind))
            if kind == "safetensors":
                _refuse_twice(path)
        case sentence:
            raise RequestError(f"{path} {sentence}.")
    if not contents.tensors:
        raise RequestError(
            f"{path} has no state dict (tensors by name): {contents.description}. Save the "
            "network's with `torch.save(net.state_dict(), 'weights.pth')`."
        )
    return contents


def _read(path: Path, kind: str) -> object:
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(safe_globals()):  # pyright: ignore[reportArgumentType]
            warnings.simplefilter("ignore")  # about files that load, or fail to, in any case
            if kind == "safetensors":
                return load_file(path)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=kind == "zip")
    except UnpicklingError as error:
        raise RequestError(_refusal(path, str(error))) from error
    except _READ_ERRORS as error:
        line = str(error).strip().splitlines()[:1]
        raise RequestError(
            f"{path} is damaged or has no weights ({''.join(line).rstrip('.')}). Download it again."
        ) from error


def _refuse_twice(path: Path) -> None:
    """Refuse a name that stands twice in a header, of which the library takes the last."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")  # which the library has checked
        parse_json(file.read(size).decode("utf-8", "replace"), where=f"The header of {path}")


def _read_shards(path: Path) -> Contents:
    """Read a model that is spread over several files."""
    files = read_index(path)
    parts: dict[str, Contents] = {}
    for file in dict.fromkeys(files.values()):
        part = path.parent / file
        if Path(file).name != file or not os.path.isfile(part):  # noqa: PTH113 -- raises nothing
            raise RequestError(f"{path} lists {shown(file)}, which is not beside it. Put it there.")
        parts[file] = read_contents(part)
    lost = [name for name, file in files.items() if name not in parts[file].tensors]
    if lost:
        raise RequestError(f"{files[lost[0]]} lacks {lost[0]}, which {path} lists.")
    tensors = {name: parts[file].tensors[name] for name, file in files.items()}
    return Contents(tensors, dict.fromkeys(tensors, ""), (), "")


def _refusal(path: Path, message: str) -> str:
    """Say why a file is not loaded, and how its weights are saved so that it is."""
    if "Unsupported operand" in message:
        return (
            f"{path} was pickled by a protocol that cannot be read without running it. Where you "
            f"trust it, save it again: `torch.save(torch.load('{path}', weights_only=False), "
            "'weights.pth')`."
        )
    found = _GLOBAL.search(message)
    name = next((group for group in found.groups() if group), "") if found else ""
    unsafe = {name, *_unsafe_globals(path)}
    why = (
        "loading it would run code from the file, which convscope never does. Where you trust it, "
        "save only the state dict: "
    )
    if any(".modules." in one or one.startswith(("__main__.", "torch.nn.")) for one in unsafe):
        net = f"torch.load('{path}', weights_only=False)"
        if any(one.startswith(("ultralytics.", "models.yolo")) for one in unsafe):
            net += "['model']"
        return (
            f"{path} has more than tensors: a whole network ({name}), and {why}"
            f"`torch.save({net}.state_dict(), 'weights.pth')`."
        )
    named = f" ({name.strip()})" if name else ""
    return (
        f"{path} has more than tensors{named}, and {why}`torch.save(net.state_dict(), "
        "'weights.pth')`."
    )


def _unsafe_globals(path: Path) -> list[str]:
    """The globals of a zipped file that are not on the list; none for an old file."""
    try:
        return torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # noqa: BLE001 -- only a message depends on it
        return []
