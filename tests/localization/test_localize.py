"""Objects at known places are found, and scored as a slow scorer says."""

import csv

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import convscope
from convscope.card import Card
from convscope.data.fit import fit_image
from convscope.errors import RequestError
from convscope.localization.component import box_of_map
from convscope.localization.placing import to_image, to_input
from convscope.localization.scoring import Guess, figures, score_image
from tests.reference import localization as slow

CLASSES = ("green", "red")
CARD = Card(classes=CLASSES, input_size=(32, 32), in_channels=3, resize_mode="crop",
            mean=(0.0,) * 3, std=(1.0,) * 3)  # fmt: skip


class Bright(nn.Module):
    """One map for each color where it is bright; the class is that of the larger mean."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 2, stride=2)
        self.fc = nn.Linear(2, 2)
        with torch.no_grad():
            self.conv.weight.zero_()
            self.conv.weight[0, 1] = self.conv.weight[1, 0] = 1 / 4
            self.conv.bias.fill_(-0.5)
            self.fc.weight.copy_(20 * torch.eye(2))
            self.fc.bias.zero_()

    def forward(self, images):
        return self.fc(self.conv(images).relu().mean((2, 3)))


def network():
    net = Bright().eval()
    net.card = CARD
    return net


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Bright squares on dark noise, in images of 64x64 of which every second pixel is fed."""
    root, random = tmp_path_factory.mktemp("scenes"), np.random.default_rng(0)
    rows = []
    for split, count in (("train", 60), ("test", 24)):
        for number in range(count):
            label = number % 2
            pixels = random.integers(0, 60, (64, 64, 3), dtype=np.uint8)
            side, (top, left) = 2 * int(random.integers(8, 14)), 2 * random.integers(1, 18, 2)
            pixels[top : top + side, left : left + side, 1 - label] = 250
            path = root / "images" / split / CLASSES[label] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
            key = path.relative_to(root / "images").as_posix()
            rows.append((key, CLASSES[label], left, top, left + side, top + side))
    with (root / "boxes.csv").open("w") as file:
        csv.writer(file).writerows([("path", "label", "xmin", "ymin", "xmax", "ymax"), *rows])
    return root


@pytest.mark.parametrize("method", ["cam", "grad-cam"])
def test_a_planted_square_is_found(scenes, method, tmp_path):
    found = convscope.localize(
        network(), scenes / "images", boxes=scenes / "boxes.csv", method=method
    )
    assert len(found.images) == 24
    assert found.localization_error == 0
    assert found.figures["localization_error"].interval[1] < 0.15
    for one in found.images:
        [truth] = one.boxes
        assert np.abs(np.subtract(one.guesses[0].box, truth)).max() <= 4  # a cell has 4 pixels
    found.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text().count("<figure>") == 24
    found.write_csv(tmp_path / "rows.csv")
    rows = list(csv.DictReader((tmp_path / "rows.csv").read_text().splitlines()))
    assert [row["localized"] for row in rows] == ["True"] * 24
    picture = np.asarray(found.pictures[0].drawn())
    assert (picture == (0x2F, 0xB3, 0x44)).all(2).any()


def test_a_wrong_box_or_a_wrong_class_is_not_found(scenes, tmp_path):
    text = (scenes / "boxes.csv").read_text().splitlines()
    moved = [text[0], *(f"{line.rsplit(',', 4)[0]},0,0,3,3" for line in text[1:])]
    (tmp_path / "boxes.csv").write_text("\n".join(moved))
    found = convscope.localize(network(), scenes / "images", boxes=tmp_path / "boxes.csv")
    assert found.localization_error == 1
    assert found.figures["classification_error"].value == 0
    swapped = network()
    swapped.card = Card(**{**vars(CARD), "classes": CLASSES[::-1]})
    found = convscope.localize(swapped, scenes / "images", boxes=scenes / "boxes.csv")
    assert found.figures["top1_localization_error"].value == 1


