"""Engines that may run an exported network: which agree with PyTorch, and how fast each is."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from convscope.conversion.divergence import first_divergence
from convscope.conversion.draft import MODEL_FILE, Draft
from convscope.conversion.engine_files import write_engine_file
from convscope.conversion.parity import FileDifferences, Parity, difference, measure_parity
from convscope.conversion.rounding import Rounding
from convscope.engines import (
    ENGINES,
    Engine,
    EngineName,
    files_of,
    installed_version,
    is_installed,
    open_engine,
)
from convscope.engines.footprint import Footprint, measure_footprint
from convscope.engines.splits import Split, open_split, possible_splits
from convscope.engines.timing import EngineTimes, noise, time_engines
from convscope.errors import RequestError, WorkError
from convscope.exported.pixels import normalize
from convscope.exported.probabilities import answers_of

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An engine that was tried.

    Attributes:
        parity: how exactly it agrees with PyTorch; None for one that could not run.
        times: how fast it is; None for one that does not agree.
        footprint: what it costs a process that does nothing else; None likewise.
        golden: its probabilities for the draft's golden images; None for one that does not agree.
        problem: what is wrong with it; empty for one that agrees.
        rounding: what 8 or 16 bits cost it; None in float32.
        split: how it divides batches; None if it is fastest with them whole.
    """

    engine: EngineName
    parity: Parity | None = None
    times: EngineTimes | None = None
    footprint: Footprint | None = None
    golden: NDArray[np.float64] | None = None
    problem: str = ""
    rounding: Rounding | None = None
    split: Split | None = None

    @property
    def seconds(self) -> float:
        """Of a batch, in the fastest round: other work on the machine only adds to it."""
        return inf if self.times is None else self.times.fastest_round

    def to_dict(self) -> dict[str, Any]:
        """The candidate as values of JSON."""
        parts = (self.parity, self.times, self.footprint)
        facts = {name: value for part in parts if part for name, value in part.to_dict().items()}
        if self.split is not None:
            facts["split"] = asdict(self.split)
        return (
            facts
            if self.rounding is None
            else {
                **facts,
                self.rounding.precision: self.rounding.to_dict(),
            }
        )


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


def try_engines(names: Sequence[EngineName], draft: Draft, *, batch_size: int) -> list[Candidate]:
    """Compare a draft with PyTorch in each engine, and time those that agree, in turn.

    Of the others, no file is left.
    """
    image_engine = draft.image_engine()
    of_images = None if image_engine is None else draft.reference.of_images(image_engine)
    tried: list[Candidate] = []
    runners: dict[EngineName, Engine] = {}
    shape = (batch_size, draft.card.in_channels, *draft.card.input_size)
    for name in names:
        try:
            path = write_engine_file(name, draft.folder, draft.graph)
            footprint = measure_footprint(name, path, threads=draft.threads, shape=shape)
            runner = open_engine(
                name, path, threads=draft.threads, batch_size=batch_size, spin=batch_size == 1
            )
            candidate = _compared(name, draft, runner, of_images)
            if not candidate.problem:
                assert candidate.parity is not None  # it was compared
                split, runners[name] = fastest_split(
                    name,
                    path,
                    runner,
                    draft,
                    batch_size=batch_size,
                    tolerance=candidate.parity.tolerance,
                )
                if split is not None:
                    footprint = measure_footprint(
                        name, path, threads=draft.threads, shape=shape, split=split
                    )
                candidate = replace(candidate, footprint=footprint, split=split)
        except (RequestError, WorkError) as error:
            candidate = Candidate(engine=name, problem=str(error))
        if candidate.problem:
            remove_files(name, draft.folder)
        tried.append(candidate)
    times = time_engines(runners, draft.card, batch_size=batch_size)
    return [replace(one, times=times.get(one.engine)) for one in tried]


def fastest_split(
    name: EngineName,
    path: Path,
    whole: Engine,
    draft: Draft,
    *,
    batch_size: int,
    tolerance: float,
) -> tuple[Split | None, Engine]:
    """How an engine computes a batch fastest, and the engine that does it so.

    None, and the engine itself, if it is not faster with parts, or its answers then differ by more
    than `tolerance` of the largest.
    """
    splits = possible_splits(name, batch_size=batch_size, threads=draft.threads)
    if not splits:
        return None, whole
    runners: dict[Split | None, Engine] = {None: whole}
    images = noise(draft.card, batch_size)
    expected = whole(images)
    for split in splits:
        runner = open_split(
            name, path, threads=draft.threads, batch_size=batch_size, split=split, spin=False
        )
        if difference(runner(images), expected) <= tolerance:
            runners[split] = runner
    times = time_engines(runners, draft.card, batch_size=batch_size)
    best = min(runners, key=lambda split: times[split].fastest_round)
    return best, runners[best]


def _compared(
    name: EngineName, draft: Draft, runner: Engine, of_images: FileDifferences | None
) -> Candidate:
    parity = measure_parity(draft.reference, runner, of_images=of_images)
    if not parity.holds:
        return Candidate(engine=name, parity=parity, problem=_disagreement(name, draft, parity))
    golden = answers_of(runner(normalize(draft.golden, draft.card)), draft.card)
    return Candidate(engine=name, parity=parity, golden=golden)


def remove_files(name: EngineName, folder: Path) -> None:
    """Remove what only this engine reads."""
    for file in files_of(name):
        if file != MODEL_FILE:
            (folder / file).unlink(missing_ok=True)


def _disagreement(name: EngineName, draft: Draft, parity: Parity) -> str:
    shape = (2, draft.card.in_channels, *draft.card.input_size)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0))

    def open_part(part: "onnx.ModelProto") -> Engine:
        with TemporaryDirectory() as folder:
            path = write_engine_file(name, Path(folder), part)
            return open_engine(name, path, threads=draft.threads)

    try:
        layer = first_divergence(
            draft.net,
            draft.graph,
            images,
            open_part,
            tolerance=parity.tolerance,
            without=draft.changed,
        )
    except (RequestError, WorkError):  # a part may be what an engine cannot run
        layer = None
    boxes = (
        f", by 1 - IoU = {parity.boxes:.1e} in a box"
        + (", with boxes that PyTorch has not or lacks" if parity.answers else "")
        if draft.card.boxes
        else ""
    )
    number = "score" if draft.card.boxes else "probability"
    where = f"; the first layer that differs is {layer}" if layer else ""
    return (
        f"In {name} the exported network answers differently than in PyTorch: by "
        f"{parity.logits:.1e} of its largest output (allowed: {parity.tolerance:.0e}), by "
        f"{parity.probabilities:.1e} in a {number}{boxes}, and {parity.levels:.1f} of 255 in the "
        f"bytes of an image{where}."
    )
