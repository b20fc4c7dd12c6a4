"""A network written in every format that is wanted, each compared with PyTorch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convscope.conversion.bf16 import compute_in_bf16
from convscope.conversion.calibration import CalibrationImages
from convscope.conversion.candidates import Candidate, try_engines
from convscope.conversion.draft import IMAGES_FILE, MODEL_FILE, Draft
from convscope.conversion.formats import ENGINE_OF
from convscope.conversion.int8 import not_faster, quantize
from convscope.conversion.litert_file import write_litert_file
from convscope.conversion.openvino_images import write_image_ir
from convscope.conversion.parity import Parity
from convscope.conversion.settings import ExportSettings
from convscope.conversion.torch_file import write_torch_file
from convscope.errors import WorkError
from convscope.models import OpenedModel


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What was written into a folder.

    Attributes:
        draft: the folder, and the network.
        candidates: the engines that agree with PyTorch, the fastest first.
        torch: how exactly `model.pt2` agrees, if it was written.
        litert: how exactly `model.tflite` agrees, if it was written.
        more: further facts for `parity.json`, by format.
        problems: why other engines were not kept, and what else is worth telling.
    """

    draft: Draft
    candidates: tuple[Candidate, ...] = ()
    torch: Parity | None = None
    litert: Parity | None = None
    more: dict[str, Any] = field(default_factory=dict[str, Any])
    problems: tuple[str, ...] = ()

    def parity(self) -> dict[str, Any]:
        """The content of `parity.json`: what was compared, by engine or by format."""
        facts: dict[str, Any] = {one.engine: one.to_dict() for one in self.candidates}
        for name, parity in (("torch", self.torch), ("litert", self.litert)):
            if parity is not None:
                facts[name] = parity.to_dict()
        return facts | self.more


def convert(
    opened: OpenedModel, folder: Path, settings: ExportSettings, images: CalibrationImages | None
) -> Converted:
    """Write a network into a folder.

    Raises NetworkError where it cannot be written, WorkError where a format that was asked for does
    not answer as PyTorch does.
    """
    draft = Draft.of(
        opened,
        folder,
        threads=settings.threads,
        suppression=settings.check_boxes(opened.card),
    )
    torch = write_torch_file(draft) if "torch" in settings.formats else None
    litert = write_litert_file(draft) if "litert" in settings.formats else None
    if not settings.engines:
        return Converted(draft=draft, torch=torch, litert=litert)
    draft = draft.as_onnx(fold=settings.fold_filters)
    tried = try_engines(settings.engines, draft, batch_size=settings.batch_size)
    problems = [one.problem for one in tried if one.problem]
    candidates = _agreeing(tried, settings)
    in_float = candidates
    if settings.precision == "bf16":
        tried = compute_in_bf16(
            draft,
            candidates,
            images,
            max_drop=settings.max_drop,
            batch_size=settings.batch_size,
        )
    elif images is not None:
        draft, tried = quantize(
            draft,
            candidates,
            images,
            max_drop=settings.max_drop,
            batch_size=settings.batch_size,
        )
    if settings.precision != "float32":
        problems += [one.problem for one in tried if one.problem]
        candidates = _agreeing(tried, settings, problems)
        problems += not_faster(candidates, in_float)
    more: dict[str, Any] = {}
    if "openvino" in settings.formats and settings.precision == "float32":
        found, problem = write_image_ir(draft)
        problems += [problem] if problem else []
        more = {} if found is None else {"openvino_images": found.to_dict()}
    if "onnx" not in settings.formats:
        for name in (MODEL_FILE, IMAGES_FILE):
            (folder / name).unlink()
    return Converted(
        draft=draft,
        candidates=candidates,
        torch=torch,
        litert=litert,
        more=more,
        problems=tuple(problems),
    )


def _agreeing(
    tried: Sequence[Candidate], settings: ExportSettings, before: Sequence[str] = ()
) -> tuple[Candidate, ...]:
    """Those that may be kept, the fastest first.

    Raises WorkError where there is none, or one is not among them whose format was asked for.
    """
    found = sorted((one for one in tried if not one.problem), key=lambda one: one.seconds)
    wanted = {ENGINE_OF[name] for name in settings.formats if name in ENGINE_OF}
    missing = [one.problem for one in tried if one.problem and one.engine in wanted]
    if missing or not found:
        told = missing or [*before, *_problems(tried, before)]
        raise WorkError(f"{' '.join(told)} Nothing was written.")
    return tuple(found)


def _problems(tried: Sequence[Candidate], before: Sequence[str]) -> Iterator[str]:
    return (one.problem for one in tried if one.problem and one.problem not in before)
