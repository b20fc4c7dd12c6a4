"""Run a network once and note every operation: what it computed, from what, and where."""

from torch import Tensor, nn

from convscope.recording.kinds import KINDS, OVERWRITTEN, Kind, get_kind
from convscope.recording.operation import IMAGE, Call, Operation, Shape, Source
from convscope.recording.raw_operation import Pass
from convscope.recording.recorder import run_once

__all__ = [
    "IMAGE",
    "KINDS",
    "OVERWRITTEN",
    "Call",
    "Kind",
    "Operation",
    "Pass",
    "Shape",
    "Source",
    "get_kind",
    "operations",
    "run_once",
]


def operations(net: nn.Module, image: Tensor) -> tuple[Operation, ...]:
    """The operations of one forward pass over `image` (1, c, h, w) that it has a part in, in order.

    The network runs as it is, without gradients, and is left as it was. No numbers are kept, and on
    meta tensors nothing is computed but shapes.

        >>> import torch
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten())
        >>> done = operations(net, torch.zeros(1, 3, 5, 5))
        >>> [(step.name, step.kind, step.operands) for step in done]
        [('0', 'conv2d', ('image',)), ('1', 'relu', ('0',)), ('2', 'flatten', ('1',))]
    """
    done = run_once(net, image, wanted=lambda module, kind: False)
    return tuple(operation for operation in done.operations if operation.operands)
