"""The network in 8 bits: kept in the engines in which its accuracy stays."""

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from convscope.conversion.accuracy import Cost, ImageAnswers, normalized
from convscope.conversion.calibration import CalibrationImages
from convscope.conversion.candidates import Candidate, fastest_split, remove_files
from convscope.conversion.costly_layers import Layers, mend
from convscope.conversion.draft import Draft
from convscope.conversion.engine_files import write_engine_file
from convscope.conversion.float_kernels import float_kernels
from convscope.conversion.parity import Parity, Reference, measure_parity
from convscope.conversion.quantization import Placement, Quantizer
from convscope.conversion.rounding import Rounding
from convscope.engines import FILES, Engine, EngineName, is_installed, open_engine
from convscope.engines.footprint import Footprint, measure_footprint
from convscope.engines.splits import open_split
from convscope.engines.timing import time_engines
from convscope.errors import RequestError, WorkError
from convscope.exported.pixels import normalize
from convscope.exported.probabilities import answers_of

if TYPE_CHECKING:
    import onnx

MAX_DROP = 1.0
"""Points of accuracy that 8 bits may cost, where nothing else is said."""

PLACEMENTS: dict[EngineName, tuple[Placement, ...]] = {
    "onnxruntime": ("everywhere",),  # it has 8-bit kernels only where results are rounded, too
    "openvino": ("everywhere", "layers"),
}
"""What is tried in each engine that computes in 8 bits."""

_BATCH_TOLERANCE = 0.02
"""Kernels for batches may round otherwise: of the largest output."""


@dataclass(frozen=True, kw_only=True)
class _Quantization:
    """A network that is being quantized, and the images on which its accuracy is measured."""

    draft: Draft
    quantizer: Quantizer
    answers: ImageAnswers
    max_drop: float
    batch_size: int

    def cost(self, run: Engine) -> Cost:
        return self.answers.cost(self.answers.of_engine(run))

    def open_model(self, model: "onnx.ModelProto") -> Engine:
        return open_engine("onnxruntime", model.SerializeToString(), threads=self.draft.threads)


def check_int8(engines: Sequence[EngineName]) -> Sequence[EngineName]:
    """Those of the engines that compute in 8 bits. Raises RequestError where there is none."""
    found: list[EngineName] = [name for name in engines if name in PLACEMENTS]
    if not found:
        raise RequestError(
            f"`int8` has no kernels in {', '.join(engines)}; `engine` may be auto, "
            f"{', '.join(PLACEMENTS)}."
        )
    if not is_installed("onnxruntime"):
        raise RequestError(
            "onnxruntime, which `int8` needs, is not installed: `pip install 'convscope[export]'`."
        )
    return found


def quantize(
    draft: Draft,
    floats: Sequence[Candidate],
    images: CalibrationImages,
    *,
    max_drop: float,
    batch_size: int,
) -> tuple[Draft, list[Candidate]]:
    """Write a draft anew in 8 bits, and try it in the engines that agree in float32.

    Where that costs more than `max_drop` points, see `Cost`, the layers that cost most stay in
    float32.

    Raises WorkError where that does not help.
    """
    batches = list(normalized(images.calibration, draft))
    quantization = _Quantization(
        draft=draft,
        quantizer=Quantizer.calibrate(draft.graph, batches),
        answers=ImageAnswers.of(draft, images),
        max_drop=max_drop,
        batch_size=batch_size,
    )
    layers = mend(
        quantization.quantizer,
        quantization.open_model,
        quantization.cost,
        batches[0],
        max_drop=max_drop,
    )
    runners: dict[EngineName, Engine] = {
        one.engine: open_split(
            one.engine,
            draft.folder / FILES[one.engine],
            threads=draft.threads,
            batch_size=batch_size,
            split=one.split,
            spin=batch_size == 1,
        )
        for one in floats
    }
    rounded = draft.with_network(quantization.quantizer.quantize(float_layers=layers.kept))
    tried = (_best(quantization, rounded, name, run, layers) for name, run in runners.items())
    found = [candidate for candidate in tried if candidate is not None]
    if not found:
        raise WorkError(f"{', '.join(runners)} could not run the network in 8 bits.")
    return rounded, found


