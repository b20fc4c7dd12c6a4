"""Lesson: what the filters of a trained LeNet-5 have learned, and which of them are redundant."""

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
_PAIRS = 3  # pairs that are listed


@lru_cache(maxsize=4)
def layer_of(trained: Trained, name: str) -> FilterAnalysis:
    """The filters of a layer, with what is known of them kept."""
    return FilterAnalysis(
        trained.net, name, card=trained.card, train=trained.train, test=trained.test
    )


def _prepare(trained: Trained) -> None:
    """Compute once what every answer needs."""
    for name in LAYERS:
        layer = layer_of(trained, name)
        _filters(layer, trained.test[0][:1])
        _pair(layer, 0)
        layer.top_patches(0)


TRAINEE = BackgroundTraining(_prepare)


def compute(state: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the filters of one layer of a trained network, their maps, and their ablation.

    `state` has `layer` (of LAYERS), the chosen `filter`, the `digit` (0 to 9) whose maps are shown,
    and `removed`, the filters that are zeroed. While the network is being trained the answer has
    `ready` False, and `step` of `steps`. After that it has the `filters` with their slices, map and
    the number of correct test digits without this filter alone (`right`); `digits`; `alike`, the
    matrices of correlation and cosine similarity, and the most similar pairs; the `patches` that
    activate the chosen filter most; and how many of the `tested` digits are correct with all
    filters (`whole`), without those `removed`, and without the chosen filter, the one most similar
    to it, and both (`pair`).

    Raises RequestError for an invalid state, WorkError for a training that failed.
    """
    name = choice(state, "layer", LAYERS)
    digit = integer(state, "digit", 0, 9)
    requested = integer(state, "filter", 0, 119), _removed(state)
    trained = TRAINEE.trained()
    if trained is None:
        return {
            "ready": False,
            "data": DATA,
            "epochs": EPOCHS,
            "step": TRAINEE.step,
            "steps": TRAINEE.steps,
        }
    return describe(trained, name, chosen=requested[0], digit=digit, removed=requested[1])


def describe(
    trained: Trained, name: str, *, chosen: int, digit: int, removed: tuple[int, ...]
) -> dict[str, Any]:
    """The answer of `compute` for a network that is trained."""
    layer = layer_of(trained, name)
    chosen = min(chosen, len(layer) - 1)
    removed = tuple(index for index in removed if index < len(layer))
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
        "digits": [image[::2, ::2].ravel().tolist() for image in pixels],
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


def _removed(state: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the indices of the filters to remove, sorted and unique."""
    indices = state.get("removed")
    values = cast("list[object]", indices) if isinstance(indices, list) else [None]
    if any(isinstance(v, bool) or not isinstance(v, int) or not 0 <= v < 120 for v in values):
        raise RequestError(f"removed must be a list of filters, counted from 0, not {indices!r}.")
    return tuple(sorted(set(cast("list[int]", values))))


def _filters(layer: FilterAnalysis, pixels: Bytes) -> list[dict[str, Any]]:
    """Describe each filter: its slices, its map of the digit, and the accuracy without it."""
    maps = layer.activation_maps(pixels)[0].astype(np.float64).round(4)
    dead = layer.dead
    return [
        {
            "slices": [weights.ravel().tolist() for weights in layer.weights[index]],
            "map": maps[index].ravel().tolist(),
            "side": maps.shape[1],
            "dead": index in dead,
            "right": layer.num_correct_without((index,)),
        }
        for index in range(len(layer))
    ]


def _alike(layer: FilterAnalysis) -> dict[str, Any]:
    """Return the matrices, and the pairs with the largest correlation in magnitude."""
    correlation = layer.correlation
    first, second = np.triu_indices(len(layer), 1)
    order = np.argsort(-np.abs(correlation[first, second]), kind="stable")
    pairs = [(int(first[k]), int(second[k])) for k in order[:_PAIRS]]
    return {
        "correlation": np.round(correlation, 4).tolist(),
        "cosine": np.round(layer.cosine, 4).tolist(),
        "pairs": [
            {
                "pair": [one, other],
                "correlation": float(correlation[one, other]),
                "cosine": float(layer.cosine[one, other]),
            }
            for one, other in pairs
        ],
        "correlated": int((np.abs(correlation[first, second]) >= CORRELATED).sum()),
        "threshold": CORRELATED,
    }


def _pair(layer: FilterAnalysis, chosen: int) -> dict[str, Any]:
    """Compare the chosen filter with the most correlated one: the accuracy without either."""
    correlation = np.abs(layer.correlation[chosen])
    correlation[chosen] = -1
    nearest = int(correlation.argmax())
    both = (min(chosen, nearest), max(chosen, nearest))
    return {
        "nearest": nearest,
        "correlation": float(layer.correlation[chosen, nearest]),
        "cosine": float(layer.cosine[chosen, nearest]),
        "without": [layer.num_correct_without(gone) for gone in ((chosen,), (nearest,), both)],
    }
