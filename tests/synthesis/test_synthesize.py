"""Pictures that excite units: planted detectors are found, and each picture's figures are true."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.card import Card
from convscope.errors import RequestError, WorkError
from convscope.inference import eval_with_gradients
from convscope.synthesis.ascent import AscentSettings, ascend, to_input
from convscope.synthesis.layer_outputs import find_outputs
from convscope.synthesis.picture import (
    high_frequency_share,
    start_coefficients,
    to_pixels,
    to_plane,
)
from convscope.synthesis.targets import find_targets
from convscope.synthesis.views import Views

STILL = {"jitter": 0.0, "scale": 0.0, "rotation": 0.0}
GRAY = Card(
    classes=("left", "right"), input_size=(12, 12), in_channels=1, resize_mode="crop",
    mean=(0.3,), std=(0.5,),
)  # fmt: skip
COLOR = Card(
    classes=("left", "right"), input_size=(5, 6), in_channels=3, resize_mode="crop",
    mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4),
)  # fmt: skip


def correlation(one, other):
    return float(np.corrcoef(np.asarray(one).ravel(), np.asarray(other).ravel())[0, 1])


def dft_loop(coefficients, height, width):
    """The real image of half a spectrum, wave by wave."""
    image = np.zeros((height, width))
    for row in range(height):
        for column in range(width // 2 + 1):
            down = (row if row <= (height - 1) // 2 else row - height) / height
            scale = 1 / max(math.hypot(down, column / width), 1 / max(height, width))
            wave = scale * complex(*coefficients[row, column])
            is_alone = column == 0 or 2 * column == width  # its mirror image is in the half, too
            for y in range(height):
                for x in range(width):
                    angle = 2 * math.pi * (row * y / height + column * x / width)
                    turned = wave * complex(math.cos(angle), math.sin(angle))
                    image[y, x] += turned.real * (1 if is_alone else 2)
    return image / math.sqrt(height * width) / 4


@pytest.mark.parametrize("size", [(4, 6), (5, 4), (3, 5)])
def test_coefficients_are_waves_that_count_less_the_finer_they_are(size):
    coefficients = start_coefficients((2, *size), [7])
    plane = to_plane(coefficients, size)
    for channel in range(2):
        expected = dft_loop(coefficients[0, channel].numpy(), *size)
        assert np.abs(plane[0, channel].numpy() - expected).max() < 1e-6


def test_colors_have_the_covariance_of_photographs_and_pixels_their_bounds():
    spread = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    pixels = to_pixels(spread / 2)
    assert pixels.min() > 0
    assert pixels.max() < 1
    channels = pixels.movedim(1, 0).flatten(1).numpy()
    assert (np.corrcoef(channels) > 0.6).all()  # red, green and blue rise together
    fixed = to_pixels(spread, rms_contrast=0.2)
    assert torch.allclose((fixed - 0.5).square().mean((1, 2, 3)).sqrt(), torch.tensor(0.2))


def test_the_best_picture_of_a_fixed_length_for_a_linear_network_is_its_weight():
    net = nn.Sequential(nn.Flatten(), nn.Linear(144, 2))
    result = convscope.synthesize(
        net, ["left", 1], card=GRAY, rms_contrast=0.05, steps=100, **STILL
    )
    for picture, weight in zip(result.pictures, net[1].weight.detach().numpy(), strict=True):
        assert correlation(picture.pixels[..., 0], weight.reshape(12, 12)) > 0.98


def test_of_a_network_in_color_the_weight_is_divided_by_the_cards_deviations():
    net = nn.Sequential(nn.Flatten(), nn.Linear(3 * 5 * 6, 2))
    result = convscope.synthesize(net, "right", card=COLOR, rms_contrast=0.1, steps=250, **STILL)
    weight = net[1].weight.detach()[1].reshape(3, 5, 6) / torch.tensor(COLOR.std)[:, None, None]
    found = result.pictures[0].pixels.transpose(2, 0, 1)
    assert correlation(found, weight.numpy()) > 0.98


def test_with_bounded_pixels_each_ends_where_the_sign_of_its_weight_says():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(144, 2))
    [picture] = convscope.synthesize(net, 0, card=GRAY, steps=80, lr=0.5, **STILL).pictures
    weight = net[1].weight.detach().numpy()[0].reshape(12, 12)
    is_bright = picture.pixels[..., 0] > 127
    large = np.abs(weight) > np.median(np.abs(weight))
    assert (is_bright == (weight > 0))[large].mean() > 0.99
    best = (np.maximum(weight, 0).sum() - 0.3 * weight.sum()) / 0.5 + float(net[1].bias.detach()[0])
    assert 0.9 * best < picture.value <= best + 1e-4


def detector(patch, *, inplace=True):
    """A network whose only filter is a matched filter of a patch."""
    net = nn.Sequential(
        nn.Conv2d(1, 1, patch.shape, bias=False), nn.ReLU(inplace=inplace),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(1, 2),
    )  # fmt: skip
    with torch.no_grad():
        net[0].weight[0, 0] = torch.tensor(patch, dtype=torch.float32)
    return net


def test_a_planted_patch_is_found_where_its_unit_looks():
    patch = np.random.default_rng(3).normal(size=(7, 7))
    patch -= patch.mean()
    result = convscope.synthesize(
        detector(patch), "0[0,2,3]", card=GRAY, rms_contrast=0.1, steps=100, lr=0.1, **STILL
    )
    [picture] = result.pictures
    assert picture.kind == "unit"
    assert correlation(picture.pixels[2:9, 3:10, 0], patch) > 0.97
    outside = picture.pixels[..., 0].astype(float) - 127.5
    outside[2:9, 3:10] = 0
    assert np.abs(outside).mean() < 4  # of 255


def test_an_edge_filter_gets_edges_of_its_direction_in_spite_of_random_views():
    sobel = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
    [picture] = convscope.synthesize(detector(sobel), "1[0]", card=GRAY, steps=60).pictures
    assert picture.kind == "channel"
    values = picture.pixels[2:-2, 2:-2, 0].astype(float)
    across, down = np.diff(values, axis=1), np.diff(values, axis=0)
    assert np.square(across).sum() > 1.5 * np.square(down).sum()


def test_the_value_is_that_of_the_bytes_and_of_the_module_itself():
    patch = np.ones((3, 3))
    net = detector(patch)
    card = GRAY
    [unit, channel] = convscope.synthesize(net, ["0[0,1,1]", "0[0]"], card=card, steps=5).pictures
    for picture, value in ((unit, "unit"), (channel, "channel")):
        fed = (torch.from_numpy(picture.pixels).permute(2, 0, 1)[None] / 255 - 0.3) / 0.5
        output = net[0](fed)[0, 0].detach()
        expected = output[1, 1] if value == "unit" else output.clamp_min(0).mean()
        assert picture.value == pytest.approx(float(expected), rel=1e-5)
    assert unit.gray_value == pytest.approx(9 * (0.5 - 0.3) / 0.5, rel=1e-5)


class Tokens(nn.Module):
    """Batch norm in front of tokens, where PyTorch's gradient of one image is wrong."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.mix = nn.Linear(4, 6)
        self.norm.weight.data = torch.tensor([1.0, -2.0, 3.0, 0.5])
        self.norm.running_var.fill_(0.1)

    def forward(self, images):
        tokens = self.norm(self.conv(images)).flatten(2).transpose(1, 2)
        return self.mix(tokens).tanh().mean(1)[:, :2]


