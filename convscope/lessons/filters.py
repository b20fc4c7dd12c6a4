"""Lesson: what the filters of a trained LeNet-5 have learned, and which of them repeat others."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import numpy as np

from convscope.errors import RequestError
from convscope.features.redundancy import COMPARED, FilterAnalysis
from convscope.features.similarity import CORRELATED
from convscope.lessons.params import choice, integer
from convscope.lessons.trained import DATA, EPOCHS, BackgroundTraining, Bytes, Trained

LAYERS = ("conv1", "conv2")
_PAIRS = 3  # that are named


@lru_cache(maxsize=4)
def _layer(trained: Trained, name: str) -> FilterAnalysis:
    return FilterAnalysis(
        trained.net, name, card=trained.card, train=trained.train, test=trained.test
    )


def _prepare(trained: Trained) -> None:
    """Do once what every answer needs."""
    for name in LAYERS:
        layer = _layer(trained, name)
        _filters(layer, trained.test[0][:1])
        _pair(layer, 0)
        layer.top_patches(0)


TRAINEE = BackgroundTraining(_prepare)


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """The filters of one layer of a trained network, their maps, and what is left without some.

    `state` has `layer` (of LAYERS), the chosen `filter`, the `digit` (0 to 9) whose maps are shown,
    and `removed`, the filters that are zeroed. While the network is being trained the answer is
    `ready` False, with `step` of `steps`. Then it has the `filters` with their slices, map and
    the number of test digits that are `right` without each alone; `digits`; `alike`, the matrices
    of correlation and cosine, and the pairs that are most alike; the `patches` that excite the
    chosen filter most; and how many of `tested` are right with the whole network (`whole`), without
    those `removed`, and without the chosen filter, its nearest, and both (`pair`).

    Raises RequestError for what is none of this, WorkError for a training that failed.
    """
    name = choice(state, "layer", LAYERS)
    digit = integer(state, "digit", 0, 9)
    asked = integer(state, "filter", 0, 119), _places(state)
    trained = TRAINEE.trained()
    if trained is None:
        return {
            "ready": False,
            "data": DATA,
            "epochs": EPOCHS,
            "step": TRAINEE.step,
            "steps": TRAINEE.steps,
        }
    layer = _layer(trained, name)
    chosen = min(asked[0], len(layer) - 1)
    removed = tuple(place for place in asked[1] if place < len(layer))
    _, labels = trained.test
    examples = [int(np.flatnonzero(labels == label)[0]) for label in range(10)]
    pixels = trained.test[0][examples]
    return {
        "ready": True,
        "learned": len(trained.train[1]),
        "tested": len(labels),
        "compared": min(COMPARED, len(labels)),
        "whole": layer.num_correct_without(()),
        "removed": list(removed),
        "left": layer.num_correct_without(removed),
        "digits": [one[::2, ::2].ravel().tolist() for one in pixels],
        "digit": pixels[digit].ravel().tolist(),
        "side": pixels.shape[1],
        "filters": _filters(layer, pixels[digit : digit + 1]),
        "chosen": chosen,
        "field": layer.receptive_field.size,
        "patches": [
            {"pixels": patch.pixels.ravel().tolist(), "value": patch.value, "digit": patch.label}
            for patch in layer.top_patches(chosen)
        ],
        "alike": _alike(layer),
        "pair": _pair(layer, chosen),
    }


def _places(state: Mapping[str, Any]) -> tuple[int, ...]:
    """The filters to be removed, ascending, each once."""
    found = state.get("removed")
    values = cast("list[object]", found) if isinstance(found, list) else [None]
    if any(isinstance(v, bool) or not isinstance(v, int) or not 0 <= v < 120 for v in values):
        raise RequestError(f"removed must be a list of filters, counted from 0, not {found!r}.")
    return tuple(sorted(set(cast("list[int]", values))))


def _filters(layer: FilterAnalysis, pixels: Bytes) -> list[dict[str, Any]]:
    """Each filter with its slices, its map of the digit, and what it is worth alone."""
    maps = layer.activation_maps(pixels)[0].astype(np.float64).round(4)
    dead = layer.dead
    return [
        {
            "slices": [one.ravel().tolist() for one in layer.weights[place]],
            "map": maps[place].ravel().tolist(),
            "side": maps.shape[1],
            "dead": place in dead,
            "right": layer.num_correct_without((place,)),
        }
        for place in range(len(layer))
    ]


def _alike(layer: FilterAnalysis) -> dict[str, Any]:
    """The matrices, and the pairs whose maps go together most, in either direction."""
    bound = layer.correlation
    first, second = np.triu_indices(len(layer), 1)
    order = np.argsort(-np.abs(bound[first, second]), kind="stable")
    named = [(int(first[k]), int(second[k])) for k in order[:_PAIRS]]
    return {
        "correlation": np.round(bound, 4).tolist(),
        "cosine": np.round(layer.cosine, 4).tolist(),
        "pairs": [
            {
                "pair": [one, other],
                "correlation": float(bound[one, other]),
                "cosine": float(layer.cosine[one, other]),
            }
            for one, other in named
        ],
        "correlated": int((np.abs(bound[first, second]) >= CORRELATED).sum()),
        "threshold": CORRELATED,
    }


def _pair(layer: FilterAnalysis, chosen: int) -> dict[str, Any]:
    """The chosen filter and the one whose map goes with its own most: what they are worth."""
    bound = np.abs(layer.correlation[chosen])
    bound[chosen] = -1
    nearest = int(bound.argmax())
    both = (min(chosen, nearest), max(chosen, nearest))
    return {
        "nearest": nearest,
        "correlation": float(layer.correlation[chosen, nearest]),
        "cosine": float(layer.cosine[chosen, nearest]),
        "without": [layer.num_correct_without(one) for one in ((chosen,), (nearest,), both)],
    }
