"""Corruptions by their definitions, moves that are exact, and networks that follow them or not."""

import io
import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.card import Card
from convscope.errors import RequestError
from convscope.perturbations.corruptions import CORRUPTIONS, corrupt
from convscope.perturbations.moves import correlation, follows, moved, moves, predictions_and_maps


def photographs(side, channels=3, n=4):
    """Smooth random images of 0..1, as bytes have them."""
    coarse = torch.rand(n, channels, 5, 5, generator=torch.Generator().manual_seed(0))
    smooth = nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0.1, 0.9)
    return (smooth * 255).round() / 255


def changed(images, name, strength):
    return corrupt(images, name, strength, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("side", [32, 96])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_strength_changes_images_more_than_the_one_before(name, side):
    images = photographs(side)
    found = [changed(images, name, strength) for strength in range(1, 6)]
    changes = [float(((each - images) ** 2).mean()) for each in found]
    assert all(each.min() >= 0 and each.max() <= 1 for each in found)
    if name != "pixelate":  # whose blocks fit a smooth image by chance, or do not
        assert all(a <= 1.02 * b for a, b in pairwise(changes)), changes
        assert changes[-1] > 1.5 * changes[0]
    assert min(changes) > 0
    assert torch.equal(found[2], changed(images, name, 3))  # the same again
    gray = changed(images[:, :1], name, 3)
    assert gray.shape == (4, 1, side, side)


def test_noise_has_the_spread_that_the_paper_says():
    images = torch.full((4, 3, 64, 64), 0.5)
    assert float((changed(images, "Gaussian noise", 3) - 0.5).std()) == pytest.approx(
        0.08, rel=0.03
    )
    shot = changed(images, "shot noise", 5) - 0.5  # Poisson: variance x / c
    assert float(shot.std()) == pytest.approx((0.5 / 50) ** 0.5, rel=0.03)
    impulse = changed(images, "impulse noise", 4)
    assert float((impulse != images.mul(255).round().div(255)).float().mean()) == pytest.approx(
        0.05, rel=0.1
    )
    large = torch.full((1, 3, 224, 224), 0.5)
    assert float((changed(large, "Gaussian noise", 1) - 0.5).std()) == pytest.approx(0.08, rel=0.03)


def test_contrast_brightness_jpeg_and_pixelate_are_their_formulas():
    images = photographs(32)
    mean = images.mean((2, 3), keepdim=True)
    assert torch.allclose(changed(images, "contrast", 2), (images - mean) / 2 + mean, atol=0.003)
    assert torch.allclose(changed(images, "brightness", 1), images + 0.05, atol=0.003)
    file = io.BytesIO()
    pixels = (images[0] * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(file, "JPEG", quality=65)
    expected = np.asarray(Image.open(file)).transpose(2, 0, 1) / 255
    assert np.allclose(changed(images, "JPEG", 2)[0], expected)
    large = photographs(100)  # at strength 4 of large images, 30 of 100 pixels are left
    assert len(torch.unique(changed(large, "pixelate", 4)[0, 0, 0])) <= 30


@pytest.mark.parametrize("name", ["defocus blur", "motion blur", "zoom blur"])
def test_blurs_keep_a_flat_image(name):
    flat = torch.full((1, 3, 96, 96), 0.4)
    assert torch.allclose(changed(flat, name, 5), flat, atol=0.003)


def test_moves_of_whole_pixels_and_right_angles_are_exact():
    images, known = torch.rand(2, 3, 16, 16), moves((16, 16))
    assert torch.allclose(moved(images, known["flip"]["mirrored"]), images.flip(3), atol=1e-5)
    assert torch.allclose(moved(images, known["flip"]["upside down"]), images.flip(2), atol=1e-5)
    shifted = moved(images, known["shift"]["2 px"])
    assert torch.allclose(shifted[..., 2:], images[..., :-2], atol=1e-5)
    turned = moved(images, known["rotation"]["90°"])
    either = [torch.rot90(images, k, (2, 3)) for k in (1, 3)]
    assert any(torch.allclose(turned, each, atol=1e-4) for each in either)
    half = moved(images, known["scale"]["x 0.5"])
    assert torch.allclose(half[..., 4:12, 4:12], nn.functional.avg_pool2d(images, 2), atol=1e-4)


class Sided(nn.Module):
    """Maps by a 1x1 convolution; answers by the left and the right half, or by the whole."""

    def __init__(self, *, is_sided):
        super().__init__()
        self.conv, self.is_sided = nn.Conv2d(1, 2, 1), is_sided
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
            self.conv.bias.copy_(torch.tensor([0.0, 0.0]))

    def forward(self, x):
        maps = self.conv(x)
        if not self.is_sided:
            return maps.mean((2, 3))
        half = x.shape[3] // 2
        return torch.stack([x[..., :half].mean((1, 2, 3)), x[..., half:].mean((1, 2, 3))], 1)


def network(*, is_sided):
    net = Sided(is_sided=is_sided).eval()
    net.card = Card(classes=("0", "1"), input_size=(16, 16), in_channels=1,
                    resize_mode="stretch", mean=(0.5,), std=(0.25,))  # fmt: skip
    return net


@pytest.fixture(scope="module")
def images():
    """Class 0 is bright on the left, and in all; class 1 on the right."""
    rng, labels = np.random.default_rng(0), np.arange(20) % 2
    pixels = rng.integers(0, 60, (20, 16, 16), dtype=np.uint8)
    pixels[labels == 0, :, :8] += 150
    pixels[labels == 1, :, 8:] += 60
    return pixels, labels


def test_maps_of_a_pointwise_network_follow_every_move(images):
    net = network(is_sided=False)
    batch = torch.from_numpy(images[0])[:, None].float() / 255
    _, before = predictions_and_maps(net, batch, 2)
    for kind, each in moves((16, 16)).items():
        for name, matrix in each.items():
            _, after = predictions_and_maps(net, moved(batch, matrix), 2)
            assert correlation(follows(before, after, matrix)) == pytest.approx(1, abs=0.01), (
                kind,
                name,
            )
    _, other = predictions_and_maps(net, batch.flip(3), 2)
    matrix = moves((16, 16))["shift"]["1 px"]
    assert correlation(follows(before, other, matrix)) < 0.5


def test_a_network_that_looks_at_sides_is_turned_by_a_mirror(images):
    found = convscope.robustness(network(is_sided=True), images, corruptions=["brightness"])
    by_name = {each.name: each for each in found.moved}
    assert found.error.value == 0
    assert (by_name["mirrored"].same.value, by_name["mirrored"].accuracy.value) == (0, 0)
    assert by_name["upside down"].same.value == 1
    assert by_name["180°"].accuracy.value == 0
    assert found.errors["brightness"][0].value == 0
    assert found.mean_error.value == 0
    assert found.mean_error.interval[0] <= 0 <= found.mean_error.interval[1]


def test_a_run_is_measured_by_the_command(digits_run, command, tmp_path):
    said = command("robustness", digits_run, "--corruptions", "fog,contrast", "--max-images", "40",
                   "--json", "--html", tmp_path / "r.html").stdout  # fmt: skip
    values = json.loads(said)
    assert values["images"] == 40
    errors = [each["value"] for rows in values["corruptions"].values() for each in rows]
    assert len(errors) == 10
    assert values["mean_corruption_error"]["value"] == pytest.approx(np.mean(errors))
    page = (tmp_path / "r.html").read_text()
    assert page.count("<svg") == 2
    error = command("robustness", digits_run, "--corruptions", "rain", code=2).stderr
    assert "There is no corruption 'rain'. Corruptions: Gaussian noise" in error


def test_what_cannot_be_measured_is_refused(digits_run):
    with pytest.raises(RequestError, match="`max_images` must be at least 2"):
        convscope.robustness(digits_run, max_images=1)