@pytest.mark.parametrize("method", ["regressor", "regressor-per-class"])
def test_a_regressor_learns_where_squares_are(scenes, method):
    kwargs = dict(boxes=scenes / "boxes.csv", method=method)
    found = convscope.localize(network(), scenes / "images", **kwargs)
    assert found.figures["mean_overlap"].value > 0.6
    again = convscope.localize(network(), scenes / "images", **kwargs)
    assert again.per_image == found.per_image
    other = convscope.localize(network(), scenes / "images", **kwargs, seed=1)
    assert other.per_image != found.per_image


SIDES = st.tuples(*[st.integers(0, 12)] * 2, *[st.integers(1, 12)] * 2)
BOXES = SIDES.map(lambda s: (float(s[0]), float(s[1]), float(s[0] + s[2]), float(s[1] + s[3])))
GUESSES = st.lists(st.tuples(st.integers(0, 3), st.none() | BOXES), min_size=1, max_size=5)


@given(GUESSES, st.integers(0, 3), st.lists(BOXES, min_size=1, max_size=3))
def test_the_score_is_the_slow_scorers(guesses, truth, boxes):
    found = score_image([Guess(*one) for one in guesses], truth, boxes)
    assert found.found5 == (slow.error(guesses, truth, boxes) == 0)
    assert found.found1 == (slow.error(guesses[:1], truth, boxes) == 0)
    assert figures([found])["localization_error"].value == slow.error(guesses, truth, boxes)


def test_an_overlap_of_exactly_one_half_is_right():
    assert score_image([Guess(0, (0, 0, 2, 1))], 0, [(0, 0, 1, 1)]).found1
    assert not score_image([Guess(0, (0, 0, 2.001, 1))], 0, [(0, 0, 1, 1)]).found1


@given(st.integers(0, 2**32 - 1))
def test_the_box_of_a_map_is_that_of_its_largest_part(seed):
    random = np.random.default_rng(seed)
    values = random.integers(0, 4, random.integers(1, 12, 2)).astype(float)
    values += random.random(values.shape) / 100
    values[0, 0] += 1e-3
    assert box_of_map(values, 0.5) == slow.largest_part(values, 0.5)
    assert box_of_map(np.zeros((3, 4)), 0.2) is None


@pytest.mark.parametrize("mode", ["crop", "stretch", "letterbox", "pad"])
@pytest.mark.parametrize("size", [(64, 64), (100, 40), (30, 90), (20, 10)])
def test_boxes_go_to_the_input_and_back(mode, size):
    card = Card(**{**vars(CARD), "resize_mode": mode})
    fit = fit_image(size, card)
    left, top, right, bottom = fit.box
    whole = to_input(fit.box, size, card)
    assert (whole[3] - whole[1], whole[2] - whole[0]) == pytest.approx(fit.size)
    middle = (left + (right - left) / 4, top + (bottom - top) / 4, (left + right) / 2, bottom)
    assert to_image(to_input(middle, size, card), size, card) == pytest.approx(middle)


def test_what_cannot_be_localized_is_refused(scenes, tmp_path):
    net, images, boxes = network(), scenes / "images", scenes / "boxes.csv"
    (tmp_path / "other.csv").write_text("path,label,x,y,w,h\nz.png,red,1,1,2,2\n")
    with pytest.raises(RequestError, match=r"has no box for any .* first boxes are of z\.png"):
        convscope.localize(net, images, boxes=tmp_path / "other.csv")
    with pytest.raises(RequestError, match="`threshold` is a share"):
        convscope.localize(net, images, boxes=boxes, threshold=20)
    with pytest.raises(RequestError, match="`method` must be one of grad-cam"):
        convscope.localize(net, images, boxes=boxes, method="yolo")
    found = convscope.localize(net, images, boxes=boxes, max_images=3)
    assert len(found.images) == 3
    assert "The first 3 of 24" in found.notes[-1]
    with pytest.raises(RequestError, match=r"ends in \.html"):
        found.save(tmp_path / "page.png")
