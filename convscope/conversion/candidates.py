"""Engines that may run an exported network: which agree with PyTorch, and how fast each is."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.conversion.divergence import first_divergence
from convscope.conversion.draft import Draft
from convscope.conversion.parity import Parity, measure_parity
from convscope.conversion.sample_files import write_sample_files
from convscope.engines import (
    ENGINES,
    FILES,
    Engine,
    EngineName,
    installed_version,
    is_installed,
    open_engine,
)
from convscope.engines.timing import EngineTimes, time_engine
from convscope.errors import RequestError
from convscope.exported.pixels import normalize
from convscope.exported.probabilities import probabilities


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An engine that was tried.

    Attributes:
        parity: how exactly it agrees with PyTorch.
        times: how fast it is; None for one that does not agree.
        golden: its probabilities for the draft's golden images; None for one that does not agree.
        problem: what is wrong with it; empty for one that agrees.
    """

    engine: EngineName
    parity: Parity
    times: EngineTimes | None = None
    golden: NDArray[np.float64] | None = None
    problem: str = ""

    @property
    def seconds(self) -> float:
        """The median time of a batch."""
        return inf if self.times is None else self.times.p50

    def to_dict(self) -> dict[str, Any]:
        """The candidate as values of JSON."""
        return {**self.parity.to_dict(), **(self.times.to_dict() if self.times else {})}


def choose_engines(engine: str) -> Sequence[EngineName]:
    """The engines to try: all that are installed for "auto", else the one that is named.

    Raises RequestError where it is unknown, or none is installed.
    """
    if engine == "auto":
        found: list[EngineName] = [name for name in ENGINES if is_installed(name)]
        if not found:
            raise RequestError(
                "No engine is installed that could run an exported network: "
                "`pip install 'convscope[export]'`."
            )
        return found
    for name in ENGINES:
        if name == engine:
            installed_version(name)
            return (name,)
    raise RequestError(f"`engine` is {engine!r}; it may be auto, {', '.join(ENGINES)}.")


def try_engine(name: EngineName, draft: Draft, *, batch_size: int) -> Candidate:
    """Compare a draft with PyTorch in an engine, and time it if it agrees."""
    path = _file_of(name, draft)
    runner = open_engine(name, path, threads=draft.threads)
    with TemporaryDirectory() as samples:
        parity = measure_parity(
            draft.net,
            draft.card,
            runner,
            write_sample_files(Path(samples), draft.card.input_size),
            image_engine=draft.image_engine() if name == "onnxruntime" else None,
        )
    if not parity.holds:
        return Candidate(engine=name, parity=parity, problem=_disagreement(name, draft, parity))
    times = time_engine(runner, draft.card, batch_size=batch_size)
    golden = probabilities(runner(normalize(draft.golden, draft.card)), draft.card)
    return Candidate(engine=name, parity=parity, times=times, golden=golden)


def _file_of(name: EngineName, draft: Draft) -> Path:
    """The file that an engine opens; it is written if it is not there yet."""
    path = draft.folder / FILES[name]
    if name == "openvino":
        import openvino  # noqa: PLC0415 -- an extra

        converted: Any = openvino.Core().read_model(draft.network.SerializeToString())
        openvino.save_model(converted, str(path), compress_to_fp16=False)
    return path


def _disagreement(name: EngineName, draft: Draft, parity: Parity) -> str:
    shape = (2, draft.card.in_channels, *draft.card.input_size)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0))

    def open_part(model: bytes) -> Engine:
        return open_engine(name, model, threads=draft.threads)

    layer = first_divergence(
        draft.net, draft.network, images, open_part, tolerance=parity.tolerance
    )
    where = f"; the first layer that differs is {layer}" if layer else ""
    return (
        f"In {name} the exported network answers differently than in PyTorch: by "
        f"{parity.logits:.1e} of its largest output (allowed: {parity.tolerance:.0e}), by "
        f"{parity.probabilities:.1e} in a probability, and {parity.levels:.1f} of 255 in the bytes "
        f"of an image{where}."
    )
