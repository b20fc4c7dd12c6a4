"""The weights of the filters of convolutions, as the network holds them."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from convscope.features.filters.result import TWIN, FilterWeights, LayerFilters
from convscope.features.similarity import cosine_similarity
from convscope.recording import IMAGE, ForwardPass, Operation, Source, get_kind


def filters_of(recorded: ForwardPass, name: str, number: int) -> LayerFilters | None:
    """The filters of the convolution `name`; None where its weights are no parameter (k, c, h, w).

    That is so for weights that are computed first, as in weight standardization, for locally
    connected layers, which have a filter for each place, and for signals and volumes.
    """
    operation = next(own for own in recorded.operations if own.name == name)
    weight = _weight(operation, recorded.state)
    if weight is None:
        return None
    groups = operation.arguments.get("groups", 1)
    groups = groups if isinstance(groups, int) else 1
    if get_kind(operation.kind).rule == "transposed_convolution":  # (inputs, filters of a group)
        inputs, own, height, width = weight.shape
        by_group = weight.reshape(groups, inputs // groups, own, height, width)
        weight = by_group.swapaxes(1, 2).reshape(groups * own, inputs // groups, height, width)
    per_group = weight.shape[1]
    inputs = per_group * groups
    return LayerFilters(
        name=name,
        number=number,
        kernel=(weight.shape[2], weight.shape[3]),
        groups=groups,
        inputs=inputs,
        is_color=operation.operands == (IMAGE,) and inputs == 3 and groups == 1,
        filters=tuple(_filters(weight, groups)),
    )


def _weight(operation: Operation, state: Mapping[str, Tensor]) -> NDArray[np.float32] | None:
    if get_kind(operation.kind).rule not in ("convolution", "transposed_convolution"):
        return None
    source = operation.arguments.get("weight")
    if not isinstance(source, Source) or source.role != "state":
        return None
    weight = state[source.name].detach().float().cpu().numpy()
    return weight if weight.ndim == 4 else None


def _filters(weight: NDArray[np.float32], groups: int) -> Sequence[FilterWeights]:
    norms = np.sqrt(np.square(weight.astype(np.float64)).sum((1, 2, 3)))
    own, per_group = len(weight) // groups, weight.shape[1]
    found: list[FilterWeights] = []
    for group in range(groups):
        start = group * own
        cosines = cosine_similarity(weight[start : start + own])
        np.fill_diagonal(cosines, -2)
        best = cosines.argmax(1)
        for index in range(own):
            similarity = float(cosines[index, best[index]])
            is_known = own > 1 and norms[start + index] > 0
            found.append(
                FilterWeights(
                    filter=start + index,
                    weights=weight[start + index],
                    first_input=group * per_group,
                    norm=float(norms[start + index]),
                    twin=start + int(best[index]) if is_known and similarity >= TWIN else None,
                    similarity=similarity if is_known else None,
                )
            )
    return found
