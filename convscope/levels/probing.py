"""How directly the classes can be read from each level."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from convscope.data.source import DataLike
from convscope.errors import RequestError
from convscope.features.layer_pass import LayerPass
from convscope.features.probes import probe_layers
from convscope.levels.result import Level
from convscope.levels.study import OnProgress
from convscope.models import OpenedModel


def probe_levels(
    opened: OpenedModel,
    data: DataLike | None,
    levels: Sequence[Level],
    *,
    data_dir: str | Path | None = None,
    batch_size: int | None = None,
    device: torch.device,
    on_progress: OnProgress = lambda doing, done, total: None,
) -> tuple[list[Level], str]:
    """The levels, those below the classes with linear probes, as `probes` fits them.

    They are fitted to the train split of the run's own data, or of `data`, and tested on the test
    split. Where the images do not allow it, the levels as they are, with the reason.
    """
    names = [level.name for level in levels if not level.is_classes]
    try:
        layer_pass = LayerPass(opened.net, opened.card, names, batch_size=batch_size, device=device)
        found = probe_layers(opened, layer_pass, data, data_dir=data_dir, on_progress=on_progress)
    except RequestError as error:
        return list(levels), f"Without linear probes: {error}"
    return [replace(level, probes=found.of(level.name)) for level in levels], ""
