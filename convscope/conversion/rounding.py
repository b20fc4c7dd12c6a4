"""What 8 or 16 bits cost and gain in an engine."""

from dataclasses import dataclass
from typing import Any

from convscope.conversion.quantization import Placement
from convscope.engines import Precision
from convscope.evaluation.paired import PairedAccuracy
from convscope.evaluation.paired_precision import PairedPrecision


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """A network in lower precision compared with the same network in float32.

    Attributes:
        precision: "int8" or "bf16".
        accuracy: before, as PyTorch has it, and after, of boxes average precision; None where no
            classes of images are known.
        agreement: the share of the same images that get the same answer; None without images.
        worst: the largest difference of a probability on them; None without images.
        worst_of_files: likewise, from image files of any size on.
        placement: where numbers are rounded to 8 bits; None in 16.
        float_layers: layers that stay in float32, for they cost too much in 8 bits.
        trials: how many networks were quantized to find these.
        float_kernels: what the engine computes in float32, by its own account.
        images: on which it was calibrated and measured.
        float_seconds: of a batch in float32 in the same engine, as `Candidate.seconds` is.
    """

    precision: Precision
    accuracy: PairedAccuracy | PairedPrecision | None
    agreement: float | None
    worst: float | None
    worst_of_files: float
    placement: Placement | None = None
    float_layers: tuple[str, ...] = ()
    trials: int = 0
    float_kernels: tuple[str, ...]
    images: str
    float_seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The facts as values of JSON."""
        accuracy = None if self.accuracy is None else self.accuracy.to_dict()
        return {**vars(self), "accuracy": accuracy}