def _best(
    quantization: _Quantization, rounded: Draft, name: EngineName, in_float: Engine, layers: Layers
) -> Candidate | None:
    """The fastest of the placements in an engine that may be kept; else one with its problem.

    Its file replaces that in float32. All are timed in turn with the engine in float32. Each is
    first run in a process of its own, which an engine may end: OpenVINO 2026.4.1 was seen to do so
    with one network. None where it ends with every placement.
    """
    quantizer, card = quantization.quantizer, rounded.card
    shape = (quantization.batch_size, card.in_channels, *card.input_size)
    found: dict[Placement, Candidate] = {}
    runners: dict[str, Engine] = {"float32": in_float}
    with ExitStack() as stack:
        folders: dict[Placement, Path] = {
            placement: Path(stack.enter_context(TemporaryDirectory()))
            for placement in PLACEMENTS[name]
        }
        for placement, folder in folders.items():
            network = quantizer.quantize(placement=placement, float_layers=layers.kept)
            path = write_engine_file(name, folder, network)
            try:
                footprint = measure_footprint(name, path, threads=rounded.threads, shape=shape)
            except WorkError:
                continue
            runners[placement] = open_engine(
                name,
                path,
                threads=rounded.threads,
                batch_size=quantization.batch_size,
                spin=quantization.batch_size == 1,
            )
            found[placement] = _compared(
                quantization, rounded, name, runners[placement], layers, placement, path, footprint
            )
        if not found:
            remove_files(name, rounded.folder)
            return None
        times = time_engines(runners, card, batch_size=quantization.batch_size)
        best = min(found, key=lambda one: (found[one].problem != "", times[one].fastest_round))
        candidate = replace(found[best], times=times[best])
        if not candidate.problem:
            path = folders[best] / FILES[name]
            candidate, divided = _divided(candidate, path, runners[best], rounded, quantization)
            if candidate.split is not None:
                both: dict[str, Engine] = {"float32": in_float, best: divided}
                times = time_engines(both, card, batch_size=quantization.batch_size)
        remove_files(name, rounded.folder)
        for file in () if candidate.problem else folders[best].iterdir():
            shutil.move(file, rounded.folder / file.name)
    assert candidate.rounding is not None
    rounding = replace(candidate.rounding, float_seconds=times["float32"].fastest_round)
    return replace(candidate, times=times[best], rounding=rounding)


def _divided(
    candidate: Candidate, path: Path, whole: Engine, rounded: Draft, quantization: _Quantization
) -> tuple[Candidate, Engine]:
    """A candidate that takes batches whole, or in parts where it is faster so; and its engine."""
    name, batch_size = candidate.engine, quantization.batch_size
    split, engine = fastest_split(
        name, path, whole, rounded, batch_size=batch_size, tolerance=_BATCH_TOLERANCE
    )
    if split is None:
        return candidate, whole
    shape = (batch_size, rounded.card.in_channels, *rounded.card.input_size)
    footprint = measure_footprint(name, path, threads=rounded.threads, shape=shape, split=split)
    return replace(candidate, split=split, footprint=footprint), engine


def not_faster(rounded: Sequence[Candidate], floats: Sequence[Candidate]) -> list[str]:
    """A sentence if lower precision brings no speed; both are sorted, the fastest first."""
    if rounded[0].seconds < floats[0].seconds:
        return []
    before, after = floats[0], rounded[0]
    bits = "8 bits" if after.rounding is None or after.rounding.precision == "int8" else "bf16"
    slower = (
        f"In {bits} the network is not faster here: {1000 * after.seconds:.2f} ms a batch, in "
        f"float32 {1000 * before.seconds:.2f} ms in {before.engine}."
    )
    return [slower]


def _compared(
    quantization: _Quantization,
    rounded: Draft,
    name: EngineName,
    run: Engine,
    layers: Layers,
    placement: Placement,
    path: Path,
    footprint: Footprint,
) -> Candidate:
    """Measure and compare a quantized network in an engine."""
    card = rounded.card
    answers = quantization.answers
    found = answers.of_engine(run)
    cost = answers.cost(found)
    reference = Reference.of(_OneByOne(run), card, rounded.reference.samples)
    image_engine = rounded.image_engine() if name == "onnxruntime" else None
    parity = measure_parity(
        reference,
        run,
        of_images=None if image_engine is None else reference.of_images(image_engine),
        tolerance=_BATCH_TOLERANCE,
    )
    rounding = Rounding(
        precision="int8",
        accuracy=cost.accuracy if cost.is_labeled else None,
        agreement=answers.agreement(found),
        worst=answers.worst(found),
        worst_of_files=rounded.reference.of_files(run).probabilities,
        placement=placement,
        float_layers=layers.kept,
        trials=layers.trials,
        float_kernels=float_kernels(name, path),
        images=answers.images.description,
    )
    return Candidate(
        engine=name,
        parity=parity,
        footprint=footprint,
        golden=answers_of(run(normalize(rounded.golden, card)), card),
        problem=cost.problem(8, quantization.max_drop, name) or _problem(name, parity),
        rounding=rounding,
    )


def _problem(name: EngineName, parity: Parity) -> str:
    """Why a quantized network is not kept whose answers for images may be; empty if it is."""
    if not parity.holds:
        return (
            f"In {name} the network in 8 bits answers differently in a batch, by "
            f"{parity.logits:.1e} of its largest output, or from images of any size: by "
            f"{parity.probabilities:.1e} in a probability, {parity.levels:.1f} of 255 in the bytes."
        )
    return ""


class _OneByOne(nn.Module):
    """An engine as a network that computes one image at a time: what batches are compared with."""

    def __init__(self, run: Engine) -> None:
        super().__init__()
        self._run = run

    def forward(self, images: Tensor) -> Tensor:
        answers = [self._run(image[None].numpy()) for image in images.contiguous()]
        return torch.from_numpy(np.concatenate(answers))
