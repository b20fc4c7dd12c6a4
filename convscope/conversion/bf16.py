"""The network in bfloat16: the same file, which OpenVINO computes with 16-bit numbers."""

from collections.abc import Sequence
from dataclasses import replace

from convscope.conversion.accuracy import ImageAnswers
from convscope.conversion.calibration import CalibrationImages
from convscope.conversion.candidates import Candidate
from convscope.conversion.draft import Draft
from convscope.conversion.float_kernels import float_kernels
from convscope.conversion.parity import Parity, measure_parity
from convscope.conversion.rounding import Rounding
from convscope.engines import FILES, EngineName, installed_version, open_engine
from convscope.engines.footprint import measure_footprint
from convscope.engines.timing import time_engines
from convscope.errors import RequestError
from convscope.exported.pixels import normalize
from convscope.exported.probabilities import probabilities

BF16_TOLERANCE = 0.05
"""Of the largest output. A number in bfloat16 has 8 bits, and is rounded by up to 1/256 of itself;
roundings of the layers add up.
"""

_ENGINE: EngineName = "openvino"


def check_bf16(engines: Sequence[EngineName]) -> None:
    """Raises RequestError where no engine, or not this processor, computes in bfloat16."""
    if _ENGINE not in engines:
        raise RequestError(
            "OpenVINO alone computes in bf16 on a CPU: leave `engine` out, or take "
            "`engine=openvino`."
        )
    installed_version(_ENGINE)
    from convscope.engines.openvino_engine import has_bf16  # noqa: PLC0415 -- an extra

    if not has_bf16():
        raise RequestError(
            "This processor has no arithmetic in bf16 (AVX512_BF16, AMX, Arm's BF16): OpenVINO "
            "would compute in float32. Take `int8`, or export on one that has it."
        )


def compute_in_bf16(
    draft: Draft,
    floats: Sequence[Candidate],
    images: CalibrationImages | None,
    *,
    max_drop: float,
    batch_size: int,
) -> list[Candidate]:
    """Try the network of a draft, whose files OpenVINO reads, in bfloat16.

    Its answers are compared with PyTorch's in float32, on `images`, if there are any, its accuracy.
    """
    (before,) = (one for one in floats if one.engine == _ENGINE)
    path, card = draft.folder / FILES[_ENGINE], draft.card
    run, in_float = (
        open_engine(
            _ENGINE, path, threads=draft.threads, batch_size=batch_size, precision=precision
        )
        for precision in ("bf16", "float32")
    )
    runners = {"bf16": run, "float32": in_float}
    parity = measure_parity(draft.reference, run, tolerance=BF16_TOLERANCE)
    times = time_engines(runners, card, batch_size=batch_size)
    answers = None if images is None else ImageAnswers.of(draft, images)
    found = None if answers is None else answers.of_engine(run)
    cost = None if answers is None or found is None else answers.cost(found)
    rounding = Rounding(
        precision="bf16",
        accuracy=cost.accuracy if cost is not None and cost.is_labeled else None,
        agreement=None if answers is None or found is None else answers.agreement(found),
        worst=None if answers is None or found is None else answers.worst(found),
        worst_of_files=parity.probabilities,
        float_kernels=float_kernels(_ENGINE, path, "bf16"),
        images="No labeled images: accuracy was not measured."
        if images is None
        else images.measurement,
        float_seconds=times["float32"].fastest_round,
    )
    shape = (batch_size, card.in_channels, *card.input_size)
    candidate = replace(
        before,
        parity=parity,
        times=times["bf16"],
        footprint=measure_footprint(
            _ENGINE, path, threads=draft.threads, shape=shape, precision="bf16"
        ),
        golden=probabilities(run(normalize(draft.golden, card)), card),
        rounding=rounding,
        split=None,  # batches were timed whole
        problem=("" if cost is None else cost.problem(16, max_drop, _ENGINE)) or _problem(parity),
    )
    return [candidate]


def _problem(parity: Parity) -> str:
    """Why a network is not kept whose answers for images may be; empty if it is."""
    if not parity.holds:
        return (
            f"In bf16 {_ENGINE} answers differently than PyTorch: by {parity.logits:.1e} of its "
            f"largest output, {parity.probabilities:.1e} in a probability (allowed: "
            f"{parity.tolerance:g})."
        )
    return ""
