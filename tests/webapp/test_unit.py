"""The arithmetic of a unit adds up, and every operand is a unit of a row."""

import json
import math
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convscope import create_model, record
from convscope.errors import RequestError
from convscope.webapp.inspect.graph import graph_rows
from convscope.webapp.inspect.maps import volume_of
from convscope.webapp.inspect.unit import UnitView
from convscope.zoo import ZOO


@pytest.fixture(scope="module", params=["lenet5", "resnet18", "googlenet", "densenet40_12"])
def unit_view(request):
    torch.manual_seed(0)
    name = request.param
    net = create_model(name).eval()
    recording = record(net, torch.randn(ZOO[name].in_channels, *ZOO[name].input_size))
    counts = {key: p.numel() for key, p in net.named_parameters()}
    return UnitView(recording, graph_rows(recording, counts))


def units(unit_view, each=2):
    dice = random.Random(0)
    for row in list(unit_view.rows.values())[1:]:
        for _ in range(each):
            at = [dice.randrange(side) for side in row.shape]
            yield row, at, unit_view.unit(row.name, at)


def test_the_value_is_the_volumes_and_the_unit_is_strict_json(unit_view):
    for row, (c, y, x), found in units(unit_view):
        assert found["value"] == pytest.approx(float(volume_of(unit_view.recording, row)[c, y, x]))
        assert found["is_within_tolerance"]
        assert json.loads(json.dumps(found, allow_nan=False)) == json.loads(json.dumps(found))


def test_channels_and_the_rest_and_the_bias_add_up_to_the_exact_total(unit_view):
    seen = 0
    for _, _, found in units(unit_view):
        if found["decomposition"] != "sum" or not found["sums"]:
            continue
        bias = found["bias"] or 0.0
        assert math.fsum([*found["sums"], bias]) == pytest.approx(found["exact_value"], rel=1e-9)
        shown = [part["sum"] for part in found["parts"]]
        total = math.fsum([*shown, found["rest"]["sum"], bias])
        assert total == pytest.approx(found["exact_value"], rel=1e-9, abs=1e-12)
        assert len(shown) + found["rest"]["count"] == len(found["sums"])
        for part in found["parts"]:
            products = np.array(part["patch"]) * np.array(part["filter"] or 1)
            assert np.allclose(products, part["products"])
        seen += 1
    assert seen


def test_listed_and_remaining_terms_add_up(unit_view):
    for _, _, found in units(unit_view):
        if found["decomposition"] == "sum" and not found["sums"]:
            products = [term["product"] for term in found["terms"]]
            total = math.fsum([*products, found["remaining"]["sum"]]) + (found["bias"] or 0.0)
            assert total / found["divisor"] == pytest.approx(
                found["exact_value"], rel=1e-9, abs=1e-12
            )
            assert len(products) + found["remaining"]["count"] == found["count"]


def test_every_cell_leads_to_the_unit_that_it_shows(unit_view):
    for _, _, found in units(unit_view, each=1):
        for part in found["parts"][:1]:
            for cells, values in zip(part["cells"], part["patch"], strict=True):
                for place, value in zip(cells, values, strict=True):
                    if place is None:
                        assert value in (0.0, "inf", "-inf")
                    else:
                        assert value_at(unit_view, place) == value
        for term in found["terms"]:
            assert term["location"] is not None
            assert value_at(unit_view, term["location"]) == pytest.approx(term["value"], rel=1e-12)


def value_at(unit_view, place):
    whole = volume_of(unit_view.recording, unit_view.rows[place["row"]])
    return float(whole[place["map"], place["y"], place["x"]])


def test_following_the_largest_product_ends_at_a_pixel(unit_view):
    row = list(unit_view.rows.values())[-1]
    here, steps = {"row": row.name, "map": 0, "y": 0, "x": 0}, 0
    while here["row"] != "image":
        found = unit_view.unit(here["row"], [here["map"], here["y"], here["x"]])
        assert set(found["inputs"]) <= set(unit_view.rows)
        here, steps = found["largest"], steps + 1
        assert here is not None
    assert 0 < steps <= len(unit_view.rows)


