"""In which formats a network is exported, and why not in others."""

from collections.abc import Sequence
from typing import Literal, get_args

from convscope.conversion.candidates import choose_engines
from convscope.engines import EngineName
from convscope.errors import RequestError, nearest

FormatName = Literal["onnx", "openvino", "ncnn", "torch", "litert"]
FORMATS: tuple[FormatName, ...] = get_args(FormatName)

ENGINE_OF: dict[FormatName, EngineName] = {"openvino": "openvino", "ncnn": "ncnn"}
"""The only engine of a format; ONNX is read by several, and those of WITHOUT_ENGINE by none."""

WITHOUT_ENGINE: tuple[FormatName, ...] = ("torch", "litert")
"""Formats for other programs alone: `predict` and `serve` do not open them."""

_REFUSED = {
    "coreml": (
        "Core ML runs on Apple's systems alone: its answers cannot be compared here, and nothing "
        "unchecked is written. Take `format=torch`: on a Mac, coremltools 9 converts its model.pt2 "
        "by `ct.convert(torch.export.load(path).run_decompositions({}))`. It does not read ONNX."
    ),
}
_OTHER_NAMES = {
    "ir": "openvino", "pt2": "torch", "pytorch": "torch", "tflite": "litert", "mlmodel": "coreml",
    "mlpackage": "coreml",
}  # fmt: skip


def parse_formats(format: str | Sequence[str]) -> tuple[FormatName, ...]:  # noqa: A002
    """The formats that are named, by commas or one by one, in the order of FORMATS.

    Raises RequestError for what is none, or cannot be checked here.
    """
    texts = [format] if isinstance(format, str) else [*format]
    words = [word.strip().lower() for text in texts for word in text.split(",")]
    wanted = [_OTHER_NAMES.get(word, word) for word in words]
    for name in wanted:
        if name in _REFUSED:
            raise RequestError(_REFUSED[name])
        if name not in FORMATS:
            raise RequestError(
                f"`format` may be {', '.join(FORMATS)}, not {name!r}.{nearest(name, FORMATS)}"
            )
    return tuple(name for name in FORMATS if name in wanted)


def engines_for(formats: Sequence[FormatName], engine: str) -> tuple[EngineName, ...]:
    """The engines to try. Raises RequestError where one is not installed, or has no such format."""
    only: list[EngineName] = [ENGINE_OF[name] for name in formats if name in ENGINE_OF]
    if "onnx" in formats:
        found = choose_engines(engine)
        missing = [name for name in only if name not in found]
        return (*found, *(name for one in missing for name in choose_engines(one)))
    if engine != "auto":
        choose_engines(engine)
    if engine not in {"auto", *only}:
        raise RequestError(
            f"`engine={engine}` does not run what `format={','.join(formats)}` writes; add onnx to "
            "it."
        )
    return tuple(name for one in only for name in choose_engines(one))
