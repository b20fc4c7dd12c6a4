"""What 8 bits cost and gain in an engine."""

from dataclasses import dataclass
from typing import Any

from convscope.conversion.quantization import Placement
from convscope.evaluation.paired import PairedAccuracy


@dataclass(frozen=True, kw_only=True)
class Rounding:
    """A quantized network compared with the same network in float32.

    Attributes:
        accuracy: before, as PyTorch has it, and after.
        agreement: the share of the same images that get the same answer.
        worst: the largest difference of a probability on them.
        worst_of_files: likewise, from image files of any size on.
        placement: where numbers are rounded.
        float_layers: layers that stay in float32, for they cost too much in 8 bits.
        trials: how many networks were quantized to find these.
        float_kernels: what the engine computes in float32, by its own account.
        images: on which it was calibrated and measured.
        float_seconds: of a batch in float32 in the same engine, as `Candidate.seconds` is.
    """

    accuracy: PairedAccuracy
    agreement: float
    worst: float
    worst_of_files: float
    placement: Placement
    float_layers: tuple[str, ...]
    trials: int
    float_kernels: tuple[str, ...]
    images: str
    float_seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """The facts as values of JSON."""
        return {**vars(self), "accuracy": self.accuracy.to_dict()}
