"""A box explained: its numbers as units, suppression, and the pixels that moved an edge."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.boxes.coding import BoxCoding
from convscope.boxes.suppression import detections
from convscope.card import Card
from convscope.errors import RequestError
from convscope.predictions.objects import objects_of
from convscope.zoo import create_model
from tests.reference import boxes as slow

CLASSES = ("cat", "dog", "owl")


def card_of(coding, **more):
    return Card(
        classes=CLASSES, input_size=(32, 32), in_channels=1, resize_mode="pad", mean=(0.4,),
        std=(0.3,), task="detection", boxes=coding, **more,
    )  # fmt: skip


def anchored():
    torch.manual_seed(3)
    net = create_model("yolo_small", num_classes=3, in_channels=1, input_size=(32, 32)).eval()
    nn.init.normal_(net.boxes.weight, std=0.15)
    return net, card_of(net.box_coding)


def of_2016():
    """The paper's coding behind a dense layer, with confidences and probabilities above 0."""
    torch.manual_seed(1)
    coding = BoxCoding(name="yolo-2016", grid=(3, 3), num_classes=3, num_boxes=2)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=4), nn.LeakyReLU(0.1), nn.Flatten(), nn.Linear(256, 9 * 13)
    )
    nn.init.uniform_(net[3].bias, 0.6, 0.9)
    vars(net)["box_coding"] = coding
    return net.eval(), card_of(coding)


@pytest.fixture(scope="module", params=[anchored, of_2016], ids=["anchors", "yolo-2016"])
def found(request):
    """The boxes of an image that is wider than high, so that it gets black bars."""
    net, card = request.param()
    pixels = np.random.default_rng(0).integers(0, 256, (27, 48), dtype=np.uint8)
    image = Image.fromarray(pixels)
    return net, card, image, convscope.explain_boxes(net, image, card=card)


def test_boxes_are_those_that_are_predicted(found):
    _, card, image, boxes = found
    assert len(boxes) > 1
    outputs = boxes.recorded.recording[boxes.recorded.recording.output].tensor
    expected = objects_of(detections(outputs.numpy(), card.boxes)[0], image.size, card)
    assert [(one.label, one.cell) for one in boxes] == [(e.label, e.cell) for e in expected]
    for one, other in zip(boxes, expected, strict=True):
        assert one.score == other.score
        assert one.edges == pytest.approx(other.box)
        assert [one.explain(edge).model_value for edge in ("left", "top", "right", "bottom")] == (
            pytest.approx(other.box)
        )
        assert one.explain("score").model_value == pytest.approx(other.score, rel=1e-12)


@pytest.mark.parametrize("size", [(31, 32), (32, 31), (48, 47)], ids=str)
def test_a_bar_on_one_side_alone_is_cut_off(size):
    net, card = anchored()
    nn.init.constant_(net.boxes.bias, 1.0)  # large boxes, which reach all edges
    image = Image.new("L", size, 90)
    boxes = convscope.explain_boxes(net, image, card=card)
    right, bottom = (max(one.edges[k] for one in boxes) for k in (2, 3))
    assert (right, bottom) == size
    for one in boxes:
        edges = [one.explain(edge).model_value for edge in ("left", "top", "right", "bottom")]
        assert edges == pytest.approx(one.edges)


