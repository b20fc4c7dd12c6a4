"""Dense heads as convolutions: the same answer at the native size, and one per crop beyond it."""

from contextlib import suppress

import pytest
import torch
from torch import nn

from convscope.errors import RequestError
from convscope.layers import LocallyConnected2d
from convscope.zoo import ZOO, create_model
from convscope.zoo.fully_convolutional import fully_convolutional


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def small(names, seed=0):
    """A VGG-like network of padded convolutions for 16x24 images, with all that a head may hold."""
    torch.manual_seed(seed)
    layers = dict(
        conv1=nn.Conv2d(3, 4, 3, padding=1),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(4),
        flatten=nn.Flatten(),
        fc1=nn.Linear(4 * 4 * 6, 9),
        bn1=nn.BatchNorm1d(9),
        fc1_relu=nn.ReLU(),
        fc1_dropout=nn.Dropout(),
        fc2=nn.Linear(9, 5, bias=False),
    )
    net = nn.Sequential()
    for name in names or layers:
        net.add_module(name, layers[name])
    return net


def assert_same_at_the_native_size(net, converted, batch):
    """Equal but for rounding, which is small beside the differences between the answers."""
    with torch.inference_mode():
        expected = net.eval()(batch)[..., None, None]
        answers = converted.eval()(batch)
    assert answers.shape == expected.shape
    assert (answers - expected).abs().max() < 1e-4 * expected.std()


@pytest.mark.parametrize(
    ("name", "size", "told"),
    [
        ("lenet5", (32, 32), False),
        ("lenet5", (36, 48), True),
        ("tinyvgg", (32, 32), False),
        ("tinyvgg", (24, 16), True),
        ("alexnet_towers", (67, 67), False),
        ("vgg11_bn", (64, 32), True),
        ("vgg11", (32, 32), False),
        ("nin_cifar", (32, 32), True),
        ("squeezenet1_1", (67, 67), True),
        ("resnet18", (64, 64), True),
        ("resnet20_cifar", (32, 32), True),
        ("densenet40_12", (32, 32), True),
        ("fractalnet20", (32, 32), True),
        ("googlenet", (96, 96), True),
    ],
)
def test_networks_of_the_zoo_answer_the_same_at_their_native_size(name, size, told):
    torch.manual_seed(0)
    net = create_model(name, num_classes=7, input_size=size)
    converted = fully_convolutional(net, input_size=size if told else None)
    assert not any(isinstance(layer, nn.Linear | nn.Flatten) for layer in converted.modules())
    assert_same_at_the_native_size(net, converted, images(2, ZOO[name].in_channels, *size))


