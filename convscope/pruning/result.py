"""What pruning a run did: accuracy, size, cost and speed, before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convscope.evaluation.paired import PairedAccuracy
from convscope.pruning.latency import Times
from convscope.runs.folder import Run


@dataclass(frozen=True)
class Size:
    """Parameters, and multiply-adds for one image."""

    parameters: int
    multiply_adds: int


@dataclass(frozen=True, eq=False)
class PruningResult:
    """A pruned run beside the one that it came from.

    Attributes:
        run: the new run.
        accuracy: of both on the same test images.
        without_training: the share of validation images right before pruning, and after it without
            fine-tuning; None where there are none.
        sizes: of the networks before and after.
        times: of the networks before and after on the CPU, by what computes and by batch size.
        filters: by layer, how many before and after.
        redundant, others: groups of filters removed as dead or twins, and for the budget.
        notes: caveats for the reader.
    """

    run: Run
    accuracy: PairedAccuracy
    without_training: tuple[float, float] | None
    sizes: tuple[Size, Size]
    times: Times
    filters: Mapping[str, tuple[int, int]]
    redundant: int
    others: int
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The figures as values of JSON."""
        return {
            "run": str(self.run.path),
            "accuracy": self.accuracy.to_dict(),
            "validation_accuracy_before_fine_tuning": self.without_training,
            "parameters": [size.parameters for size in self.sizes],
            "multiply_adds": [size.multiply_adds for size in self.sizes],
            "seconds_per_batch": {
                engine: {str(size): [each.to_dict() for each in pair] for size, pair in own.items()}
                for engine, own in self.times.items()
            },
            "filters": {layer: list(pair) for layer, pair in self.filters.items()},
            "redundant_groups": self.redundant,
            "other_groups": self.others,
            "notes": list(self.notes),
        }
