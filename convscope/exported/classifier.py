"""An exported network in an engine, ready to classify; PyTorch is not imported."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from convscope.boxes.detections import MAX_OVERLAP, MIN_SCORE, SHOWN, Detections
from convscope.boxes.suppression import detections
from convscope.card import Card
from convscope.engines import (
    FILES,
    Engine,
    EngineName,
    installed_version,
    is_installed,
)
from convscope.engines.splits import open_split
from convscope.errors import ConvscopeError, RequestError, WorkError
from convscope.exported.folder import ExportedModel
from convscope.exported.golden import GOLDEN, golden_difference, tolerance
from convscope.exported.pixels import normalize
from convscope.exported.probabilities import answers_of, probabilities
from convscope.predictions.decided import Answers, decide
from convscope.predictions.object_options import ObjectOptions
from convscope.regular_files import check_regular

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Classifier:
    """An exported network that is open in an engine.

    Attributes:
        model: its folder, with manifest and card.
        engine_name: which engine computes.
        engine: float32 (n, c, h, w) to what the network returns, (n, classes).
    """

    model: ExportedModel
    engine_name: EngineName
    engine: Engine

    @property
    def card(self) -> Card:
        return self.model.card

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Probabilities (n, classes) for bytes (n, height, width, channels) of the input's size,
        as `convscope.exported.pixels.fitted_pixels` reads them; see `answers_of` for boxes.
        """
        return answers_of(self._outputs(pixels), self.card)

    def answers(self, pixels: NDArray[np.uint8]) -> Answers:
        """What it answers for the same, by the rules of the card."""
        outputs = self._outputs(pixels)
        return decide(outputs, probabilities(outputs, self.card), self.card)

    def objects(
        self,
        pixels: NDArray[np.uint8],
        *,
        min_score: float = SHOWN,
        max_overlap: float = MAX_OVERLAP,
    ) -> list[Detections]:
        """The boxes that a network finds in each image of the same; see `detections`.

        Raises RequestError for a network that classifies.
        """
        if self.card.boxes is None:
            raise RequestError(f"{self.model.path} classifies whole images; it finds no boxes.")
        outputs = self._outputs(pixels)
        return detections(outputs, self.card.boxes, min_score=min_score, max_overlap=max_overlap)

    def answerer(self, options: ObjectOptions) -> Callable[[Bytes], Answers | list[Detections]]:
        """From the same to `answers`, or to those `objects` that options ask for."""
        if self.card.boxes is None:
            return self.answers
        return partial(
            self.objects, min_score=options.asked_score, max_overlap=options.most_overlap
        )

    def all_objects(self, pixels: NDArray[np.uint8]) -> list[Detections]:
        """The same with all boxes that have a score of MIN_SCORE or more."""
        return self.objects(pixels, min_score=MIN_SCORE)

    def _outputs(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.engine(normalize(pixels, self.card))


def open_classifier(
    folder: str | Path | ExportedModel,
    *,
    engine: str = "auto",
    threads: int | None = None,
    batch_size: int = 1,
    spin: bool = True,
) -> Classifier:
    """Open an exported network in an engine.

    Its files are compared with what was exported. Where the engine has another version than then,
    a few images that were exported with it must have the answers of then.

    Args:
        engine: "auto" is the fastest, as measured by `export`, of those that are installed here.
        threads: of the engine; by default as many as there are processors for this process.
        batch_size: images that will be classified at a time; several are divided as `export` found
            to be fastest.
        spin: whether threads may wait for one another at full speed, as where nothing else is to be
            done: not beside decoding.

    Raises RequestError for what is no exported network, was changed, or has no engine here, and
    WorkError where the answers differ.
    """
    model = folder if isinstance(folder, ExportedModel) else ExportedModel.open(Path(folder))
    name = _choose_engine(model, engine)
    _refuse_irregular(model.path / FILES[name])
    verification = _Verification(model, name)
    verification.start()  # reading the file takes as long as the engine needs to open it
    try:
        opened = open_split(
            name,
            model.path / FILES[name],
            threads=threads or default_threads(),
            batch_size=batch_size,
            split=model.split(name) if batch_size > 1 else None,
            precision=model.manifest["precision"],
            spin=spin,
        )
    except ConvscopeError:
        verification.finish()  # a file that was changed is the better reason
        raise
    verification.finish()
    classifier = Classifier(model=model, engine_name=name, engine=opened)
    if not _is_same_version(model, name):
        check_golden(classifier)
    return classifier


def default_threads() -> int:
    """The processors that this process may use, or fewer, as OMP_NUM_THREADS says."""
    stated = os.environ.get("OMP_NUM_THREADS", "")
    if stated.isdecimal() and int(stated) > 0:
        return int(stated)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_golden(classifier: Classifier) -> None:
    """Compare answers with those that were exported. Raises WorkError where they differ."""
    model, name = classifier.model, classifier.engine_name
    if GOLDEN not in model.manifest["files"]:
        return  # exported before there were any
    difference = golden_difference(model.verified(GOLDEN), name, classifier)
    allowed = tolerance(model.manifest["precision"])
    if difference is None or difference <= allowed:
        return
    before = model.manifest["made_with"].get(name, "another version")
    raise WorkError(
        f"{name} {installed_version(name)} answers otherwise than {name} {before}, in which "
        f"{model.path} was checked: a probability differs by {difference:.2g} (allowed: "
        f"{allowed:g}). `pip install '{name}=={before}'`, or export it again."
    )


def no_engine(path: Path) -> str:
    """Why nothing is classified by a folder that was exported for other programs alone."""
    return (
        f"{path} holds what other programs run; its README says how. Add onnx to `format` when you "
        "export the network, to classify images with it."
    )


def _choose_engine(model: ExportedModel, engine: str) -> EngineName:
    known = model.manifest["engines"]
    if not known:
        raise RequestError(no_engine(model.path))
    if engine != "auto":
        for name in known:
            if name == engine:
                installed_version(name)
                return name
        raise RequestError(
            f"{model.path} was not exported for {engine!r}; it has files for: {', '.join(known)}."
        )
    for name in known:
        if is_installed(name):
            return name
    if len(known) == 1:
        installed_version(known[0])
    raise RequestError(
        f"{model.path} runs in {' or '.join(known)}, and none of them is installed: `pip install "
        f"{known[0]}`."
    )


def _refuse_irregular(path: Path) -> None:
    try:
        check_regular(path)
    except OSError as error:
        raise RequestError(f"{path} could not be read: {error.strerror}.") from error


def _is_same_version(model: ExportedModel, name: EngineName) -> bool:
    """Whether the engine that is open is the one that the manifest names.

    What the package states of itself is asked first: to ask the installer takes much longer.
    """
    exported_with = model.manifest["made_with"].get(name)
    stated = getattr(sys.modules.get(name), "__version__", None)
    return stated == exported_with or installed_version(name) == exported_with


class _Verification(Thread):
    """Compares the files of an engine with the manifest, beside other work."""

    def __init__(self, model: ExportedModel, engine: EngineName) -> None:
        super().__init__(name="convscope-verify", daemon=True)
        self._model = model
        self._engine_name: EngineName = engine
        self._error: ConvscopeError | None = None

    def run(self) -> None:
        try:
            self._model.file(self._engine_name)
        except ConvscopeError as error:
            self._error = error

    def finish(self) -> None:
        """Wait for the end. Raises RequestError for a file that is missing or was changed."""
        self.join()
        if self._error is not None:
            raise self._error