@pytest.mark.parametrize(
    ("name", "dense", "window", "places"),
    [
        ("vgg16", "fc1", 7, (384 // 32 - 6, 416 // 32 - 6)),
        ("alexnet", "fc6", 6, (10 - 5, 11 - 5)),  # 384: 94 46 46 22 10; 416: 102 50 50 24 11
    ],
)
def test_the_dense_evaluation_has_the_maps_that_the_strides_leave(name, dense, window, places):
    with torch.device("meta"):
        converted = fully_convolutional(create_model(name))
        assert converted(torch.zeros(1, 3, 384, 416)).shape == (1, 1000, *places)
    first = converted.get_submodule(dense)
    assert (first.kernel_size, first.out_channels) == ((window, window), 4096)


def test_each_place_of_the_map_is_the_answer_to_its_crop():
    """Two poolings of 2: crops of 32x32 lie 4 pixels apart. The mean is the dense evaluation."""
    torch.manual_seed(0)
    net = create_model("lenet5").eval()
    converted = fully_convolutional(net)
    batch = images(2, 1, 44, 52)
    with torch.inference_mode():
        answers = converted(batch)
        crops = [
            [net(batch[:, :, y : y + 32, x : x + 32]) for x in range(0, 21, 4)]
            for y in range(0, 13, 4)
        ]
    expected = torch.stack([torch.stack(row, -1) for row in crops], -2)
    assert answers.shape == (2, 10, 4, 6)
    torch.testing.assert_close(answers, expected)
    torch.testing.assert_close(answers.mean((2, 3)), sum(map(sum, crops)) / 24)


def test_the_mean_of_maps_slides_with_the_native_window():
    """Without padding, a global mean of 5x5 maps of 12x12 images, crops 2 pixels apart."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    )
    converted = fully_convolutional(net, input_size=(12, 12))
    batch = images(1, 1, 14, 18)
    crops = [[net(batch[:, :, y : y + 12, x : x + 12]) for x in (0, 2, 4, 6)] for y in (0, 2)]
    expected = torch.stack([torch.stack(row, -1) for row in crops], -2)
    torch.testing.assert_close(converted(batch), expected)


def test_adaptive_pooling_to_places_keeps_their_windows():
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d((2, 5)), nn.Flatten(), nn.Linear(30, 2)
    )
    converted = fully_convolutional(net, input_size=(10, 12))
    assert (converted[1].kernel_size, converted[1].stride) == ((4, 2), (4, 2))
    assert_same_at_the_native_size(net, converted, images(1, 1, 10, 12))
    with pytest.raises(RequestError, match="1 pools 9 units to 2"):
        fully_convolutional(net, input_size=(11, 12))


def test_a_head_with_batch_norm_and_without_bias_is_carried_over():
    net = small(None)
    for _ in range(3):
        net(images(8, 3, 16, 24))
    converted = fully_convolutional(net, input_size=(16, 24))
    assert_same_at_the_native_size(net, converted, images(3, 3, 16, 24))
    assert converted.get_submodule("fc2").bias is None


def test_the_given_network_is_neither_changed_nor_shared():
    net = small(None)
    net.get_submodule("fc1").requires_grad_(requires_grad=False)
    net.get_submodule("bn1").eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    modes = [layer.training for layer in net]
    draws = torch.get_rng_state()
    converted = fully_convolutional(net, input_size=(16, 24))
    assert torch.equal(torch.get_rng_state(), draws)
    assert [layer.training for layer in net] == modes
    assert [name for name, _ in converted.named_children()] == [
        name for name in before_names(net) if name != "flatten"
    ]
    assert converted.training
    assert not fully_convolutional(small(None).eval(), input_size=(16, 24)).training
    assert [layer.training for layer in converted] == [*modes[:3], *modes[4:]]
    assert not converted.get_parameter("fc1.weight").requires_grad
    assert converted.get_parameter("conv1.weight").requires_grad
    with torch.no_grad():
        for value in converted.state_dict().values():
            value.zero_()
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def before_names(net):
    return [name for name, _ in net.named_children()]


def test_a_layer_that_stands_in_two_places_stays_one():
    relu = nn.ReLU()
    net = nn.Sequential(nn.Conv2d(1, 2, 3), relu, nn.Flatten(), nn.Linear(72, 4), relu)
    converted = fully_convolutional(net)
    assert len(converted) == 4
    assert converted[1] is converted[3]
    assert converted[1] is not relu
    assert_same_at_the_native_size(net, converted, images(1, 1, 8, 8))


def test_joins_of_a_fractal_network_still_share_their_sampler():
    with torch.device("meta"):
        net = create_model("fractalnet20")
    converted = fully_convolutional(net, input_size=(32, 32))
    samplers = {id(layer.sampler) for layer in converted.modules() if hasattr(layer, "sampler")}
    assert len(samplers) == 1
    assert samplers != {id(net.get_submodule("draw").sampler)}


class Backwards(nn.Sequential):
    def forward(self, x):
        return x


@pytest.mark.parametrize(
    ("net", "size", "told"),
    [
        (nn.Conv2d(1, 2, 3), None, "A Conv2d cannot be made fully convolutional"),
        (Backwards(nn.Conv2d(1, 2, 3)), None, "A Backwards cannot be made"),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), None, "The network has no dense layer"),
        (
            nn.Sequential(nn.Sequential(LocallyConnected2d(1, 2, (8, 8), 3)), nn.Flatten()),
            (8, 8),
            "0.0 has different filters at every position",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
            None,
            r"1 takes maps of any size.*Give input",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.LayerNorm(72), nn.Linear(72, 2)),
            (8, 8),
            r"2 \(LayerNorm\) cannot slide",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.BatchNorm1d(72), nn.Linear(72, 2)),
            (8, 8),
            r"2 \(BatchNorm1d\) cannot slide",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten()),
            (4, 4),
            "No dense layer reads the flattened maps",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(70, 2)),
            None,
            "No square image leaves the 70 units that 2 reads",
        ),
        (
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 2)),
            (9, 8),
            "Images of 9x8 give 2 an input of 84, which it cannot take",
        ),
    ],
)
def test_what_cannot_slide_is_refused_by_its_layer(net, size, told):
    with pytest.raises(RequestError, match=told):
        fully_convolutional(net, input_size=size)


@pytest.mark.parametrize(
    ("name", "told"),
    [("deepface", "L4"), ("lenet5_1998", "RadialBasis"), ("nin_cifar_zca", "gcn")],
)
def test_networks_of_the_zoo_that_cannot_slide_say_why(name, told):
    with torch.device("meta"), pytest.raises(RequestError, match=told):
        fully_convolutional(create_model(name), input_size=ZOO[name].input_size)


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_every_other_network_of_the_zoo_is_converted(name):
    with torch.device("meta"), suppress(RequestError):
        if name not in ("deepface", "lenet5_1998", "nin_cifar_zca"):
            entry = ZOO[name]
            converted = fully_convolutional(create_model(name), input_size=entry.input_size)
            height, width = entry.input_size
            answer = converted.eval()(torch.zeros(1, entry.in_channels, height + 64, width))
            assert (answer.shape[1], answer.shape[3]) == (entry.num_classes, 1)
            assert answer.shape[2] > 1
            return
    assert name in ("deepface", "lenet5_1998", "nin_cifar_zca")
