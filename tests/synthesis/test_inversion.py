"""Layer inversion: what a layer keeps comes back, and what it drops does not."""

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.card import Card
from convscope.errors import RequestError, WorkError
from convscope.synthesis.inversion import total_variation

CARD = Card(
    classes=("a", "b"), input_size=(8, 10), in_channels=3, resize_mode="crop",
    mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4),
)  # fmt: skip


@pytest.fixture
def image():
    rows, columns = np.mgrid[0:8, 0:10]
    planes = [40 + 15 * rows, 220 - 12 * columns, 60 + 8 * rows + 4 * columns]
    return np.stack(planes, -1).astype(np.uint8)


def network():
    """`keep` returns the input, `mean` the mean of its channels, `none` nothing."""
    net = nn.Sequential()
    net.add_module("keep", nn.Conv2d(3, 3, 1, bias=False))
    net.add_module("mean", nn.Conv2d(3, 1, 1, bias=False))
    net.add_module("flatten", nn.Flatten())
    net.add_module("none", nn.Linear(80, 2, bias=False))
    with torch.no_grad():
        net.keep.weight[:] = torch.eye(3)[:, :, None, None]
        net.mean.weight[:] = torch.tensor(CARD.std)[None, :, None, None] / 3
        net.none.weight[:] = 0
    return net


def test_a_layer_that_keeps_all_gives_the_image_and_one_that_means_gives_its_mean(image):
    result = convscope.invert(
        network(), image, ["keep", "mean"], card=CARD, tv=0, alpha_norm=0, lr=0.3, steps=100
    )
    kept, mean = result.layers
    assert kept.relative_error < 0.02
    assert np.abs(kept.pixels.astype(float) - image).mean() < 2
    assert mean.relative_error < 0.02
    assert np.abs(mean.pixels.mean(2) - image.mean(2)).mean() < 2
    assert np.abs(mean.pixels.astype(float) - image).mean() > 10
    assert (kept.num_values, mean.num_values) == (240, 80)


def test_the_errors_are_those_of_the_bytes(image):
    net = network()
    [found] = convscope.invert(net, image, "mean", card=CARD, steps=3).layers

    def output(pixels):
        values = torch.from_numpy(np.array(pixels, np.float64)).permute(2, 0, 1)[None] / 255
        mean, std = (torch.tensor(each)[:, None, None] for each in (CARD.mean, CARD.std))
        return net.mean.double()(net.keep.double()((values - mean) / std)).detach().numpy()

    wanted = output(image)
    for pixels, error in ((found.pixels, found.relative_error),):
        expected = np.linalg.norm(output(pixels) - wanted) / np.linalg.norm(wanted)
        assert error == pytest.approx(expected, rel=1e-4)
    gray = np.linalg.norm(output(np.full((8, 10, 3), 127.5)) - wanted) / np.linalg.norm(wanted)
    assert found.gray_error == pytest.approx(gray, rel=1e-4)
    off = np.sqrt(np.square(found.pixels / 255 - image / 255).mean())
    assert found.pixel_error == pytest.approx(off, rel=1e-4)


def test_total_variation_is_that_of_a_loop():
    pixels = torch.rand(1, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    total = 0.0
    for channel in range(2):
        for y in range(4):
            for x in range(5):
                here = float(pixels[0, channel, y, x])
                if x < 4:
                    total += (float(pixels[0, channel, y, x + 1]) - here) ** 2
                if y < 3:
                    total += (float(pixels[0, channel, y + 1, x]) - here) ** 2
    assert float(total_variation(pixels)) == pytest.approx(total / 40, rel=1e-5)


def test_more_total_variation_gives_a_smoother_image(image):
    noisy = np.random.default_rng(0).integers(0, 256, image.shape, dtype=np.uint8)
    rough, smooth = (
        convscope.invert(network(), noisy, "keep", card=CARD, tv=tv, steps=60, lr=0.5).layers[0]
        for tv in (0.0, 1.0)
    )
    assert float(total_variation(torch.from_numpy(smooth.pixels / 255)[None])) < 0.5 * float(
        total_variation(torch.from_numpy(rough.pixels / 255)[None])
    )
    assert smooth.relative_error > rough.relative_error


def test_what_cannot_be_inverted_is_refused(image, tmp_path):
    with pytest.raises(WorkError, match="none returns 0 everywhere"):
        convscope.invert(network(), image, "none", card=CARD, steps=1)
    with pytest.raises(RequestError, match="no module 'conv'"):
        convscope.invert(network(), image, "conv", card=CARD, steps=1)
    with pytest.raises(RequestError, match="Name the layers with `layers`"):
        convscope.invert(network(), image, [], card=CARD)
    with pytest.raises(RequestError, match=r"no\.png"):
        convscope.invert(network(), tmp_path / "no.png", "keep", card=CARD)
    with pytest.raises(RequestError, match="`tv` must be at least 0"):
        convscope.invert(network(), image, "keep", card=CARD, tv=-1)


def test_the_page_and_the_picture_show_every_layer(image, tmp_path):
    result = convscope.invert(network(), image, ["keep", "mean"], card=CARD, steps=2)
    page = result.save(tmp_path / "page.html").read_text()
    assert page.count("data:image/png") == 3
    assert "Mahendran &amp; Vedaldi" in page
    assert result.save(tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(RequestError, match=r"must end in \.html"):
        result.save(tmp_path / "page.pdf")
