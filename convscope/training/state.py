"""All that a training must remember to go on as if it had never stopped."""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from convscope.errors import WorkError
from convscope.runs.tensor_file import TensorFile
from convscope.training.optimizer import Optimizer
from convscope.training.schedule import Plateau

VERSION = 1


@dataclass
class Counters:
    """Where a training is, in numbers.

    Attributes:
        step: steps done. epoch: epochs done. batch: steps done in this epoch.
        seconds: time spent so far, before and after every stop.
        seen, hits, loss_sum: of this epoch: images, those answered right, the sum of their losses.
        epoch_seconds: time spent in this epoch's steps.
        best: the best value of the metric and its loss; None before the first evaluation.
        stale: evaluations since the best.
        done: whether training has ended.
        engine: who computes the steps; empty before the first.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    seen: int = 0
    hits: int = 0
    loss_sum: float = 0.0
    epoch_seconds: float = 0.0
    best: tuple[float, float] | None = None
    stale: int = 0
    done: bool = False
    engine: str = ""
    plateau: Plateau = field(default_factory=Plateau)
    metrics: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


def pack(net: nn.Module, optimizer: Optimizer, counters: Counters) -> TensorFile:
    """Everything that decides the next step's bits: weights, optimizer, counters, random state."""
    tensors: dict[str, Tensor] = {f"model/{k}": v for k, v in net.state_dict().items()}
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_initialized():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    for name, values in optimizer.state.items():
        tensors |= {f"optimizer/{place}/{name}": value for place, value in enumerate(values)}
    return TensorFile(tensors, {"version": VERSION, "counters": _finite(asdict(counters))})


def unpack(stored: TensorFile, net: nn.Module, optimizer: Optimizer) -> Counters:
    """Put everything back where `pack` took it from, in the memory layout that it had.

    Raises WorkError for a state of another version or another network.
    """
    if stored.metadata.get("version") != VERSION:
        raise WorkError(
            f"The saved state has version {stored.metadata.get('version')}; this convscope reads "
            f"{VERSION}. Go on with the convscope that config.toml names."
        )
    weights = {k.removeprefix("model/"): v for k, v in stored.tensors.items() if k[:6] == "model/"}
    try:
        net.load_state_dict(weights)
        for name, values in optimizer.state.items():
            for place, value in enumerate(values):
                value.copy_(stored.tensors[f"optimizer/{place}/{name}"])
    except (RuntimeError, KeyError) as error:
        raise WorkError(f"The saved state is of another network: {error}") from error
    torch.set_rng_state(stored.tensors["random/cpu"])
    if "random/cuda" in stored.tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(stored.tensors["random/cuda"])
    numbers = dict(stored.metadata["counters"])
    plateau = dict(numbers.pop("plateau"))
    if plateau["best"] is None:
        del plateau["best"]
    if numbers["best"] is not None:
        numbers["best"] = tuple(numbers["best"])
    return Counters(**numbers, plateau=Plateau(**plateau))


def _finite(counters: dict[str, Any]) -> dict[str, Any]:
    """Strict JSON has no infinity: a plateau that has seen nothing has no best."""
    plateau = counters["plateau"]
    if plateau["best"] == float("inf"):
        plateau["best"] = None
    return counters
