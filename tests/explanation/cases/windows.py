"""What slides a window of weights over the maps, against slow loops."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from convscope.layers import LocallyConnected2d, SparseConnectionConv2d
from tests.explanation.cases.case import Case, Net, numbers, random_tensor
from tests.reference import explanations as reference
from tests.reference import layers as slow

NUMPY_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def slid(x, net, y):
    """The convolution of an image that numpy padded."""
    ends = []
    for axis, (kernel, dilation) in enumerate(zip(net.kernel_size, net.dilation, strict=True)):
        if net.padding == "same":
            lacking = dilation * (kernel - 1)
            ends.append((lacking // 2, lacking - lacking // 2))
        else:
            ends.append((0, 0) if net.padding == "valid" else (net.padding[axis],) * 2)
    padded = np.pad(x, ((0, 0), (0, 0), *ends), mode=NUMPY_MODES[net.padding_mode])
    return reference.convolution(
        padded,
        numbers(net.weight),
        numbers(net.bias),
        y.shape,
        stride=net.stride,
        padding=(0,) * len(ends),
        dilation=net.dilation,
        groups=net.groups,
    )


def stamped(x, net, y):
    return reference.transposed_convolution(
        x,
        numbers(net.weight),
        numbers(net.bias),
        y.shape,
        stride=net.stride,
        padding=net.padding,
        dilation=net.dilation,
        groups=net.groups,
    )


def sliding(layer, expected, kind, image, *args, **settings):
    words = ", ".join([*map(str, args), *(f"{k}={v}" for k, v in settings.items())])
    return Case(kind, lambda: layer(*args, **settings), "sum", expected, image, words)


def conv2d(image, *args, **settings):
    return sliding(nn.Conv2d, slid, "conv2d", image, *args, **settings)


def transposed2d(*args, **settings):
    return sliding(nn.ConvTranspose2d, stamped, "conv_transpose2d", (4, 3, 4), *args, **settings)


WINDOWS = [
    conv2d((3, 5, 6), 3, 4, 3),
    conv2d((3, 5, 6), 3, 4, 3, bias=False, padding=1),
    conv2d((1, 5, 6), 1, 1, 2),
    conv2d((4, 5, 6), 4, 6, 3, groups=2, padding=(2, 1)),
    conv2d((3, 5, 6), 3, 6, 3, groups=3, padding=1, stride=2),
    conv2d((3, 7, 6), 3, 2, (3, 2), stride=(2, 1), padding=(0, 1), dilation=(2, 3)),
    conv2d((2, 7, 8), 2, 2, (1, 3), stride=(1, 3)),
    conv2d((2, 5, 6), 2, 2, 3, padding="same"),
    conv2d((2, 5, 6), 2, 2, (4, 2), padding="same"),
    conv2d((2, 7, 6), 2, 2, (3, 2), padding="same", dilation=(2, 3)),
    conv2d((2, 5, 6), 2, 2, 3, padding="valid"),
    conv2d((2, 5, 6), 2, 2, (3, 5), padding=(1, 2), padding_mode="zeros"),
    conv2d((2, 5, 6), 2, 2, (3, 5), padding=(1, 2), padding_mode="reflect"),
    conv2d((2, 5, 6), 2, 2, (3, 5), padding=(1, 2), padding_mode="replicate"),
    conv2d((2, 5, 6), 2, 2, (3, 5), padding=(1, 2), padding_mode="circular", stride=2),
    conv2d((2, 5, 6), 2, 2, (2, 4), padding="same", padding_mode="circular"),
    sliding(nn.Conv1d, slid, "conv1d", (4, 9), 4, 6, 3, groups=2, stride=2, padding=1),
    sliding(nn.Conv1d, slid, "conv1d", (2, 9), 2, 3, 4, dilation=2, padding="same"),
    sliding(nn.Conv3d, slid, "conv3d", (2, 3, 4, 5), 2, 3, (2, 3, 2), padding=(1, 0, 1), stride=2),
    sliding(nn.Conv3d, slid, "conv3d", (4, 3, 4, 5), 4, 4, 2, groups=4, dilation=(1, 2, 1)),
    transposed2d(4, 3, 3),
    transposed2d(4, 6, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2),
    transposed2d(4, 4, 3, stride=2, padding=2, dilation=(2, 1), groups=4, bias=False),
    transposed2d(4, 2, 3, stride=(3, 1), dilation=2, output_padding=1),
    sliding(
        nn.ConvTranspose1d,
        stamped,
        "conv_transpose1d",
        (2, 5),
        *(2, 4, 4),
        stride=2,
        padding=1,
        groups=2,
    ),
    sliding(
        nn.ConvTranspose3d,
        stamped,
        "conv_transpose3d",
        (2, 2, 3, 2),
        *(2, 2, 2),
        stride=(2, 1, 2),
        output_padding=(1, 0, 0),
    ),
]


def untied(x, net, _y):
    settings = {name: getattr(net, name) for name in ("stride", "padding", "dilation", "groups")}
    bias = None if net.bias is None else net.bias.double()
    return slow.locally_connected(torch.from_numpy(x), net.weight.double(), bias, **settings)


def linked(x, net, _y):
    return slow.table_convolution(
        torch.from_numpy(x),
        net.table,
        net.weight.detach().double(),
        torch.zeros(len(net.table)).double() if net.bias is None else net.bias.detach().double(),
        stride=net.stride,
        padding=net.padding,
    )


TABLE = [(0, 1), (2,), (0, 2, 3), (3, 1)]
OWN_WINDOWS = [
    Case("LocallyConnected2d", lambda: LocallyConnected2d(3, 4, (5, 6), 3), "sum", untied),
    Case(
        "LocallyConnected2d",
        lambda: LocallyConnected2d(
            *(4, 6, (5, 6), (3, 2)), stride=(2, 1), padding=1, dilation=(1, 2), groups=2, bias=False
        ),
        "sum",
        untied,
        (4, 5, 6),
        "groups, dilation",
    ),
    Case(
        "SparseConnectionConv2d",
        lambda: SparseConnectionConv2d(4, TABLE, 3),
        "sum",
        linked,
        (4, 5, 6),
    ),
    Case(
        "SparseConnectionConv2d",
        lambda: SparseConnectionConv2d(4, TABLE, (2, 3), stride=(1, 2), padding=(1, 2), bias=False),
        "sum",
        linked,
        (4, 5, 6),
        "padding",
    ),
]


def correlated(x, w, shape, padding=0):
    return reference.convolution(
        x, w, None, shape, stride=(1, 1), padding=(padding,) * 2, dilation=(1, 1)
    )


ODD_WINDOWS = [
    Case(
        "conv2d",
        lambda: Net(lambda x, w: F.conv2d(x[0], w), w=random_tensor(2, 3, 2, 3)),
        "sum",
        lambda x, net, y: correlated(x, numbers(net.w), (1, *y.shape))[0],
        words="without a batch",
    ),
    Case(
        "conv2d",
        lambda: Net(
            lambda x, w: F.conv2d(torch.cat([x, -x]), w, padding=1), w=random_tensor(2, 3, 3, 3)
        ),
        "sum",
        lambda x, net, y: correlated(np.concatenate([x, -x]), numbers(net.w), y.shape, 1),
        words="of two images that were one",
    ),
    Case(
        "conv2d",
        lambda: Net(lambda x: F.conv2d(x, x[:, :, :2, :2] * 0.5)),
        "sum",
        lambda x, _net, y: correlated(x, x[:, :, :2, :2] / 2, y.shape),
        words="with filters made of the image",
    ),
    Case(
        "max_pool2d",
        lambda: Net(lambda x: F.max_pool2d(x[0], 2)),
        "maximum",
        lambda x, _net, y: reference.extreme_pool(
            x, (1, *y.shape), kernel=(2, 2), stride=(2, 2), padding=(0, 0), dilation=(1, 1)
        )[0],
        words="without a batch",
    ),
]
