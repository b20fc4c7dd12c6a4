"""What the page draws of volumes: faces, maps, filters, and the answers to its questions."""

import json
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.explanation.recording import Recording
from convscope.lab.inspect.graph import Row
from convscope.terms import told

Rank = Literal["strongest", "unusual", "matters", "twins"]
Floats = NDArray[np.float32]
Usual = Callable[[], tuple[Floats | None, str]]
_FACE = 112  # points of a face's longer side
_SIDE = 4096  # units of a vector's face
_CHANNELS = 6  # of a filter up to which it is drawn
_TWINS = 0.9  # correlation of maps that say the same
_COMPARED = 2048  # maps up to which they are compared with each other


def volume_of(recording: Recording, row: Row, maps: Sequence[int] | None = None) -> Floats:
    """A row's volume, or some of its maps, as float32 (c, h, w)."""
    whole = recording[row.out].value.reshape(row.shape)
    if maps is not None:
        if any(not 0 <= place < len(whole) for place in maps):
            raise RequestError(f"{row.name} has the maps 0 to {len(whole) - 1}.")
        whole = whole[list(maps)]
    return np.ascontiguousarray(whole.detach().float().cpu().numpy())


def faces_of(recording: Recording, rows: Sequence[Row]) -> bytes:
    """The strongest map of every row, as bytes: a header's length, the header, int8 values."""
    heads: list[dict[str, Any]] = []
    body = bytearray()
    for row in rows:
        face = _face(volume_of(recording, row))
        peak = float(np.abs(face[np.isfinite(face)]).max(initial=0.0))
        scale = peak / 127 or 1.0
        levels = np.nan_to_num(face / scale, nan=0, posinf=127, neginf=-127)
        heads.append(
            {
                "name": row.name,
                "height": face.shape[0],
                "width": face.shape[1],
                "scale": scale,
                "offset": len(body),
            }
        )
        body += np.clip(np.round(levels), -127, 127).astype(np.int8).tobytes()
    header = json.dumps(heads).encode()
    return struct.pack("<I", len(header)) + header + bytes(body)


def _face(volume: Floats) -> Floats:
    if volume.shape[1:] == (1, 1):
        return volume[:_SIDE, :, 0]
    strongest = volume[int(np.argmax(_strength(volume)))]
    step = -(-max(strongest.shape) // _FACE)
    return strongest[::step, ::step]


def _strength(volume: Floats) -> Floats:
    """The mean magnitude of each map."""
    return np.nan_to_num(np.abs(volume)).mean(axis=(1, 2))


@dataclass(frozen=True)
class Scores:
    """The maps of a row by a question: one number for each, or groups of them."""

    rank: Rank
    scores: list[float | str] | None
    dead: list[int]
    groups: list[list[int]]
    note: str

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def scores_of(rank: str, recording: Recording, row: Row, net: nn.Module, usual: Usual) -> Scores:
    """Rank the maps of a row.

    strongest: by their mean magnitude. unusual: by the distance from what is `usual`: a volume, and
    what it is the mean of, or why there is none. matters: by gradient times activation for the
    strongest answer, summed over the map. twins: groups of maps that correlate by 0.9 or more.
    """
    if rank not in get_args(Rank):
        raise RequestError(f"There is no question {rank!r}. Known: {', '.join(get_args(Rank))}.")
    volume = volume_of(recording, row)
    strength = _strength(volume)
    dead = [int(c) for c in np.flatnonzero(strength == 0)]
    if rank == "twins":
        groups, note = _twins(volume)
        return Scores("twins", None, dead, groups, note)
    note, values = "", strength
    if rank == "unusual":
        mean, note = usual()
        if mean is None:
            return Scores("unusual", None, dead, [], note)
        values = np.sqrt(np.square(volume - mean).mean(axis=(1, 2)))
        note = f"Compared with {note}."
    if rank == "matters":
        found = _matters(recording, row, net)
        if found is None:
            note = "The answer's derivative by this volume cannot be had."
            return Scores("matters", None, dead, [], note)
        values = found
    told_values = [told(float(value)) for value in values]
    return Scores(rank, told_values, dead, [], note)  # pyright: ignore[reportArgumentType]


def _matters(recording: Recording, row: Row, net: nn.Module) -> Floats | None:
    """Gradient times activation, summed over each map, for the strongest answer."""
    module, call = _call(net, row.out)
    if module is None:
        return None
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, answer: Any) -> Any:
        kept.append(answer)
        if len(kept) != call:
            return answer
        kept[-1] = answer.detach().requires_grad_()
        return kept[-1]

    handle = module.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            answer = net(recording["image"].full.clone())
            top = answer.flatten()[int(answer.argmax())]
            own = kept[call - 1]
            (gradient,) = torch.autograd.grad(top, own)
    except (RuntimeError, AttributeError, IndexError):
        return None
    finally:
        handle.remove()
    matter = (gradient * own.detach()).reshape(row.shape)
    return matter.sum((1, 2)).float().cpu().numpy()


def _module(net: nn.Module, name: str) -> nn.Module | None:
    """The module whose answer an operation is."""
    return dict(net.named_modules()).get(name)


def _call(net: nn.Module, name: str) -> tuple[nn.Module | None, int]:
    """The module whose answer an operation is, and which of its calls: the second of `relu_2`."""
    again = re.fullmatch(r"(.+)_(\d+)", name)
    if again and _module(net, name) is None:
        return _module(net, again[1]), int(again[2])
    return _module(net, name), 1


def _twins(volume: Floats) -> tuple[list[list[int]], str]:
    """Groups of maps that go up and down together."""
    if volume.shape[1] * volume.shape[2] < 4:
        return [], "A map of fewer than four units says too little to be compared."
    if len(volume) > _COMPARED:
        return [], f"More than {_COMPARED:,} maps are not compared."
    flat = volume.reshape(len(volume), -1).astype(np.float64)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.sqrt(np.square(flat).sum(axis=1))
    alive = np.flatnonzero(length > 0)
    unit = flat[alive] / length[alive, None]
    alike = unit @ unit.T >= _TWINS
    groups: list[list[int]] = []
    left = set(range(len(alive)))
    for place in range(len(alive)):
        if place in left:
            group = [other for other in left if alike[place, other]]
            left -= set(group)
            if len(group) > 1:
                groups.append(sorted(int(alive[other]) for other in group))
    return sorted(groups, key=len, reverse=True), ""


def filter_of(net: nn.Module, row: Row, place: int) -> dict[str, Any]:
    """The filter of one map, channel by channel, where these are few enough to be drawn."""
    module = _module(net, row.name)
    weight = getattr(module, "weight", None)
    if row.op != "conv" or not isinstance(weight, Tensor) or weight.ndim != 4:
        return {"size": [0, 0], "channels": []}
    if not 0 <= place < len(weight):
        raise RequestError(f"{row.name} has the filters 0 to {len(weight) - 1}.")
    chosen = weight[place].detach().float().cpu()
    many = len(chosen) > _CHANNELS
    return {
        "size": list(chosen.shape[1:]),
        "channels": [] if many else [channel.flatten().tolist() for channel in chosen],
    }