def few_steps(net, names, *, pictures=1):
    settings = AscentSettings(steps=6, views=Views(0.1, 0.1, 10.0))
    with eval_with_gradients(net, of_weights=False):
        outputs = find_outputs(net, torch.zeros(1, 1, 12, 12))
        targets, _ = find_targets(names, outputs, GRAY.classes)
        return ascend(net, GRAY, targets, settings, pictures=pictures).pixels


def test_a_picture_is_the_same_alone_and_beside_others():
    net = Tokens()
    alone = torch.cat([few_steps(net, [name]) for name in ("left", "mix[5]")])
    together = few_steps(net, ["left", "mix[5]"])
    assert (alone - together).abs().max() < 1e-3
    assert (together[0] - together[1]).abs().max() > 0.01


def test_two_runs_with_one_seed_give_one_picture_and_another_seed_another():
    net = Tokens()
    first, again, other = (
        convscope.synthesize(net, "left", card=GRAY, steps=4, seed=seed).pictures[0].pixels
        for seed in (0, 0, 1)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_several_pictures_of_a_channel_are_pushed_apart():
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.Conv2d(6, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(4, 2),
    )  # fmt: skip

    def cosine(diversity):
        result = convscope.synthesize(
            net, "2[0]", card=GRAY, pictures=3, diversity=diversity, steps=60, **STILL
        )
        fed = np.stack([picture.pixels for picture in result.pictures])
        maps = net[:3](to_input(torch.from_numpy(fed).permute(0, 3, 1, 2) / 255, GRAY)).flatten(2)
        grams = nn.functional.normalize((maps @ maps.mT).flatten(1), dim=1)
        return (grams @ grams.T).triu(1).sum().item() / 3

    assert cosine(2.0) < cosine(0.0) - 0.01


def test_a_dead_unit_gets_a_reason_and_no_noise():
    net = detector(np.zeros((3, 3)))
    [picture] = convscope.synthesize(net, "0[0]", card=GRAY, steps=3).pictures
    assert picture.pixels is None
    assert "its gradient is 0" in picture.reason
    assert "no picture" in str(convscope.synthesize(net, "0[0]", card=GRAY, steps=3))
    with pytest.raises(ValueError, match="dead"):
        _ = picture.image


def test_a_pattern_of_single_pixels_is_called_what_it_is():
    checkers = np.indices((5, 5)).sum(0) % 2 - 0.5
    [picture] = convscope.synthesize(
        detector(checkers), "0[0]", card=GRAY, steps=60, lr=0.3, **STILL
    ).pictures
    assert picture.high_frequencies > 0.5
    assert "finer than 4 pixels" in picture.reason
    assert high_frequency_share(torch.linspace(0, 1, 256).reshape(16, 16, 1)) < 0.1


def test_the_network_is_left_as_it_was():
    net = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(300, 2))
    net[0].weight.requires_grad_(False)  # noqa: FBT003
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.get_rng_state()
    convscope.synthesize(net, "1[2]", card=GRAY, steps=2)
    assert net.training
    assert [p.requires_grad for p in net.parameters()] == [False] + [True] * 5
    assert all(p.grad is None for p in net.parameters())
    assert all((before[name] == value).all() for name, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())
    assert (torch.get_rng_state() == state).all()


