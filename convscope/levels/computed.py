"""Computed pictures that excite filters of levels most."""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convscope.features.unit_layers import UnitLayer
from convscope.inference import eval_with_gradients
from convscope.levels.decomposition import value_number
from convscope.models import OpenedModel
from convscope.recording import ForwardPass
from convscope.synthesis.ascent import AscentSettings, ascend, to_input
from convscope.synthesis.layer_outputs import OUTPUT, find_outputs
from convscope.synthesis.picture import to_bytes
from convscope.synthesis.targets import Target

_TOGETHER = 16  # pictures in one batch

Place = tuple[int, int]
"""A level, and a filter of it."""


def compute_pictures(
    opened: OpenedModel,
    recorded: ForwardPass,
    wanted: Sequence[tuple[int, UnitLayer, Sequence[int]]],
    steps: int,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Mapping[Place, NDArray[np.uint8]]:
    """The picture (h, w, 3) of each filter that is wanted, by its level and number.

    Left out are filters of which no module returns the values, and those that nothing excites.
    """
    with eval_with_gradients(opened.net, of_weights=False):
        targets = _targets(opened, recorded, wanted)
        places = list(targets)
        total, done = len(places) * steps, 0
        found: dict[Place, NDArray[np.uint8]] = {}
        for start in range(0, len(places), _TOGETHER):
            some = places[start : start + _TOGETHER]

            def step(_pixels: Tensor, count: int = len(some)) -> None:
                nonlocal done
                done += count
                on_progress(done, total)

            chosen = [targets[place] for place in some]
            made = ascend(
                opened.net, opened.card, chosen, AscentSettings(steps=steps), on_step=step
            )
            pixels = to_bytes(made.pixels).expand(-1, -1, -1, 3).numpy()
            for number, place in enumerate(some):
                if bool(made.has_moved[number]):
                    found[place] = pixels[number]
    return found


def _targets(
    opened: OpenedModel,
    recorded: ForwardPass,
    wanted: Sequence[tuple[int, UnitLayer, Sequence[int]]],
) -> dict[Place, Target]:
    device = next((p.device for p in opened.net.parameters()), torch.device("cpu"))
    gray = torch.full((1, opened.card.in_channels, *opened.card.input_size), 0.5, device=device)
    with torch.no_grad():
        outputs = find_outputs(opened.net, to_input(gray, opened.card))
    targets: dict[Place, Target] = {}
    for level, layer, filters in wanted:
        source = recorded.operations[layer.number]
        value = recorded.operations[value_number(recorded.operations, layer)]
        is_output = source.name == recorded.output
        names = [value.name, re.sub(r"_\d+$", "", source.name), source.module]
        fitting = [
            name for name in names if name in outputs and outputs[name].shape == source.shape
        ]
        module = OUTPUT if is_output else next(iter(fitting), None)
        if module is None or len(source.shape) not in (2, 4):
            continue
        kind = "class" if is_output else "channel" if len(source.shape) == 4 else "unit"
        for number in filters:
            targets[level, number] = Target(module, (number,), f"{layer.name}[{number}]", kind)
    return targets
