"""Which layers of a network are its levels."""

from collections.abc import Sequence

import numpy as np

from convscope.features.unit_layers import UnitLayer, find_layers
from convscope.recording import IMAGE, ForwardPass, Operation, get_kind

LEVELS = 4
"""At most so many levels below the classes."""

_FEWEST = 3  # below the classes, as far as there are as many layers


def cut_points(operations: Sequence[Operation], output: str) -> set[int]:
    """The numbers of operations through whose result every path from the image to the output goes.

    So each later value is computed from such a result and from parameters alone. In a residual
    network these are the sums, in GoogLeNet the concatenations.
    """
    numbers = {operation.name: number for number, operation in enumerate(operations)}
    numbers[IMAGE] = -1
    read_last = dict[int, int]()  # by the number of a result: the last operation that reads it
    waiting, needed = [numbers[output]], set[int]()
    while waiting:
        number = waiting.pop()
        if number in needed or number < 0:
            continue
        needed.add(number)
        for operand in operations[number].operands:
            own = numbers.get(operand)
            if own is not None:
                read_last[own] = max(read_last.get(own, own), number)
                waiting.append(own)
    found = set[int]()
    open_until = read_last.get(-1, -1)  # the last reader of anything that was computed before
    for number in sorted(needed):
        if open_until <= number:
            found.add(number)
        open_until = max(open_until, read_last.get(number, number))
    return found


def choose_levels(recorded: ForwardPass, names: Sequence[str] | None = None) -> list[UnitLayer]:
    """The layers that are levels, the lowest first and the classes last.

    By default the first convolution and the last one at each size of the maps, among those that are
    cut points after their activation; concatenations count too. Of more than four, four are taken
    evenly; where maps have one size throughout, three evenly. `names` chooses others.
    """
    operations = recorded.operations
    classes = find_layers(operations, [_scores(recorded)])[0]
    if names is not None:
        chosen = find_layers(operations, names)
    else:
        cuts = cut_points(operations, recorded.output)
        layers = [*_convolutions(operations), *_concatenations(operations, cuts)]
        candidates = [layer for layer in layers if layer.number in cuts]
        candidates.sort(key=lambda layer: layer.number)
        chosen = _by_size(candidates)
    below = [layer for layer in chosen if layer.number < classes.number]
    return [*sorted(below, key=lambda layer: layer.number), classes]


def _scores(recorded: ForwardPass) -> str:
    """The operation that returns the classes' scores: before a softmax, if there is one."""
    by_name = {operation.name: operation for operation in recorded.operations}
    name = recorded.output
    while name in by_name and get_kind(by_name[name].kind).rule == "softmax":
        name = by_name[name].operands[0]
    return name


def _convolutions(operations: Sequence[Operation]) -> list[UnitLayer]:
    return [layer for layer in find_layers(operations) if layer.type == "convolution"]


def _concatenations(operations: Sequence[Operation], cuts: set[int]) -> list[UnitLayer]:
    names = [
        operation.name
        for number, operation in enumerate(operations)
        if number in cuts and len(operation.operands) > 1 and len(operation.shape) == 4
        and get_kind(operation.kind).field == "concatenation"
    ]  # fmt: skip
    return find_layers(operations, names) if names else []


def _by_size(candidates: Sequence[UnitLayer]) -> list[UnitLayer]:
    last = {layer.shape[1:]: layer for layer in candidates}
    chosen = list(dict.fromkeys([*candidates[:1], *last.values()]))
    chosen.sort(key=lambda layer: layer.number)
    if len(chosen) < _FEWEST:
        chosen = _evenly(candidates, _FEWEST)
    return _evenly(chosen, LEVELS)


def _evenly(layers: Sequence[UnitLayer], count: int) -> list[UnitLayer]:
    """The first, the last, and others between them."""
    if len(layers) <= count:
        return list(layers)
    places = np.linspace(0, len(layers) - 1, count).round().astype(int)
    return [layers[place] for place in places]
