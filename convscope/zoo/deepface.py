"""DeepFace: Taigman, Yang, Ranzato & Wolf, 2014, "DeepFace: Closing the Gap to Human-Level
Performance in Face Verification", CVPR.

TABLE is Figure 2 of the paper in its notation: `32x11x11x3@142x142` is 32 filters of 11x11 on 3
channels, with the size of their maps for an image of 152x152; `4096d` is a dense layer of 4096
units. C is a convolution, M max pooling, L a locally connected layer, with different filters at
every position, and F a dense layer. The strides are from the text (M2) and from the sizes (L5). The
last window of M2 extends beyond the edge: 142 -> 71. A ReLU follows every layer with weights except
the last, and dropout the first dense layer (section 3.1); the paper does not give its probability,
here 0.5.

The text gives C3 filters of 9x9x16, which contradicts the 32 maps below it. The figure's sizes add
up to 118,923,774 parameters, where its caption says "more than 120 million".

Weights are initialized from N(0, 0.01²) and biases with 0.5 (section 5.2).
"""

from collections import OrderedDict
from functools import partial

from torch import nn

from convscope.arithmetic import output_size
from convscope.layers import LocallyConnected2d

TABLE = """
    layer   filters               stride
    C1      32x11x11x3@142x142         1
    M2      32x3x3x32@71x71            2
    C3      16x9x9x32@63x63            1
    L4      16x9x9x16@55x55            1
    L5      16x7x7x16@25x25            2
    L6      16x5x5x16@21x21            1
    F7      4096d                      .
    F8      4030d                      .
"""


def deepface(
    *,
    num_classes: int = 4030,
    in_channels: int = 3,
    input_size: tuple[int, int] = (152, 152),
    dropout: float = 0.5,
) -> nn.Sequential:
    """Build the network: images (n, in_channels, height, width) -> logits (n, num_classes).

    `num_classes` replaces the 4030 of the last row, the people in the paper's data. `input_size`
    may be anything from 72x72 up; the locally connected layers have filters for every position, so
    that the network then takes images of this size only.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels, size = in_channels, input_size
    *below, (f7, features, _), (f8, _, _) = (row.split() for row in TABLE.strip().splitlines()[1:])
    for name, cell, step in below:
        filters, kernel = (int(number) for number in cell.split("x")[:2])
        match name[0]:
            case "C":
                layers[name] = nn.Conv2d(channels, filters, kernel, int(step))
            case "M":
                layers[name] = nn.MaxPool2d(kernel, int(step), ceil_mode=True)
            case "L":
                layers[name] = LocallyConnected2d(channels, filters, size, kernel, stride=int(step))
            case _:
                raise ValueError(f"TABLE has a row the zoo cannot build: {name!r}")
        output = partial(output_size, kernel=kernel, stride=int(step), ceil_mode=name[0] == "M")
        channels, size = filters, (output(size[0]), output(size[1]))
        if name[0] != "M":
            layers[f"{name}_relu"] = nn.ReLU()
    units = int(features.removesuffix("d"))
    layers["flatten"] = nn.Flatten()
    layers |= {f7: nn.Linear(channels * size[0] * size[1], units), f"{f7}_relu": nn.ReLU()}
    layers |= {f"{f7}_dropout": nn.Dropout(dropout), f8: nn.Linear(units, num_classes)}
    net = nn.Sequential(layers)
    for name, parameter in net.named_parameters():
        if name.endswith("weight"):
            nn.init.normal_(parameter, std=0.01)
        else:
            nn.init.constant_(parameter, 0.5)
    return net
