"""What people hand over as an image is recorded as its card says, or refused in a sentence."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope import Card, record
from convscope.errors import NetworkError, RequestError


def net_of(channels):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(channels, 2, 3), nn.ReLU()).eval()


PIXELS = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
FED = torch.from_numpy(PIXELS).permute(2, 0, 1) / 255


@pytest.fixture
def path(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "one.png")
    return tmp_path / "one.png"


@pytest.mark.parametrize(
    "convert",
    [
        lambda path: path,
        str,
        lambda path: path.read_bytes(),
        Image.open,
        lambda path: PIXELS,
        lambda path: PIXELS[None],
        lambda path: (PIXELS / 255).astype(np.float64),
        lambda path: FED,
        lambda path: FED[None],
        lambda path: FED.double().numpy(),
        lambda path: torch.from_numpy(PIXELS).permute(2, 0, 1),
    ],
    ids=[
        "Path",
        "str",
        "bytes",
        "PIL",
        "array",
        "batch",
        "floats",
        "tensor",
        "tensors",
        "channels-first",
        "bytes-tensor",
    ],
)
def test_every_form_of_an_image_gives_the_network_the_same_input(convert, path):
    recording = record(net_of(3), convert(path))
    assert torch.allclose(recording["image"].tensor[0], FED, atol=1e-7)


def test_what_is_assumed_of_an_image_is_said(path):
    assert record(net_of(3), FED).note == ""
    assert "pixels are scaled to 0..1" in repr(record(net_of(3), path))


def test_a_card_says_how_an_image_is_prepared(path):
    card = Card(
        classes=("a", "b"),
        input_size=(8, 6),
        in_channels=3,
        resize_mode="stretch",
        mean=(0.5, 0.25, 0.0),
        std=(0.5, 1.0, 2.0),
    )
    by_hand = (FED - torch.tensor([0.5, 0.25, 0.0])[:, None, None]) / torch.tensor([0.5, 1, 2])[
        :, None, None
    ]
    recording = record(net_of(3), path, card=card)
    assert torch.allclose(recording["image"].tensor[0], by_hand, atol=1e-6)
    assert recording.note == ""


def test_what_timm_states_of_a_network_of_its_own_is_used(path):
    net = net_of(3)
    net.pretrained_cfg = dict(input_size=(3, 4, 4), mean=(0.5,) * 3, std=(0.5,) * 3, crop_pct=1.0)
    recording = record(net, path)
    assert recording["image"].shape == (3, 4, 4)
    assert recording["image"].tensor.min() < 0


def test_a_network_that_was_loaded_prepares_images_as_its_run_did(digits_run, path):
    net, card = convscope.load(digits_run)
    assert torch.equal(
        record(net, path)["image"].tensor, convscope.record(net, path, card=card)["image"].tensor
    )


def test_color_becomes_gray_for_a_network_of_one_channel(path):
    assert record(net_of(1), path)["image"].shape == (1, 8, 6)


def test_bytes_that_a_network_takes_itself_stay_bytes():
    class Scales(nn.Module):
        def forward(self, x):
            return x.float() / 255

    image = torch.full((3, 4, 4), 255, dtype=torch.uint8)
    assert record(Scales(), image)["image"].tensor.dtype == torch.uint8


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (None, "type NoneType"),
        (3, "type int"),
        ([1, 2], "a list of 2; record takes one image"),
        (b"text", "The image is"),
        ("nowhere.png", "nowhere.png"),
        (np.zeros((2, 8, 8, 3)), r"Of a batch, pass one: images\[0\]"),
        (torch.zeros(2, 3, 8, 8), r"Of a batch, pass one: images\[0\]"),
        (np.zeros((0, 3)), "no pixels"),
        (np.full((8, 8, 3), -1.0), "undo its normalization"),
        (np.array(["a"]), "The image"),
        (torch.zeros(8, 8, 3, dtype=torch.uint8), r"tensor.permute\(2, 0, 1\)"),
    ],
)
def test_what_is_no_image_is_refused_in_a_sentence(image, said):
    with pytest.raises(RequestError, match=said):
        record(net_of(3), image)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (torch.zeros(8, 8, 3), r"takes 3 channels, which come first: `image.permute\(2, 0, 1\)`"),
        (torch.zeros(4, 8, 8), "takes 3 channels, and the image has 4"),
        (torch.zeros(3, 8, 8, dtype=torch.int64), "integers"),
    ],
)
def test_a_tensor_that_a_network_refuses_is_told_with_the_remedy(image, said):
    with pytest.raises(NetworkError, match=said):
        record(net_of(3), image)


@pytest.mark.parametrize("net", ["resnet18", nn.Conv2d, None])
def test_what_is_no_network_is_refused(net):
    with pytest.raises(RequestError, match=r"record takes a torch\.nn\.Module"):
        record(net, FED)


class MadeFor(nn.Module):
    """A network for images of 32x32, as its own assertion says."""

    def __init__(self, num_classes=4):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 2, 5, stride=4), nn.Linear(2 * 7 * 7, num_classes)

    def forward(self, x):
        assert x.shape[-1] == 32, f"made for 32, not {x.shape[-1]}"
        return {"features": self.conv(x), "logits": self.fc(self.conv(x).flatten(1))}


def test_the_size_that_a_network_is_made_for_is_found_by_trial(path):
    explanation = convscope.explain(MadeFor(), path)
    assert explanation.name == "fc"
    with pytest.raises(
        NetworkError, match=r"in its forward .*: AssertionError: made for 32, not 64"
    ):
        convscope.explain(MadeFor(), path, input_size=64)
