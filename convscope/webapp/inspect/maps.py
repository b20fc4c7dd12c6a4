"""What the page draws of a volume: thumbnails, maps, filters, and maps ranked by a question."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

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
from convscope.terms import json_number
from convscope.webapp.inspect.graph import GraphRow
from convscope.words.json_text import to_json

Rank = Literal["strongest", "distance_from_mean", "importance", "correlated"]
Floats = NDArray[np.float32]
MeanVolume = Callable[[], tuple[Floats | None, str]]
_THUMBNAIL = 112  # points of a thumbnail's longer side
_VECTOR = 4096  # units of a vector's thumbnail
_MAX_CHANNELS = 6  # of a filter that is drawn
_MIN_UNITS = 4  # of maps that are compared with each other
_MAX_MAPS = 2048  # that are compared with each other


def volume_of(recording: Recording, row: GraphRow, maps: Sequence[int] | None = None) -> Floats:
    """A row's volume, or some of its maps, as float32 (c, h, w)."""
    volume = recording[row.out].value.reshape(row.shape)
    if maps is not None:
        if any(not 0 <= index < len(volume) for index in maps):
            raise RequestError(f"{row.name} has the maps 0 to {len(volume) - 1}.")
        volume = volume[list(maps)]
    return np.ascontiguousarray(volume.detach().float().cpu().numpy())


def thumbnails(recording: Recording, rows: Sequence[GraphRow]) -> bytes:
    """The strongest map of every row as bytes: a header's length, the header, int8 values."""
    headers: list[dict[str, Any]] = []
    body = bytearray()
    for row in rows:
        volume = volume_of(recording, row)
        values = _thumbnail(volume)
        peak = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
        scale = peak / 127 or 1.0
        levels = np.nan_to_num(values / scale, nan=0, posinf=127, neginf=-127)
        headers.append(
            {
                "name": row.name,
                "height": values.shape[0],
                "width": values.shape[1],
                "scale": scale,
                "offset": len(body),
                "strange": int(np.count_nonzero(~np.isfinite(volume))),
            }
        )
        body += np.clip(np.round(levels), -127, 127).astype(np.int8).tobytes()
    header = to_json(headers).encode()
    return struct.pack("<I", len(header)) + header + bytes(body)


def _thumbnail(volume: Floats) -> Floats:
    if volume.shape[1:] == (1, 1):
        return volume[:_VECTOR, :, 0]
    strongest = volume[int(np.argmax(mean_magnitude(volume)))]
    step = -(-max(strongest.shape) // _THUMBNAIL)
    return strongest[::step, ::step]


@dataclass(frozen=True)
class MapRanking:
    """The maps of a row by a question: a score for each map, or groups of maps.

    Attributes:
        scores: one per map; None for a question that groups them, or that has no answer.
        dead: the maps that are zero everywhere.
        note: what the scores compare with, or why there are none.
    """

    rank: Rank
    scores: list[float | str] | None
    dead: list[int]
    groups: list[list[int]]
    note: str

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def rank_maps(
    rank: str, recording: Recording, row: GraphRow, net: nn.Module, mean: MeanVolume
) -> MapRanking:
    """Rank the maps of a row.

    - strongest: by mean magnitude, NaN for a map with NaN
    - distance_from_mean: by distance from the volume that `mean` returns, with its description
    - importance: by gradient times activation for the top-1 class, summed over the map
    - correlated: groups of maps that correlate by 0.9 or more

    Raises RequestError for another `rank`.
    """
    if rank not in get_args(Rank):
        raise RequestError(f"Unknown ranking {rank!r}. Known: {', '.join(get_args(Rank))}.")
    rank = cast("Rank", rank)
    volume = volume_of(recording, row)
    is_nan = np.isnan(volume).any(axis=(1, 2))
    scores, note = np.where(is_nan, np.float32("nan"), mean_magnitude(volume)), ""
    dead = [int(c) for c in np.flatnonzero(~volume.any(axis=(1, 2)))]
    if rank == "correlated":
        groups, note = _correlated(volume)
        return MapRanking(rank, None, dead, groups, note)
    if rank == "distance_from_mean":
        mean_volume, note = mean()
        if mean_volume is None:
            return MapRanking(rank, None, dead, [], note)
        scores, note = distance_from_mean(volume, mean_volume), f"Compared with {note}."
    if rank == "importance":
        importance = _importance(recording, row, net)
        if importance is None:
            note = "The network's output has no gradient by this layer."
            return MapRanking(rank, None, dead, [], note)
        scores = importance
    return MapRanking(rank, [json_number(float(score)) for score in scores], dead, [], note)


def _importance(recording: Recording, row: GraphRow, net: nn.Module) -> Floats | None:
    """Gradient times activation for the largest output, summed over each map."""
    product = gradient_times_activation(net, recording["image"].tensor, row.out)
    if product is None:
        return None
    return product.reshape(row.shape).sum((1, 2)).float().cpu().numpy()


def _correlated(volume: Floats) -> tuple[list[list[int]], str]:
    """Groups of maps that correlate, or why they are not compared."""
    if volume.shape[1] * volume.shape[2] < _MIN_UNITS:
        return [], "Maps of fewer than four units are too small to compare."
    if len(volume) > _MAX_MAPS:
        return [], f"More than {_MAX_MAPS:,} maps are not compared."
    return correlated_groups(volume), ""


def filter_weights(net: nn.Module, row: GraphRow, index: int) -> dict[str, Any]:
    """The filter of one map, channel by channel, if it has few enough to draw."""
    module = dict(net.named_modules()).get(row.name)
    weight = getattr(module, "weight", None)
    if row.op != "conv" or not isinstance(weight, Tensor) or weight.ndim != 4:
        return {"size": [0, 0], "channels": []}
    if not 0 <= index < len(weight):
        raise RequestError(f"{row.name} has the filters 0 to {len(weight) - 1}.")
    kernel = weight[index].detach().float().cpu()
    is_drawn = len(kernel) <= _MAX_CHANNELS
    return {
        "size": list(kernel.shape[1:]),
        "channels": [channel.flatten().tolist() for channel in kernel] if is_drawn else [],
    }
