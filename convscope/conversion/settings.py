"""What `export` is asked for, checked before any work."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch

from convscope.card import Card
from convscope.conversion.bf16 import check_bf16
from convscope.conversion.box_graph import SuppressionPlace, parse_suppression
from convscope.conversion.calibration import CalibrationImages, calibration_images
from convscope.conversion.formats import (
    WITHOUT_ENGINE,
    FormatName,
    engines_for,
    parse_formats,
)
from convscope.conversion.int8 import MAX_DROP, check_int8
from convscope.conversion.litert_file import litert_command
from convscope.engines import EngineName, Precision
from convscope.errors import RequestError
from convscope.models import OpenedModel

_OTHER_NAMES = {"bfloat16": "bf16", "fp32": "float32", "f32": "float32"}


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """How a network is exported.

    Attributes:
        formats: what is written, at least one.
        engines: those that are tried; none for what other programs alone run.
        precision: of the numbers that engines compute with.
        calibration: a folder of images for lower precision; None: the run's own.
        max_drop: points of accuracy that a lower precision may cost; where classes are not known,
            answers of 100 that may change.
        fold_filters: whether filters that make no difference are taken out.
        batch_size: images at a time, for which engines are timed.
        threads: of the engines.
        suppression: of boxes, see `convscope.conversion.box_graph`; None where it is not stated.
    """

    formats: tuple[FormatName, ...]
    engines: tuple[EngineName, ...]
    precision: Precision = "float32"
    calibration: str | Path | None = None
    max_drop: float = MAX_DROP
    fold_filters: bool = False
    batch_size: int = 1
    threads: int = 1
    suppression: str | None = None

    @classmethod
    def asked(
        cls,
        *,
        format: str | Sequence[str] | None,  # noqa: A002
        engine: str,
        precision: str | None,
        int8: bool,
        calibration: str | Path | None,
        max_drop: float | None,
        fold_filters: bool,
        batch_size: int,
        threads: int | None,
        suppression: str | None,
    ) -> "ExportSettings":
        """Raises RequestError for what cannot be, or does not go together."""
        chosen = _precision(precision, int8=int8)
        usual = "openvino" if chosen == "bf16" else "onnx"
        formats = parse_formats(usual if format is None else format)
        engines = engines_for(formats, engine)
        if "litert" in formats:
            litert_command()
        unchanged = [name for name in formats if name in WITHOUT_ENGINE]
        if unchanged and (fold_filters or chosen != "float32"):
            what = "fold_filters" if fold_filters else "precision"
            raise RequestError(
                f"`{what}` changes no file of {unchanged[0]}: leave {unchanged[0]} out of `format`."
            )
        _check_accuracy(chosen, calibration, max_drop)
        if chosen == "int8":
            engines = check_int8(engines)
        if chosen == "bf16":
            if formats != ("openvino",):
                raise RequestError("`precision=bf16` is for `format=openvino` alone.")
            check_bf16(engines)
        return cls(
            formats=formats,
            engines=tuple(engines),
            precision=chosen,
            calibration=calibration,
            max_drop=MAX_DROP if max_drop is None else max_drop,
            fold_filters=fold_filters,
            batch_size=batch_size,
            threads=threads or torch.get_num_threads(),
            suppression=suppression,
        )

    def check_boxes(self, card: Card) -> SuppressionPlace:
        """Where boxes are suppressed.

        Raises RequestError for what a network that finds objects cannot be exported to, and for
        what is for such networks alone.
        """
        place = parse_suppression(self.suppression, card)
        if card.boxes is None:
            return place
        if self.precision == "bf16":
            raise RequestError(
                "`precision=bf16` is for networks that classify, and this one finds objects: take "
                "`int8`, or float32."
            )
        return place

    def images(self, opened: OpenedModel) -> CalibrationImages | None:
        """Those on which a lower precision is measured; None where there is nothing to measure.

        Raises RequestError where 8 bits need some, and there are none.
        """
        has_some = opened.run is not None or self.calibration is not None
        if self.precision == "float32" or (self.precision == "bf16" and not has_some):
            return None
        return calibration_images(opened, self.calibration)

    @property
    def suffix(self) -> str:
        """What is added to the name of a folder, where it is not what `predict` takes for a run."""
        kinds = () if "onnx" in self.formats else self.formats
        precisions = () if self.precision == "float32" else (self.precision,)
        return "".join(f"-{word}" for word in (*kinds, *precisions))


def _precision(precision: str | None, *, int8: bool) -> Precision:
    name = (
        "float32" if precision is None else _OTHER_NAMES.get(precision.lower(), precision.lower())
    )
    known: tuple[Precision, ...] = get_args(Precision)
    for one in known:
        if one == name:
            if int8 and precision is not None and one != "int8":
                raise RequestError(f"`int8` excludes `precision={one}`.")
            return "int8" if int8 else one
    raise RequestError(f"`precision` may be {', '.join(known)}, not {precision!r}.")


def _check_accuracy(
    precision: Precision, calibration: str | Path | None, max_drop: float | None
) -> None:
    if precision == "float32" and (calibration is not None or max_drop is not None):
        raise RequestError("`calibration` and `max_drop` are for `int8` or `precision=bf16`.")
    if max_drop is not None and not 0 <= max_drop <= 100:
        raise RequestError(f"`max_drop` is {max_drop:g}; it may be 0 to 100 points of accuracy.")
