"""Network in Network: Lin, Chen & Yan, 2014, https://arxiv.org/abs/1312.4400.

A convolution followed by two of 1x1 is one mlpconv layer: a small network that slides. Each is
followed by a ReLU, even the last one, which has one map per class; their means are the logits. The
paper prints no sizes. TABLE has those that its authors published:

- `cifar`, the network of the paper's section 4.2, from the configuration that the paper refers to,
  https://github.com/mavenlin/cuda-convnet/blob/master/NIN/cifar-10_def (a later copy for Caffe has
  average pooling in pool2, where the paper and this file have max pooling): 966,986 parameters;
- `imagenet`, from Caffe's model zoo, https://gist.github.com/mavenlin/d802a5849de39225bcc6, with a
  single dropout layer: 7,595,176.

`192@5x5+2` is 192 filters of 5x5, padding 2; `3x3/2` is max pooling with stride 2, whose last
window may extend beyond the edge, as theirs does (32 -> 16, 54 -> 27); `0.5` is dropout. Weights
are initialized from N(0, std²) with the `std` of their row, biases with zero.

The paper prepares CIFAR-10 as maxout networks do: global contrast normalization, then ZCA whitening
fitted to the training images. With `whiten` both are the first layers of the network, so that they
are saved with it; without, images are prepared as for any other network.
"""

from collections import OrderedDict
from typing import Literal

from torch import nn

from convscope.layers import GlobalContrastNorm, ZCAWhitening
from convscope.zoo.cell_notation import config_column, convolution, pooling

Config = Literal["cifar", "imagenet"]

TABLE = """
    layer      cifar        cifar_std   imagenet     imagenet_std
    conv1      192@5x5+2    0.05        96@11x11/4   0.01
    cccp1      160@1x1      0.05        96@1x1       0.05
    cccp2      96@1x1       0.05        96@1x1       0.05
    pool1      3x3/2        .           3x3/2        .
    dropout1   0.5          .           .            .
    conv2      192@5x5+2    0.05        256@5x5+2    0.05
    cccp3      192@1x1      0.05        256@1x1      0.05
    cccp4      192@1x1      0.05        256@1x1      0.05
    pool2      3x3/2        .           3x3/2        .
    dropout2   0.5          .           .            .
    conv3      192@3x3+1    0.05        384@3x3+1    0.01
    cccp5      192@1x1      0.05        384@1x1      0.05
    cccp6      classes@1x1  0.05        384@1x1      0.05
    pool3      average      .           3x3/2        .
    dropout3   .            .           0.5          .
    conv4      .            .           1024@3x3+1   0.05
    cccp7      .            .           1024@1x1     0.05
    cccp8      .            .           classes@1x1  0.01
    pool4      .            .           average      .
"""


def nin(
    config: Config,
    *,
    num_classes: int,
    in_channels: int = 3,
    input_size: tuple[int, int] = (224, 224),
    whiten: bool = False,
) -> nn.Sequential:
    """Build one column: images (n, in_channels, height, width) -> logits (n, num_classes).

    Images may have any size from 4x4 up, from 39x39 in `imagenet`; with `whiten`, that of
    `input_size`. Raises RequestError for one that is too large to be whitened.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if whiten:
        shape = (in_channels, *input_size)
        layers |= {"gcn": GlobalContrastNorm(), "zca": ZCAWhitening(shape)}
    std = config_column(TABLE, f"{config}_std")
    channels = in_channels
    for name, text in config_column(TABLE, config).items():
        match name[:-1]:
            case "conv" | "cccp":
                cell = convolution(text.replace("classes", str(num_classes)))
                conv = nn.Conv2d(channels, cell.filters, cell.size, cell.stride, cell.padding)
                nn.init.normal_(conv.weight, std=float(std[name]))
                nn.init.zeros_(conv.get_parameter("bias"))
                layers |= {name: conv, f"{name}_relu": nn.ReLU()}
                channels = cell.filters
            case "pool" if text == "average":
                layers[name] = nn.AdaptiveAvgPool2d(1)
            case "pool":
                cell = pooling(text)
                layers[name] = nn.MaxPool2d(cell.size, cell.stride, ceil_mode=True)
            case "dropout":
                layers[name] = nn.Dropout(float(text))
            case _:
                raise ValueError(f"TABLE has a row the zoo cannot build: {name!r}")
    layers["flatten"] = nn.Flatten()
    return nn.Sequential(layers)
