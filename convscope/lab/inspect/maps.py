"""What the page draws of volumes: faces, maps, filters, and the answers to its questions."""

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.errors import RequestError
from convscope.explanation.recording import Recording
from convscope.features.ranking import (
    distance_from_mean,
    gradient_times_activation,
    mean_magnitude,
)
from convscope.features.similarity import correlated_groups
from convscope.lab.inspect.graph import Row
from convscope.terms import json_number

Rank = Literal["strongest", "unusual", "matters", "twins"]
Floats = NDArray[np.float32]
Usual = Callable[[], tuple[Floats | None, str]]
_FACE = 112  # points of a face's longer side
_SIDE = 4096  # units of a vector's face
_CHANNELS = 6  # of a filter up to which it is drawn
_MIN_UNITS = 4  # of maps that are compared with each other
_MAX_MAPS = 2048  # that are compared with each other


def volume_of(recording: Recording, row: Row, maps: Sequence[int] | None = None) -> Floats:
    """A row's volume, or some of its maps, as float32 (c, h, w)."""
    whole = recording[row.out].squeezed.reshape(row.shape)
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
    strongest = volume[int(np.argmax(mean_magnitude(volume)))]
    step = -(-max(strongest.shape) // _FACE)
    return strongest[::step, ::step]


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
    strength = mean_magnitude(volume)
    dead = [int(c) for c in np.flatnonzero(strength == 0)]
    if rank == "twins":
        groups, note = _correlated(volume)
        return Scores("twins", None, dead, groups, note)
    note, values = "", strength
    if rank == "unusual":
        mean, note = usual()
        if mean is None:
            return Scores("unusual", None, dead, [], note)
        values = distance_from_mean(volume, mean)
        note = f"Compared with {note}."
    if rank == "matters":
        found = _importance(recording, row, net)
        if found is None:
            note = "The answer's derivative by this volume cannot be had."
            return Scores("matters", None, dead, [], note)
        values = found
    told_values = [json_number(float(value)) for value in values]
    return Scores(rank, told_values, dead, [], note)  # pyright: ignore[reportArgumentType]


def _importance(recording: Recording, row: Row, net: nn.Module) -> Floats | None:
    """Gradient times activation for the largest output, summed over each map."""
    product = gradient_times_activation(net, recording["image"].tensor, row.out)
    if product is None:
        return None
    return product.reshape(row.shape).sum((1, 2)).float().cpu().numpy()


def _correlated(volume: Floats) -> tuple[list[list[int]], str]:
    """Groups of maps that correlate, or why they are not compared."""
    if volume.shape[1] * volume.shape[2] < _MIN_UNITS:
        return [], "A map of fewer than four units says too little to be compared."
    if len(volume) > _MAX_MAPS:
        return [], f"More than {_MAX_MAPS:,} maps are not compared."
    return correlated_groups(volume), ""


def filter_of(net: nn.Module, row: Row, place: int) -> dict[str, Any]:
    """The filter of one map, channel by channel, where these are few enough to be drawn."""
    module = dict(net.named_modules()).get(row.name)
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
