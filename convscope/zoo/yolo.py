"""YOLO: Redmon, Divvala, Girshick & Farhadi, 2016, "You Only Look Once: Unified, Real-Time Object
Detection", CVPR, https://arxiv.org/abs/1506.02640.

TABLE has, side by side:

- `yolo`: Figure 3 of the paper, 24 convolutions and two dense layers, for 448x448: 271,703,550
  parameters. Convolutions have Σ k²·c·f + f = 60,155,968: conv1 9,472, conv2 110,784, the 4 of the
  third block 24,704 + 295,168 + 65,792 + 1,180,160, the 10 of the fourth 4·(131,328 + 1,180,160) +
  262,656 + 4,719,616, the 6 of the fifth 2·(524,800 + 4,719,616) + 2·9,438,208, and the last two
  2·9,438,208. fc1 has 7²·1024·4096 + 4096 = 205,524,992, fc2 4096·1470 + 1470 = 6,022,590.
- `fast`: Fast YOLO, 9 convolutions. The paper says no more of it than that; the filters are those
  of the configuration that was released with it (yolo-tiny.cfg): 45,089,374 parameters,
  25,168,800 of convolutions and 12,845,312 + 1,052,672 + 6,022,590 of dense layers.
- `released`: the configuration of the weights that were released later (yolov1.cfg). It differs
  from the paper: batch norm in place of biases, a locally connected layer of 256 filters in place
  of the first dense layer, and 3 boxes in a cell, so that there are 1715 outputs: 197,301,875.
- `classifier`: the network that is trained on ImageNet at first (section 2.2), the first 20
  convolutions, average pooling and a dense layer: 22,403,136 + 1,025,000 = 23,428,136.

`64@7x7/2+3` is 64 filters of 7x7, stride 2, padding 3; `2x2/2` max pooling; a number a dense layer,
`local` a locally connected one, `linear` a dense layer without an activation. All others with
weights are followed by a leaky ReLU of slope 0.1 (equation 2). The paper does not give its initial
weights; here they are those of He et al. (2015) for that slope.

The outputs are those of `convscope.boxes.coding`: of each of the 7x7 cells x, y, the square roots
of width and height (section 2.2), and the confidence of B boxes, then the C classes. The release
has another order, all classes of all cells first.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Literal

from torch import nn

from convscope.boxes.coding import BoxCoding
from convscope.layers import LocallyConnected2d
from convscope.zoo.cell_notation import POOLING, config_column, convolution, pooling

Config = Literal["yolo", "fast", "released", "classifier"]

TABLE = """
    layer     yolo             fast           released         classifier
    conv1     64@7x7/2+3       16@3x3+1       64@7x7/2+3       64@7x7/2+3
    pool1     2x2/2            2x2/2          2x2/2            2x2/2
    conv2     192@3x3+1        32@3x3+1       192@3x3+1        192@3x3+1
    pool2     2x2/2            2x2/2          2x2/2            2x2/2
    conv3     128@1x1          64@3x3+1       128@1x1          128@1x1
    pool3     .                2x2/2          .                .
    conv4     256@3x3+1        128@3x3+1      256@3x3+1        256@3x3+1
    pool4     .                2x2/2          .                .
    conv5     256@1x1          256@3x3+1      256@1x1          256@1x1
    pool5     .                2x2/2          .                .
    conv6     512@3x3+1        512@3x3+1      512@3x3+1        512@3x3+1
    pool6     2x2/2            2x2/2          2x2/2            2x2/2
    conv7     256@1x1          1024@3x3+1     256@1x1          256@1x1
    conv8     512@3x3+1        1024@3x3+1     512@3x3+1        512@3x3+1
    conv9     256@1x1          1024@3x3+1     256@1x1          256@1x1
    conv10    512@3x3+1        .              512@3x3+1        512@3x3+1
    conv11    256@1x1          .              256@1x1          256@1x1
    conv12    512@3x3+1        .              512@3x3+1        512@3x3+1
    conv13    256@1x1          .              256@1x1          256@1x1
    conv14    512@3x3+1        .              512@3x3+1        512@3x3+1
    conv15    512@1x1          .              512@1x1          512@1x1
    conv16    1024@3x3+1       .              1024@3x3+1       1024@3x3+1
    pool16    2x2/2            .              2x2/2            2x2/2
    conv17    512@1x1          .              512@1x1          512@1x1
    conv18    1024@3x3+1       .              1024@3x3+1       1024@3x3+1
    conv19    512@1x1          .              512@1x1          512@1x1
    conv20    1024@3x3+1       .              1024@3x3+1       1024@3x3+1
    conv21    1024@3x3+1       .              1024@3x3+1       .
    conv22    1024@3x3/2+1     .              1024@3x3/2+1     .
    conv23    1024@3x3+1       .              1024@3x3+1       .
    conv24    1024@3x3+1       .              1024@3x3+1       .
    local25   .                .              256@3x3+1        .
    avgpool   .                .              .                1x1
    fc1       4096             256-linear     outputs          classes
    fc2       outputs          4096           .                .
    fc3       .                outputs        .                .
    dropout   fc1              fc2            local25          .