def test_where_most_boxes_are_faint_predict_says_which_least_score_shows_them():
    net, net.card = anchored()
    with torch.no_grad():
        net.boxes.bias[4 :: 5 + 3] -= 5  # of the confidences
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (32, 32), np.uint8) for _ in range(9)]
    best = [one.objects[0].score for one in convscope.predict(net, images, min_score=0.01)]
    faint = sorted(score for score in best if score < 0.5)
    assert faint[len(faint) // 2] > 0.1
    assert 4 < len(faint) < 9
    (said,) = convscope.predict(net, images).notes
    assert f"In {len(faint)} of 9 images no box has a score of 0.5" in said
    assert f"have {faint[0]:.2f} to {faint[-1]:.2f}" in said
    least = float(said.partition("`min_score=")[2].partition("`")[0])
    shown = convscope.predict(net, images, min_score=least)
    assert sum(bool(one.objects) for one in shown) > 6
    assert not shown.notes


def test_every_number_adds_up_and_leads_to_the_pixels(found):
    *_, boxes = found
    for name in (boxes.kept[0], boxes.kept[-1]):
        box = boxes[name]
        for number in (full.removeprefix(f"{name}.") for full in box.names):
            explanation = box.explain(number)
            assert explanation.is_within_tolerance, number
            if explanation.decomposition.kind == "sum":
                terms, decomposition = explanation.terms, explanation.decomposition
                total = (sum(terms.products) + decomposition.bias) / decomposition.divisor
                assert total == pytest.approx(explanation.model_value, rel=1e-12), number
        trace = box.recording.trace_back(f"{name}.left", top=2)
        assert trace.pixels
        assert {"boxes" if "boxes" in box.recording else "3"} <= {t.location.source for t in trace}


def test_numbers_are_those_of_the_slow_loop(found):
    _, card, _, boxes = found
    recording = boxes.recorded.recording
    expected = slow.decode(recording[recording.output].value.double().tolist(), card.boxes)
    for box in boxes:
        (x, y, width, height), confidence, shares = expected[box.cell]
        numbers = dict(center_x=x, center_y=y, width=width, height=height, confidence=confidence)
        for number, value in numbers.items():
            assert box.explain(number).exact_value == pytest.approx(value, rel=1e-12), number
        assert box.explain("probability").exact_value == pytest.approx(shares[box.label_index])


def test_a_suppressed_box_is_called_by_the_one_that_suppressed_it(found):
    *_, boxes = found
    gone = [name for name in boxes.numbers if "." in name]
    assert gone
    for name in gone:
        kept = name.partition(".")[0]
        comparison = boxes.compare(name, kept)
        assert comparison.is_suppressed
        assert comparison.names == (kept, name)
        assert comparison.labels[0] == comparison.labels[1]
        assert comparison.scores[0] >= comparison.scores[1]
        assert comparison.iou > 0.5
        assert comparison.iou == pytest.approx(slow.iou(*comparison.boxes))
        assert f"{kept} suppressed {name}" in str(boxes[name])
    others = [c for box in boxes for c in box.others]
    assert all(c.labels[0] != c.labels[1] and not c.was_made for c in others)


@pytest.mark.parametrize("number", ["left", "bottom", "width", "center_y", "score"])
def test_pixels_biases_and_the_decoding_add_up_to_a_number(found, number):
    net, card, image, boxes = found
    name = boxes.kept[0]
    maps = convscope.attribute(
        net, image, target=f"{name}.{number}", card=card, method="gradient-x-input",
        random_weights=False, random_orders=0,
    )  # fmt: skip
    shares = maps.images[0]["gradient-x-input"].shares
    raw = dict(left="left_uncut", bottom="bottom_uncut").get(number, number)
    value = boxes[name].explain(raw).model_value
    across, down = boxes.placements
    if number != "score":
        placement = down if number in ("bottom", "center_y") else across
        value *= placement.scale
        value += 0 if number == "width" else placement.offset
    assert shares.score == pytest.approx(value, rel=1e-5)
    assert abs(shares.rest) < 1e-4 * max(1, abs(value))
    assert abs(shares.map) > 1e-3  # pixels have a share


@pytest.mark.parametrize("network", [anchored, of_2016])
def test_the_pixels_of_an_edge_are_those_that_move_it(network):
    """Against a difference quotient, in an image without black bars, where maxima are tied."""
    net, card = network()
    fed = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(2))
    boxes = convscope.explain_boxes(net, fed, card=card)
    maps = convscope.attribute(
        net, fed, target="box1.right", card=card, method="gradient-x-input",
        random_weights=False, random_orders=0,
    )  # fmt: skip
    values = maps.images[0]["gradient-x-input"].map
    row, column = np.unravel_index(np.abs(values).argmax(), values.shape)
    edges = []
    for step in (-1e-6, 1e-6):
        moved = fed.double()
        moved[0, 0, row, column] *= 1 + step
        again = convscope.explain_boxes(net.double(), moved, card=card)
        same = next(box for box in again if box.cell == boxes[0].cell)
        edges.append(32 * same.explain("right_uncut").model_value)
    assert (edges[1] - edges[0]) / 2e-6 == pytest.approx(values[row, column], rel=1e-3)


