"""The percentage is a unit: its arithmetic is that of the number that the page shows."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import nn

from convscope.card import Card
from convscope.explanation.recording import record
from convscope.webapp.inspect.graph import graph_rows
from convscope.webapp.inspect.probabilities import with_probabilities
from convscope.webapp.inspect.store import LoadedModel, ModelStore


def opened(net: nn.Module, names: Sequence[str] = ("a", "b", "c")) -> LoadedModel:
    store = ModelStore()
    model = store.open(net, input_size=8, class_names=names)
    y, x = np.mgrid[:8, :8]
    store.add(model, "slanted", (20 * y + 10 * x).astype(np.uint8)[..., None])
    return model


def logits() -> nn.Sequential:
    torch.manual_seed(2)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3))


def test_a_class_is_explained_by_its_share_of_the_powers_of_e():
    model = opened(logits())
    [image] = model.images
    scores = image.recording["2"].value.tolist()
    powers = [math.exp(score) for score in scores]
    assert model.answer_row == "softmax"
    for answer in model.predictions(image):
        k = answer["index"]
        unit = image.units.unit("softmax", (k, 0, 0))
        assert unit["value"] == answer["probability"]
        assert unit["exact_value"] == pytest.approx(powers[k] / sum(powers), rel=1e-12)
        assert unit["is_within_tolerance"]
        assert unit["largest"] == {"row": "2", "map": k, "y": 0, "x": 0}
        shares = {term["location"]["map"]: term["product"] for term in unit["terms"]}
        assert shares == pytest.approx({n: p / sum(powers) for n, p in enumerate(powers)})
    assert image.recording.output == "2"  # the network's own, on which all else rests


def test_a_softmax_of_the_network_s_own_is_a_row_of_its_own_and_no_second_one_follows():
    model = opened(nn.Sequential(*logits(), nn.Softmax(1)))
    [image] = model.images
    assert [row.name for row in model.rows] == ["image", "0", "2", "3"]
    assert model.answer_row == "3"
    [first, *_] = model.predictions(image)
    assert image.units.unit("3", (first["index"], 0, 0))["value"] == first["probability"]


def test_a_temperature_divides_before_the_softmax():
    net, image = logits(), torch.rand(1, 1, 8, 8)
    card = Card(classes=("a", "b", "c"), input_size=(8, 8), in_channels=1, resize_mode="crop",
                mean=(0.0,), std=(1.0,), temperature=2.5)  # fmt: skip
    recording = with_probabilities(record(net, image), card)
    assert recording.names[-2:] == ("divided_by_temperature", "softmax")
    expected = (net(image)[0].double() / 2.5).softmax(0)
    told = recording.explain("softmax", (1,))
    assert told.exact_value == pytest.approx(expected[1].item(), rel=1e-12)
    step = recording.explain("divided_by_temperature", (1,))
    assert step.exact_value == pytest.approx(net(image)[0, 1].item() / 2.5, rel=1e-12)


def test_labels_that_stand_for_themselves_have_a_sigmoid_with_its_arithmetic():
    net, image = logits(), torch.rand(1, 1, 8, 8)
    card = Card(classes=("a", "b", "c"), input_size=(8, 8), in_channels=1, resize_mode="crop",
                mean=(0.0,), std=(1.0,), task="multi-label")  # fmt: skip
    recording = with_probabilities(record(net, image), card)
    assert recording.names == ("0", "1", "2", "sigmoid")
    rows = graph_rows(recording, {})
    assert [row.name for row in rows][-2:] == ["2", "sigmoid"]  # no part of the layer before it
    for k, score in enumerate(net(image)[0].tolist()):
        told = recording.explain("sigmoid", (k,))
        assert told.exact_value == pytest.approx(1 / (1 + math.exp(-score)), rel=1e-12)


def test_one_logit_is_the_chance_of_the_second_of_two_classes():
    torch.manual_seed(2)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 1))
    model = opened(net, names=["cat", "dog"])
    [image] = model.images
    [score] = image.recording["2"].value.tolist()
    chance = 1 / (1 + math.exp(-score))
    assert model.answer_row == "sigmoid"
    told = {answer["class"]: answer["probability"] for answer in model.predictions(image)}
    assert told == pytest.approx({"dog": chance, "cat": 1 - chance}, rel=1e-12)
    assert {answer["unit"] for answer in model.predictions(image)} == {0}
    assert image.units.unit("sigmoid", (0, 0, 0))["exact_value"] == pytest.approx(chance, rel=1e-12)


def test_a_network_that_ends_in_sigmoids_is_not_read_as_classes_that_exclude_each_other():
    model = opened(nn.Sequential(*logits(), nn.Sigmoid()))
    [image] = model.images
    values = image.recording[image.recording.output].value.tolist()
    assert sum(values) != pytest.approx(1, abs=0.1)
    told = {answer["index"]: answer["probability"] for answer in model.predictions(image)}
    assert told == pytest.approx(dict(enumerate(values)))
    assert model.answer_row == "2"
    assert [step["label"] for step in image.units.unit("2", (0, 0, 0))["steps"]] == ["Sigmoid"]
