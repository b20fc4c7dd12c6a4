"""The file of a recording: safetensors with a table in JSON, written whole or not at all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, cast

import torch
from torch import Tensor

from convscope.card import Card
from convscope.errors import RequestError
from convscope.explanation.rules.precision import Settings
from convscope.explanation.saved.arguments import Unpack, decode, encode, is_saved
from convscope.explanation.saved.functions import NotSaved, function_of, name_of
from convscope.explanation.saved.own_layers import decode_layer, encode_layer
from convscope.explanation.saved.packed_weights import packer, unpacker
from convscope.explanation.saved.tensors import TensorReader, TensorWriter
from convscope.recording import IMAGE, Call, ForwardPass, Operation
from convscope.recording.operation import sources_in
from convscope.runs.tensor_file import CorruptFileError, load_tensors, read_metadata, save_tensors
from convscope.strict import checked
from convscope.version import __version__

VERSION = 1
_FORMAT = "convscope recording"
_DAMAGES = (ValueError, KeyError, TypeError, AttributeError, RuntimeError, IndexError)


@dataclass(frozen=True)
class SavedPass:
    """What the file of a recording holds.

    Attributes:
        done: the pass.
        note: what was assumed of the image.
        settings: torch's settings for the precision of products when it was recorded.
        card: of the network; None where none was given.
        warning: a caveat for the reader; empty if there is none.
    """

    done: ForwardPass
    note: str
    settings: Settings
    card: Card | None = None
    warning: str = ""


class _Operation(TypedDict):
    name: str
    kind: str
    module: str
    operands: list[str]
    parameters: list[str]
    function: str | None
    layer: dict[str, Any] | None
    args: Any
    kwargs: Any
    shape: list[int]
    output_index: int


class _Table(TypedDict):
    """Of the file, without the tensors."""

    operations: list[_Operation]
    results: list[str]
    state: list[str]
    output: str
    parameters: list[str]
    buffers: list[str]
    unknown: list[str]
    requires_grad: list[str]
    note: str
    warning: str
    card: dict[str, Any] | None
    settings: dict[str, Any]
    tensors: dict[str, dict[str, Any]]


class MissingDeviceError(RequestError):
    """A recording needs a device that is not here."""


def write_pass(path: Path, saved: SavedPass) -> None:
    """Write a pass to a file, which replaces an older one only when it is whole.

    Raises RequestError for a tensor that no file can hold, WorkError where the disk refuses.
    """
    done, writer = saved.done, TensorWriter()
    for name, tensor in done.results.items():
        writer.add(f"results/{name}", tensor)
    for name, tensor in done.state.items():
        writer.add(f"state/{name}", tensor)
    pack = packer(writer)
    table = _Table(
        operations=[_encoded(operation, pack) for operation in done.operations],
        results=list(done.results),
        state=list(done.state),
        output=done.output,
        parameters=sorted(done.parameters),
        buffers=sorted(done.buffers),
        unknown=sorted(done.unknown),
        requires_grad=sorted(done.requires_grad),
        note=saved.note,
        warning=saved.warning,
        card=None if saved.card is None else saved.card.to_dict(),
        settings=saved.settings.to_dict(),
        tensors=writer.table,
    )
    about = {"format": _FORMAT, "version": VERSION, "convscope": __version__}
    save_tensors(path, writer.tensors, {**about, "torch": torch.__version__, "recording": table})


def is_recording(path: Path) -> bool:
    """Whether a file says that it is a recording; the rest of it is not looked at."""
    return read_metadata(path).get("format") == _FORMAT


def read_pass(path: Path, *, device: str | None = None) -> SavedPass:
    """The pass in a file of `write_pass`, on a device, by default each tensor where it was.

    Raises RequestError for a file of something else or of a later version, and for a device that is
    not there; CorruptFileError for a damaged one.
    """
    file = load_tensors(path)
    version = file.metadata.get("version")
    if file.metadata.get("format") != _FORMAT:
        raise RequestError(
            f"{path} is not a recording. Files of recordings are written by `recording.save(path)`."
        )
    if version != VERSION:
        raise RequestError(
            f"{path} has version {version!r} of the format of recordings, and this convscope "
            f"({__version__}) reads version {VERSION}. Use the convscope that wrote it "
            f"({file.metadata.get('convscope')}), or record again."
        )
    table: _Table = checked(file.metadata.get("recording"), _Table, where=str(path))
    _check_device(path, table, device)
    try:
        reader = TensorReader(file.tensors, table["tensors"], device)
        done = _decoded_pass(table, reader, device)
        settings = Settings.from_dict(table["settings"])
    except _DAMAGES as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise CorruptFileError(f"{path} is damaged: {reason}. Record again.") from error
    card = None if table["card"] is None else Card.from_dict(table["card"], where=str(path))
    return SavedPass(done, table["note"], settings, card, table["warning"])


def _check_device(path: Path, table: _Table, device: str | None) -> None:
    entries = table["tensors"].values()
    for name in [device] if device else sorted({str(entry.get("device")) for entry in entries}):
        try:
            torch.empty(0, device=name)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise MissingDeviceError(
                f"{path} cannot be loaded on the device {name}, which is not available here. "
                'Choose `device`, as "cpu".'
            ) from error


def _encoded(operation: Operation, pack: Any) -> _Operation:
    layer = operation.layer
    return _Operation(
        name=operation.name,
        kind=operation.kind,
        module=operation.module,
        operands=list(operation.operands),
        parameters=list(operation.parameters),
        function=None if layer is not None else name_of(operation.call.function),
        layer=None if layer is None else encode_layer(layer, pack),
        args=encode(operation.call.args, pack),
        kwargs=encode(dict(operation.call.kwargs), pack),
        shape=list(operation.shape),
        output_index=operation.output_index,
    )


def _decoded_pass(table: _Table, reader: TensorReader, device: str | None) -> ForwardPass:
    state = {name: reader[f"state/{name}"] for name in table["state"]}
    known_state = {  # as layers have it
        name: tensor.detach().requires_grad_() if name in table["requires_grad"] else tensor
        for name, tensor in state.items()
    }
    results = {name: reader[f"results/{name}"] for name in table["results"]}
    unpack = unpacker(reader)
    moved = _mover(table, device)
    known = {IMAGE, *table["unknown"]}
    operations: list[Operation] = []
    for each in table["operations"]:
        operation = _decoded(each, known_state, unpack, moved)
        _check(operation, known, state, results)
        known.add(operation.name)
        operations.append(operation)
    if table["output"] not in known:
        raise ValueError(f"its output {table['output']!r} is no operation")
    return ForwardPass(
        tuple(operations),
        results,
        state,
        table["output"],
        parameters=frozenset(table["parameters"]),
        buffers=frozenset(table["buffers"]),
        unknown=frozenset(table["unknown"]),
        requires_grad=frozenset(table["requires_grad"]),
    )


def _mover(table: _Table, device: str | None) -> Callable[[Any], Any]:
    """What puts another device in the place of those that calls of functions name."""
    recorded = {str(entry.get("device")) for entry in table["tensors"].values()}
    recorded |= {name.partition(":")[0] for name in recorded}

    def moved(value: Any) -> Any:
        if isinstance(value, torch.device) or (isinstance(value, str) and value in recorded):
            return torch.device(device or "cpu")
        if isinstance(value, dict):
            table = cast("dict[Any, Any]", value)
            return {key: moved(item) for key, item in table.items()}
        if type(value) in (list, tuple):  # pyright: ignore[reportUnknownArgumentType]
            return type(value)(map(moved, value))
        return value

    return moved if device else lambda value: value


def _decoded(
    each: _Operation,
    state: Mapping[str, Tensor],
    unpack: Unpack,
    moved: Callable[[Any], Any],
) -> Operation:
    name, kind = each["name"], each["kind"]
    args, kwargs = moved(decode(each["args"], unpack)), moved(decode(each["kwargs"], unpack))
    if type(args) is not tuple or type(kwargs) is not dict:
        raise ValueError(f"{name} has no arguments")
    layer, found, content = None, None, each["layer"]
    if content is not None:
        layer = found = decode_layer(content, each["module"], state, unpack)
        if content["class"] != kind:
            raise ValueError(f"{name} is no {kind}")
    elif each["function"] is not None and is_saved((args, kwargs)):
        found = function_of(each["function"], kind, args, kwargs)
    return Operation(
        name=name,
        kind=kind,
        module=each["module"],
        layer=layer,
        operands=tuple(each["operands"]),
        parameters=tuple(each["parameters"]),
        call=Call(found or NotSaved(f"The function of {name} ({kind})"), args, kwargs),
        shape=tuple(each["shape"]),
        output_index=each["output_index"],
    )


def _check(
    operation: Operation,
    known: set[str],
    state: Mapping[str, Tensor],
    results: Mapping[str, Tensor],
) -> None:
    """Raise ValueError where the parts of a file do not fit together."""
    name = operation.name
    if name in known:
        raise ValueError(f"{name} stands twice in it")
    for other in operation.operands:
        if other not in known:
            raise ValueError(f"{other}, an operand of {name}, is missing")
    for source in sources_in((operation.call.args, dict(operation.call.kwargs))):
        if source.role == "result" and source.name not in known:
            raise ValueError(f"{source.name}, an argument of {name}, is missing")
        if source.role == "state":
            if source.name not in state:
                raise ValueError(f"the weights {source.name} of {name} are missing")
            if tuple(state[source.name].shape) != source.shape:
                raise ValueError(f"{source.name} has another shape than {name} reads")
    if name in results and tuple(results[name].shape) != operation.shape:
        raise ValueError(f"{name} has another shape than its operation")
