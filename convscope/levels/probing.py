"""How directly the classes can be read from each level."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import nn

from convscope.errors import RequestError
from convscope.features.probes import probes
from convscope.levels.result import Level
from convscope.levels.study import OnProgress
from convscope.models import ModelLike


def probe_levels(
    run: ModelLike,
    levels: Sequence[Level],
    *,
    model: str | nn.Module | None = None,
    trust: bool = False,
    data_dir: str | Path | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    threads: int | None = None,
    on_progress: OnProgress = lambda doing, done, total: None,
) -> tuple[list[Level], str]:
    """The levels of a run, those below the classes with a linear probe, as `probes` fits them.

    Where the run's images do not allow it, the levels as they are, with the reason.
    """
    try:
        found = probes(
            run,
            layers=[level.name for level in levels if not level.is_classes],
            model=model,
            trust=trust,
            data_dir=data_dir,
            batch_size=batch_size,
            device=device,
            threads=threads,
            on_progress=on_progress,
        )
    except RequestError as error:
        return list(levels), f"Without linear probes: {error}"
    by_layer = {probe.layer: probe for probe in found.layers}
    return [replace(level, probe=by_layer.get(level.name)) for level in levels], ""