"""

GRID = (7, 7)
SLOPE = 0.1

_BOXES = {"yolo": 2, "fast": 2, "released": 3}

Anchors = Sequence[tuple[float, float]]


def yolo(
    config: Config = "yolo",
    *,
    num_classes: int = 20,
    in_channels: int = 3,
    input_size: tuple[int, int] = (448, 448),
    dropout: float = 0.5,
) -> nn.Sequential:
    """Build one column: images (n, in_channels, height, width) -> outputs (n, 49·(5·B + classes)).

    `input_size` may be anything from 31x31 up (`fast`: 64x64): the first dense layer sees all of
    the last maps, and the grid has 7x7 cells for any of them. `dropout` follows the first dense
    layer, 0.5 in the paper (section 2.2). The network's `box_coding` says what its outputs mean.
    """
    cells = config_column(TABLE, config)
    dropped = cells.pop("dropout", None)
    coding = None
    if config != "classifier":
        boxes = _BOXES[config]
        coding = BoxCoding(name="yolo-2016", grid=GRID, num_classes=num_classes, num_boxes=boxes)
    width = num_classes if coding is None else coding.num_outputs
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels, size = in_channels, input_size
    for name, cell in cells.items():
        match name.rstrip("0123456789"):
            case "conv" | "local":
                channels, size = _filters(layers, name, cell, channels, size, config=config)
            case "pool":
                layers[name] = nn.MaxPool2d(2)
                size = pooling(cell).output_size(size)
            case "avgpool":
                layers[name], size = nn.AdaptiveAvgPool2d(1), (1, 1)
            case _:
                if "flatten" not in layers:
                    layers["flatten"], channels = nn.Flatten(), channels * math.prod(size)
                channels = _dense(layers, name, cell, channels, width)
        if name == dropped:
            layers[f"{name}_dropout"] = nn.Dropout(dropout)
    net = nn.Sequential(layers)
    _initialize(net)
    if coding is not None:
        vars(net)["box_coding"] = coding
    return net


def _filters(
    layers: OrderedDict[str, nn.Module],
    name: str,
    text: str,
    channels: int,
    size: tuple[int, int],
    *,
    config: Config,
) -> tuple[int, tuple[int, int]]:
    """Add a convolution or a locally connected layer; return its channels and map size."""
    cell = convolution(text)
    step: dict[str, Any] = {"stride": cell.stride, "padding": cell.padding}
    if name.startswith("local"):
        layers[name] = LocallyConnected2d(channels, cell.filters, size, cell.size, **step)
    else:
        is_normalized = config == "released"
        layers[name] = nn.Conv2d(channels, cell.filters, cell.size, **step, bias=not is_normalized)
        if is_normalized:
            layers[f"{name}_bn"] = nn.BatchNorm2d(cell.filters)
    layers[f"{name}_relu"] = nn.LeakyReLU(SLOPE)
    return cell.filters, cell.output_size(size)


def _dense(
    layers: OrderedDict[str, nn.Module], name: str, cell: str, channels: int, last: int
) -> int:
    """Add a dense layer; return its width."""
    if cell in ("outputs", "classes"):
        layers[name] = nn.Linear(channels, last)
        return last
    width, _, activation = cell.partition("-")
    layers[name] = nn.Linear(channels, int(width))
    if activation != "linear":
        layers[f"{name}_relu"] = nn.LeakyReLU(SLOPE)
    return int(width)


SMALL = """
    layer     yolo_small
    conv1     16@3x3+1
    pool1     2x2/2
    conv2     32@3x3+1
    pool2     2x2/2
    conv3     64@3x3+1
    pool3     2x2/2
    conv4     128@3x3+1
    conv5     128@3x3+1
    boxes     1x1