def test_more_channels_are_fetched_a_few_at_a_time(unit_view):
    row = next(r for r in unit_view.rows.values() if r.op == "conv" and r.inputs[0] != "image")
    first = unit_view.unit(row.name, [0, 0, 0], channels=3)["parts"]
    second = unit_view.unit(row.name, [0, 0, 0], channels=3, skip=3)["parts"]
    channels = [part["channel"] for part in (*first, *second)]
    assert len(set(channels)) == 6
    sums = [abs(part["sum"]) for part in (*first, *second)]
    assert sums == sorted(sums, reverse=True)


def test_a_unit_that_is_not_there_is_refused(unit_view):
    row = list(unit_view.rows.values())[1]
    with pytest.raises(RequestError, match="there is no unit"):
        unit_view.unit(row.name, [row.shape[0], 0, 0])


class Axes(nn.Module):
    """A network of images that reads them as signals, or as volumes of planes, on the way."""

    def __init__(self, count):
        super().__init__()
        self.count = count
        self.stem = nn.Conv2d(3, 4, 2, stride=2)
        self.conv = (nn.Conv1d, nn.Conv3d)[count // 3](4 if count == 1 else 1, 2, 3, padding=1)
        self.pos = nn.Parameter(torch.full((2, 1), 9.0) if count == 1 else torch.ones(2, 1, 1, 1))
        self.fc = nn.Linear(2, 3)

    def forward(self, x):
        x = self.stem(x)
        x = x.flatten(2) if self.count == 1 else x.unsqueeze(1)
        x = (F.max_pool1d if self.count == 1 else F.max_pool3d)(self.conv(x), 2)
        return self.fc((x + self.pos).flatten(2).mean(2))


@pytest.fixture(scope="module", params=[1, 3], ids=["signals", "volumes"])
def odd_view(request):
    torch.manual_seed(0)
    recording = record(Axes(request.param), torch.randn(3, 8, 8))
    return UnitView(recording, graph_rows(recording, {}))


def test_every_unit_along_one_or_three_axes_is_that_of_the_volume(odd_view):
    kinds = set()
    for row, view in ((row, odd_view) for row in list(odd_view.rows.values())[1:]):
        volume = volume_of(view.recording, row)
        for at in np.ndindex(*row.shape):
            found = view.unit(row.name, at)
            assert found["value"] == pytest.approx(float(volume[at]))
            for part in found["parts"]:
                for cells, values in zip(part["cells"], part["patch"], strict=True):
                    for place, value in zip(cells, values, strict=True):
                        if place is not None:
                            source = volume_of(view.recording, view.rows[place["row"]])
                            assert source[place["map"], place["y"], place["x"]] == value
                        else:
                            assert value in (0.0, "-inf")
            if found["winner"]:
                y, x = found["winner"]
                assert found["parts"][0]["patch"][y][x] == found["exact_value"]
            if found["window"]:
                kinds.add(tuple(found["window"]))
    assert {(3,), (2,)} <= kinds or {(3, 3, 3), (2, 2, 2)} <= kinds


def test_a_row_of_other_axes_has_its_own_shape(odd_view):
    row = odd_view.rows["conv"]
    assert row.to_dict()["axes"] in ((2, 16), (2, 4, 4, 4))
    assert row.shape in ((2, 1, 16), (2, 16, 4))


def test_a_parameter_that_contributes_most_is_named(odd_view):
    if odd_view.recording["conv"].value.ndim != 2:
        return
    found = odd_view.unit("add", (1, 0, 3))
    assert (found["largest"], found["ends_at"]) == (None, "pos[1,0], a parameter")
    assert {term["source"] for term in found["terms"]} == {None, "pos[1,0], a parameter"}