class Drawn(nn.Module):
    """The one box reaches as far to the left as one dark square is bright; nothing else counts."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.0))
        coding = BoxCoding(name="yolo-2016", grid=(1, 1), num_classes=2, num_boxes=1)
        vars(self)["box_coding"] = coding
        self.card = Card(
            classes=("a", "b"), input_size=(28, 28), in_channels=1, resize_mode="pad",
            mean=(0.0,), std=(1.0,), task="detection", boxes=coding,
        )  # fmt: skip

    def forward(self, x):
        ink = x[:, 0, 4:8, 10:14].mean((1, 2)) * self.weight
        still = torch.ones_like(ink)
        side = 0.5 + 0.2 * ink
        return torch.stack([0.5 * still, 0.5 * still, side, 0.6 * still, still, still, 0 * ink], 1)


def test_an_edge_moves_most_without_the_pixels_that_moved_it():
    """By hand: a width of (0.5 + 0.2 ink)² times 28, of which half is left of the center."""
    net = Drawn().eval()
    image = 0.2 + torch.zeros(1, 28, 28)
    image[0, 4:8, 10:14] = 1.0
    maps = convscope.attribute(
        net, image, target="box1.left", method=["occlusion", "gradient-x-input"], baseline="black",
        window=2, stride=2, random_weights=False, random_orders=20,
    )  # fmt: skip
    whole = 28 * (0.7**2 - 0.5**2) / 2
    for found in maps.images[0].maps.values():
        moved = found.movement
        assert found.faithfulness is None
        assert moved.curve.values[0] == 0
        assert moved.curve.values[-1] == pytest.approx(whole, rel=1e-5)
        assert moved.at_top == pytest.approx(whole, rel=1e-5)  # 4 of 196 cells are all of it
        assert moved.num_better == 20
        assert np.mean(moved.random_top) < 0.6 * whole
        (said,) = [line for line in found.facts if line.startswith("Deletion")]
        assert f"box1.left moves by {moved.at_top:.3g} pixels" in said
        assert "further than in 20 of 20 random orders" in said
        assert found.to_dict()["movement"]["better_than_random"] == 20


def test_of_a_fed_tensor_edges_are_in_pixels_of_the_input():
    net, card = anchored()
    boxes = convscope.explain_boxes(net, torch.randn(1, 32, 32), card=card)
    left = boxes[0].explain("left")
    assert left.model_value == 32 * boxes[0].explain("left_share").model_value
    assert "pixels of the network's input" in str(boxes[0])


def test_refusals_name_the_box_and_the_remedy(found):
    net, card, image, _ = found
    with pytest.raises(RequestError, match=r"There is no box99 in this image.*box1 to box"):
        convscope.explain(net, image, card=card, at="box99.left")
    with pytest.raises(RequestError, match=r"'lft' of box1 here\. Did you mean 'left'"):
        convscope.attribute(net, image, card=card, target="box1.lft")
    with pytest.raises(RequestError, match=r"Explain a number of a box, with `target` as box1"):
        convscope.attribute(net, image, card=card)
    with pytest.raises(RequestError, match="lrp divides the score of a class"):
        convscope.attribute(net, image, card=card, target="box1.left", method="lrp")
    with pytest.raises(RequestError, match="`instead_of` is for classes"):
        convscope.attribute(net, image, card=card, target="box1.left", instead_of="cat")
    with pytest.raises(RequestError, match=r"box1\.left is one number\. `contrast` is for"):
        convscope.explain(net, image, card=card, at="box1.left", contrast="box1.right")
    with pytest.raises(RequestError, match="not with itself"):
        convscope.explain_boxes(net, image, card=card).compare("box1", "box1")
    plain = create_model("lenet5", num_classes=10)
    with pytest.raises(RequestError, match="classifies whole images"):
        convscope.explain_boxes(plain, torch.rand(1, 32, 32))


def test_where_no_box_is_found_nothing_else_is_explained_in_its_place(tmp_path, command):
    net, card = anchored()
    torch.nn.init.constant_([*net.parameters()][-1], -20)  # the last bias: no confidence at all
    recorded = convscope.explain_boxes(net, torch.zeros(1, 32, 32), card=card).recorded
    with pytest.raises(RequestError, match=r"No box has a score of .*\. Name a unit with"):
        convscope.explain(net, torch.zeros(1, 32, 32), card=card)
    saved = str(tmp_path / "pass.safetensors")
    recorded.save(saved)
    said = command("explain", saved, "--trace-back", code=2).stderr
    assert "No box has a score of 1% or more. Name a unit with --at" in said
    said = command("explain", saved, "--at", "box1", code=2).stderr
    assert "There is no box1 in this image. No box has" in said


def test_explain_lists_boxes_and_explains_one(tmp_path, command):
    net, card = of_2016()
    boxes = convscope.explain_boxes(net, torch.rand(1, 32, 32), card=card)
    saved = str(tmp_path / "pass.safetensors")
    boxes.recorded.save(saved)
    listed = command("explain", saved).stdout
    assert "suppressed" in listed
    assert "--at box1" in listed
    said = command("explain", saved, "--at", "box1").stdout
    assert "box1: class" in said
    assert "score = " in said
    gone = next(name for name in boxes.numbers if "." in name)
    kept = gone.partition(".")[0]
    said = command("explain", saved, "--at", kept, "--contrast", gone).stdout
    assert f"{kept} suppressed {gone}" in said
    assert "union" in said
    if kept == "box1":
        assert said == command("explain", saved, "--contrast", gone).stdout
    refused = command("explain", saved, "--contrast", "3", code=2).stderr
    assert "--contrast '3' is no box; box1 is compared with one" in refused
    assert "box1.score = " in command("explain", saved, "--trace-back").stdout
    payload = json.loads(command("explain", saved, "--at", "box1", "--json").stdout)
    assert payload["score"] == pytest.approx(boxes[0].score)
    assert payload["comparisons"] == [one.to_dict() for one in boxes[0].comparisons]
    assert "box1.left = " in command("explain", saved, "--at", "box1.left").stdout
    assert "image[" in command("explain", saved, "--at", "box1.left", "--trace-back").stdout
    payload = json.loads(command("explain", saved, "--json").stdout)
    assert len(payload["boxes"]) == len(boxes.numbers)
