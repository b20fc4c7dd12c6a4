"""Run a network once and record every operation: what it computed, from what, and where."""

from torch import Tensor, nn

from convscope.recording.kinds import INPLACE_UPDATE, KINDS, Kind, get_kind
from convscope.recording.operation import IMAGE, Call, Operation, Shape, Source
from convscope.recording.raw_operation import ForwardPass
from convscope.recording.recorder import run_once

__all__ = [
    "IMAGE",
    "INPLACE_UPDATE",
    "KINDS",
    "Call",
    "ForwardPass",
    "Kind",
    "Operation",
    "Shape",
    "Source",
    "get_kind",
    "operations",
    "run_once",
]


def operations(net: nn.Module, image: Tensor) -> tuple[Operation, ...]:
    """The operations of one forward pass that depend on `image` (1, c, h, w), in order.

    The network runs as it is, without gradients, and is left as it was. No values are kept, and on
    meta tensors only shapes are computed.

        >>> import torch
        >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten())
        >>> done = operations(net, torch.zeros(1, 3, 5, 5))
        >>> [(step.name, step.kind, step.operands) for step in done]
        [('0', 'conv2d', ('image',)), ('1', 'relu', ('0',)), ('2', 'flatten', ('1',))]
    """
    done = run_once(net, image, should_keep=lambda module, kind: False)
    return tuple(operation for operation in done.operations if operation.operands)
