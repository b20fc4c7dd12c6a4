"""A head that finds boxes, on the body of a classification network.

The paper of YOLO trains a network on ImageNet first and then adds layers that find boxes (section
2.2, after Ren et al., 2015, "Object detection networks on convolutional feature maps").
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from convscope.boxes.coding import BoxCoding
from convscope.errors import RequestError
from convscope.forward import like_parameters
from convscope.inference import inference_mode
from convscope.zoo.yolo import ANCHORS, Anchors


def coding_of(net: nn.Module) -> BoxCoding | None:
    """What the outputs of a network that finds boxes mean: its `box_coding`; None for others."""
    coding = getattr(net, "box_coding", None)
    return coding if isinstance(coding, BoxCoding) else None


def with_box_head(
    net: nn.Module,
    *,
    num_classes: int,
    in_channels: int,
    input_size: tuple[int, int],
    anchors: Anchors = ANCHORS,
) -> nn.Sequential:
    """The body of a network, up to its last maps of more than one cell, and 1x1 filters on these.

    The layers of the body are those of `net` itself, with their names and weights, so that weights
    of the classification network fit them. `boxes` has 5 + num_classes filters for each anchor. The
    network's `box_coding` says what the outputs (n, channels·rows·columns) mean.

    Raises RequestError for a network that is not a sequence of layers, and for one without maps.

        >>> from convscope.zoo import create_model
        >>> net = with_box_head(
        ...     create_model("resnet20_cifar"), num_classes=10, in_channels=3, input_size=(64, 64)
        ... )
        >>> net.box_coding.grid, list(net._modules)[-3:]
        ((16, 16), ['conv4_3', 'boxes', 'flatten'])
    """
    if type(net) is not nn.Sequential:
        raise RequestError(
            f"A head for boxes is put on a sequence of layers, and {type(net).__name__} is none. "
            "Choose a network such as vgg16 or resnet18, or one that finds boxes: yolo_small."
        )
    shapes = _shapes(net, in_channels, input_size)
    last = next((name for name in reversed(shapes) if _is_map(shapes[name])), None)
    if last is None:
        raise RequestError(
            f"No layer of the network has maps of more than one cell for images of "
            f"{input_size[0]}x{input_size[1]}. Choose a larger `input_size`."
        )
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for name, layer in net.named_children():
        layers[name] = layer
        if name == last:
            break
    _, channels, rows, columns = shapes[last]
    coding = BoxCoding(
        name="anchors",
        grid=(rows, columns),
        num_classes=num_classes,
        num_boxes=len(anchors),
        anchors=tuple((float(height), float(width)) for height, width in anchors),
        loss="giou",
    )
    head = nn.Conv2d(channels, coding.channels, 1)
    nn.init.normal_(head.weight, std=0.01)
    nn.init.zeros_(head.bias)  # pyright: ignore[reportArgumentType] -- it has one
    layers |= {"boxes": head, "flatten": nn.Flatten()}
    found = nn.Sequential(layers)
    vars(found)["box_coding"] = coding
    if (creation := getattr(net, "creation", None)) is not None:
        vars(found)["creation"] = creation
    return found


def _shapes(
    net: nn.Sequential, in_channels: int, input_size: tuple[int, int]
) -> dict[str, tuple[int, ...]]:
    """The shape of what each layer of a sequence returns for one image."""
    shapes: dict[str, tuple[int, ...]] = {}
    x = like_parameters(net, torch.zeros(1, in_channels, *input_size))
    with inference_mode(net):
        for name, layer in net.named_children():
            x = layer(x)
            if not isinstance(x, Tensor):
                break
            shapes[name] = tuple(x.shape)
    return shapes


def _is_map(shape: tuple[int, ...]) -> bool:
    return len(shape) == 4 and shape[2] * shape[3] > 1
