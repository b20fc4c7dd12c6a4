"""Receptive fields of the zoo: the published sizes, and for every network the gradient itself."""

from collections import OrderedDict
from itertools import takewhile

import pytest
import torch
from torch import nn

from convscope import layers
from convscope.gradients import contiguous_gradients
from convscope.receptive import receptive_fields
from convscope.recording import operations
from convscope.zoo import ZOO, create_model
from convscope.zoo.convnext import LayerNorm2d
from tests.reference.families import each_network

# (network, options, layer) -> height and width of the field. AlexNet's at every layer; VGG, ResNet:
# Araujo, Norris & Sim, Distill 2019, and those of stride in the 3x3 by the same recursion.
PUBLISHED = [
    *[
        ("alexnet", {}, layer, size)
        for layer, size in zip(
            ["conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5"],
            (11, 19, 51, 67, 99, 131, 163, 195),
            strict=True,
        )
    ],
    ("lenet5", {}, "conv3", 32),
    ("vgg11", {}, "pool5", 150),
    ("vgg11_lrn", {}, "pool5", 150),
    ("vgg13", {}, "pool5", 156),
    ("vgg16_c", {}, "pool5", 156),
    ("vgg16", {}, "pool5", 212),
    ("vgg19", {}, "pool5", 268),
    ("resnet18", {}, "conv5_2", 435),
    ("resnet34", {}, "conv5_3", 899),
    ("resnet50", {}, "conv5_3", 427),
    ("resnet101", {}, "conv5_3", 971),
    ("resnet152", {}, "conv5_3", 1451),
    ("resnet50", {"stride_in_1x1": True}, "conv5_3", 483),
    ("resnet101", {"stride_in_1x1": True}, "conv5_3", 1027),
    ("resnet152", {"stride_in_1x1": True}, "conv5_3", 1507),
]


def fields(net, shape):
    done = operations(net.eval(), torch.zeros(shape, device="meta"))
    return done, receptive_fields(done, shape)


@pytest.mark.parametrize(("name", "options", "layer", "size"), PUBLISHED)
def test_fields_have_the_published_sizes(name, options, layer, size):
    with torch.device("meta"):
        net = create_model(name, **options)
    done, seen = fields(net, (1, ZOO[name].in_channels, *ZOO[name].input_size))
    last = [one.name for one in done if one.name.split(".")[0] == layer][-1]
    assert seen[last].size == (size, size)


def positive(net):
    """The body of a network in which every pixel that counts has a positive gradient.

    Pooling takes the mean, activations are left out, weights are positive and add up to about one.
    """
    if type(net) is nn.Sequential:  # without the dense layers, which weigh much and see everything
        body = takewhile(lambda child: not isinstance(child[1], nn.Flatten), net.named_children())
        net = nn.Sequential(OrderedDict(body))
    for module in list(net.modules()):
        for name, child in module.named_children():
            setattr(module, name, mild(child))
    net = (net.to_empty(device="cpu") if is_meta(net) else net).double().eval()
    for module in net.modules():
        for name, weight in module.named_parameters(recurse=False):
            fan = max(1, weight[0].numel()) if name == "weight" else 1
            nn.init.uniform_(weight, 0.5 / fan, 1.5 / fan)
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.dtype.is_floating_point:
                nn.init.constant_(buffer, float(name == "running_var"))
    return net


def is_meta(net):
    return all(weight.is_meta for weight in net.parameters())


def mild(layer):
    """A stand-in whose gradient is positive and touches the same pixels."""
    if isinstance(layer, nn.MaxPool2d | layers.MinPool2d):
        return nn.AvgPool2d(
            layer.kernel_size, layer.stride, layer.padding, ceil_mode=layer.ceil_mode
        )
    if isinstance(layer, nn.Hardsigmoid):
        return nn.Sigmoid()
    plain = (
        *(nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.GELU, nn.Tanh, layers.ScaledTanh),
        *(LayerNorm2d, nn.LayerNorm, layers.LocalResponseNorm, nn.LocalResponseNorm),
    )
    return nn.Identity() if isinstance(layer, plain) else layer


# Seconds of work and more. The others have one at least of each kind of graph.
LARGE = frozenset(
    (
        *("vgg11_lrn", "vgg11_bn", "resnet50", "resnet110_stochastic_depth", "wrn16_8"),
        *("resnext50_32x4d", "densenet40_12", "convnext_tiny", "fractalnet20"),
    )
)
# The last has a buffer of weights, before which every unit sees everything: see test_whitening.
PROVEN = each_network([name for name in ZOO if name != "nin_cifar_zca"], slow=LARGE)


@pytest.mark.parametrize("name", PROVEN)
def test_units_see_what_their_gradient_touches(name):
    entry = ZOO[name]
    height = max(entry.input_size[0], min(largest_field(name) + 33, 6 * entry.input_size[0], 600))
    size = (height, max(entry.min_size, 40))  # not square, so that mixed-up axes show
    with torch.device("cpu" if name == "lenet5_1998" else "meta"):  # whose table is a buffer
        net = positive(create_model(name, input_size=size))
    shape = (1, entry.in_channels, *size)
    image = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    done = operations(net, image.detach())
    made = {}
    for path, module in net.named_modules():
        if path:
            module.register_forward_hook(lambda _m, _x, y, path=path: made.update({path: y}))
    net(image)
    seen = receptive_fields(done, shape)
    probed = [one for one in done if one.name in made and min(one.shape[2:], default=1) > 1]
    middle, corners = (lambda side: side // 2), (lambda side: 0, lambda side: side - 1)
    early, half, late = (probed[len(probed) * part // 8] for part in (2, 4, 7))
    for one, place in [(early, middle), (half, middle), *((late, p) for p in (middle, *corners))]:
        y, x = map(place, one.shape[2:])
        here = made[one.name][0, :, y, x]
        assert touched(here.sum(), image) == union(seen[one.name], y, x), (one.name, y, x)
        for channel in one_of_each_kind(seen[one.name], place is middle):
            box = seen[one.name].box((channel, y, x))
            assert touched(here[channel], image) == box, (one.name, channel, y, x)


def touched(answer, image):
    (gradient,) = torch.autograd.grad(contiguous_gradients(answer), image, retain_graph=True)
    pixels = gradient[0].abs().amax(0) > 0
    places = [pixels.any(1 - axis).nonzero().flatten() for axis in (0, 1)]
    return tuple((int(p[0]), int(p[-1]) + 1) for p in places)


def union(seen, y, x):
    """The union of all channels' fields there."""
    assert seen.exact
    return seen.mixed([1]).box((0, y, x))


def one_of_each_kind(seen, wanted):
    """One channel each of up to three that have different fields."""
    if not wanted:
        return []
    firsts = {}
    for channel in range(seen.shape[1]):
        firsts.setdefault(seen.box((channel, *(side // 2 for side in seen.shape[2:]))), channel)
    return list(firsts.values())[-3:] if len(firsts) > 1 else []


def largest_field(name):
    with torch.device("meta"):
        _, seen = fields(create_model(name), (1, ZOO[name].in_channels, *ZOO[name].input_size))
    return max(one.size[0] for one in seen.values() if len(one.shape) == 4)