def test_beside_the_value_stands_the_best_image(tmp_path):
    patch = np.random.default_rng(3).choice([-1.0, 1.0], (7, 7))
    for number in range(8):
        pixels = np.full((12, 12), 77, np.uint8)
        if number == 5:
            pixels[2:9, 3:10] = np.where(patch > 0, 200, 10)
        folder = tmp_path / ("left" if number % 2 else "right")
        folder.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    result = convscope.synthesize(
        detector(patch), "0[0,2,3]", card=GRAY, data=tmp_path, steps=60, lr=0.3, **STILL
    )
    [picture] = result.pictures
    best = picture.best
    assert best.name.endswith("5.png")
    assert best.label == "left"
    assert best.num_images == 8
    assert best.value == pytest.approx(
        float(np.where(patch > 0, 200 / 255 - 0.3, 10 / 255 - 0.3).ravel() @ patch.ravel() / 0.5),
        rel=1e-4,
    )
    assert picture.value > best.value > best.median
    payload = result.to_dict()["pictures"][0]
    assert payload["best"]["image"] == best.name
    assert payload["value"] == picture.value


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("conv9[0]", "no module 'conv9'"),
        ("conv3", "no module 'conv3'"),
        ("0[4]", r"0 has no unit '4'. Its output is 4x10x10: give a channel"),
        ("0[1,2]", "has no unit"),
        ("3[north]", "has no unit 'north'"),
        ([], "Name what is to be excited"),
    ],
)
def test_what_does_not_exist_is_named(at, message):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(400, 2))
    with pytest.raises(RequestError, match=message):
        convscope.synthesize(net, at, card=GRAY, steps=1)


def test_weights_that_are_no_numbers_and_settings_out_of_range_are_refused():
    net = nn.Sequential(nn.Flatten(), nn.Linear(144, 2))
    with pytest.raises(RequestError, match="`steps` must be at least 1"):
        convscope.synthesize(net, 0, card=GRAY, steps=0)
    with pytest.raises(RequestError, match="`rotation` must be from 0 to 180"):
        convscope.synthesize(net, 0, card=GRAY, rotation=200)
    net[1].weight.data[0, 0] = math.nan
    with pytest.raises(WorkError, match="left is not finite"):
        convscope.synthesize(net, 0, card=GRAY, steps=1)


@pytest.mark.parametrize("turn", [0.0, 90.0])
def test_views_shift_whole_pixels_and_turn_about_the_center(turn):
    pixels = torch.rand(1, 1, 9, 9, generator=torch.Generator().manual_seed(0))

    still = Views(0, 0, turn)(pixels, torch.Generator().manual_seed(2))
    if not turn:
        assert torch.equal(still, pixels)
    assert still.shape == pixels.shape
    assert float(still[0, 0, 4, 4]) == pytest.approx(float(pixels[0, 0, 4, 4]), abs=1e-5)
    moved = Views(0.2, 0, 0)(pixels, torch.Generator().manual_seed(2))
    inside = {round(float(value), 6) for value in moved.flatten()} - {0.5}
    assert inside <= {round(float(value), 6) for value in pixels.flatten()}