"""
"""A network of ours for images of 32 to 128 pixels, of no paper: fully convolutional, so that a
cell of the grid is 8x8 pixels, and with anchors, as in YOLO9000 (Redmon & Farhadi, 2017). Each
convolution but the last is followed by batch norm and a leaky ReLU. `boxes` are 1x1 filters, five
numbers and the classes for each anchor. For grayscale images, 10 classes and 2 anchors: 144 + 4,608
+ 18,432 + 73,728 + 147,456 = 244,368 weights of 3x3 filters, 2·368 of batch norm and 129·30 = 3,870
of `boxes`, together 248,974."""

ANCHORS: Anchors = ((0.25, 0.2), (0.4, 0.3))
"""(height, width) as shares of the image's, for objects of a quarter and two fifths of its height.
"""


def yolo_small(
    *,
    num_classes: int = 10,
    in_channels: int = 1,
    input_size: tuple[int, int] = (64, 64),
    anchors: Anchors = ANCHORS,
) -> nn.Sequential:
    """Build SMALL: images (n, in_channels, height, width) -> outputs (n, channels·rows·columns).

    rows and columns are those of the last maps, an eighth of the image's height and width, rounded
    down; channels are 5 + num_classes for each of the `anchors`. `input_size` may be anything from
    8x8 up.

        >>> yolo_small(anchors=[(0.5, 0.5)], input_size=(32, 48)).box_coding.grid
        (4, 6)
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels, size = in_channels, input_size
    for name, text in config_column(SMALL, "yolo_small").items():
        if name == "boxes":
            break
        if POOLING.fullmatch(text):
            layers[name], size = nn.MaxPool2d(2), pooling(text).output_size(size)
            continue
        cell = convolution(text)
        layers[name] = nn.Conv2d(
            channels, cell.filters, cell.size, padding=cell.padding, bias=False
        )
        layers[f"{name}_bn"] = nn.BatchNorm2d(cell.filters)
        layers[f"{name}_relu"] = nn.LeakyReLU(SLOPE)
        channels = cell.filters
    coding = BoxCoding(
        name="anchors",
        grid=size,
        num_classes=num_classes,
        num_boxes=len(anchors),
        anchors=tuple((float(height), float(width)) for height, width in anchors),
        loss="giou",
    )
    layers["boxes"] = nn.Conv2d(channels, coding.channels, 1)
    layers["flatten"] = nn.Flatten()
    net = nn.Sequential(layers)
    _initialize(net)
    nn.init.normal_(layers["boxes"].weight, std=0.01)
    vars(net)["box_coding"] = coding
    return net


def _initialize(net: nn.Sequential) -> None:
    """Draw weights from N(0, 2/((1 + slope²)·fan_in)), biases 0; the last layer's N(0, 0.01²)."""
    for layer in net:
        if isinstance(layer, nn.Conv2d | nn.Linear | LocallyConnected2d):
            if isinstance(layer, LocallyConnected2d):
                fan_in = layer.weight[0, 0, 0].numel()
                std = math.sqrt(2 / ((1 + SLOPE**2) * fan_in))
                nn.init.normal_(layer.weight, std=std)
            else:
                nn.init.kaiming_normal_(layer.weight, a=SLOPE)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    last = [layer for layer in net if isinstance(layer, nn.Linear)]
    if last:
        nn.init.normal_(last[-1].weight, std=0.01)
