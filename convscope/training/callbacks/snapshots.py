"""Pictures of a training: the first filters as they form, and the images that are most wrong."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convscope.data.loading import LoadedDataset
from convscope.evaluation.measure import EvaluationOutputs
from convscope.runs.tensor_file import TensorFile
from convscope.training.callbacks.layer_stats import crowded

STEPS = 8  # at which filters are kept
FILTERS = 96  # of a layer that are kept
WRONG = 12  # images


class Filters:
    """The filters of a network's first convolution at a few steps, evenly spread on a log scale.

    Attributes:
        kept: by step, ascending, at most STEPS times the filters (k, c, h, w).
        due: the step from which they should be taken again.
        changed: whether they were, since `stored` was asked.
    """

    def __init__(self, net: nn.Module, before: TensorFile | None, *, step: int) -> None:
        layers = dict[str, nn.Module](net.named_modules())
        self.name, self.layer = next(
            ((name, layer) for name, layer in layers.items() if isinstance(layer, nn.Conv2d)),
            ("", None),
        )
        self.kept: dict[int, Tensor] = {}
        self.changed = False
        if before is not None and self.layer and before.metadata.get("layer") == self.name:
            told = {int(name): filters for name, filters in before.tensors.items()}
            shape = self.layer.weight[:FILTERS].shape
            self.kept = {
                at: told[at] for at in sorted(told) if at <= step and told[at].shape == shape
            }
        self.take(step)

    def take(self, step: int) -> None:
        """Keep the filters as they are; those of a step that says least give way."""
        self.due = step + max(1, step // 2)
        if self.layer is None or step in self.kept:
            return
        weight = self.layer.weight.detach()[:FILTERS]
        self.kept[step] = weight.to("cpu", torch.float32, copy=True).contiguous()
        self.changed = True
        if len(self.kept) > STEPS:
            steps = list(self.kept)
            del self.kept[steps[crowded([math.log1p(one) for one in steps])]]

    def stored(self) -> TensorFile:
        self.changed = False
        tensors = {str(step): filters for step, filters in self.kept.items()}
        return TensorFile(tensors, {"layer": self.name, "steps": list(self.kept)})


def most_wrong(
    measured: EvaluationOutputs,
    indices: NDArray[np.int64],
    loaded: LoadedDataset,
    *,
    step: int,
    epoch: int,
) -> TensorFile:
    """The images with the largest losses, the largest first, as bytes (n, h, w, c).

    `measured` is what those at `indices` got.
    """
    worst = np.argsort(-measured.losses, kind="stable")[:WRONG]
    [pixels] = loaded.batch_source.batches([indices[worst]])
    dataset = loaded.dataset
    images = [
        {
            "index": int(indices[place]),
            "name": plain(dataset.images.key(int(indices[place]))),
            "is": plain(dataset.classes[dataset.labels[indices[place]]]),
            "said": plain(dataset.classes[measured.predicted[place]]),
            "probability": float(measured.confidence[place]),
            "loss": float(measured.losses[place]),
        }
        for place in worst
    ]
    return TensorFile({"pixels": pixels}, {"step": step, "epoch": epoch, "images": images})


def plain(name: str) -> str:
    """A name that can be written as text, also where a file's name holds what is none."""
    return name.encode("utf-8", "backslashreplace").decode()
