"""The lesson on LeNet-5 tells the lecture's counts and those of 1998."""

import math

import pytest
from torch import nn

from convscope.errors import RequestError
from convscope.layers import SparseConnectionConv2d, Subsampling2d
from convscope.lessons.lenet5 import compute
from convscope.zoo import create_model

START = {"network": "lecture", "classes": 10, "side": 32, "row": 2, "column": 0}


def answer(**change):
    return compute({**START, **change})


def value_of(formula: str) -> int:
    """What a formula on the page comes to, by Python's own arithmetic."""
    words = formula.partition(":")[0].partition(" = ")[0]
    return math.floor(eval(words.replace("·", "*").replace("−", "-")))  # noqa: S307 -- digits


def test_the_lecture_s_table_adds_up_to_its_parameters():
    rows = answer()["rows"]
    assert [row["parameters"] for row in rows] == [156, 0, 2416, 0, 48120, 10164, 850]
    assert answer()["parameters"] == 61_706
    assert [tuple(row["map"]) for row in rows] == [
        *((6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120, 1, 1), (84,), (10,)),
    ]


def test_the_network_of_1998_has_its_parameters_and_its_connections():
    found = answer(network="1998")
    assert [row["parameters"] for row in found["rows"]] == [156, 12, 1516, 32, 48120, 10164, 0]
    assert [row["connections"] for row in found["rows"]] == [
        *(122_304, 5_880, 151_600, 2_000, 48_120, 10_164, 840),
    ]
    assert (found["parameters"], found["connections"]) == (60_000, 340_908)


def test_the_bytes_are_those_of_the_parameters_as_float32():
    assert answer()["bytes"] == 246_824
    assert answer(network="1998")["bytes"] == 240_000


@pytest.mark.parametrize("network", ["lecture", "1998"])
@pytest.mark.parametrize("side", [28, 32, 40, 45, 64])
@pytest.mark.parametrize("row", range(7))
def test_every_formula_comes_to_the_count_beside_it(network, side, row):
    found = answer(network=network, side=side, row=row)
    lines = {name: (count, formula) for name, count, formula in found["worked"]}
    for count, formula in lines.values():
        if "nothing to learn" not in formula:
            assert value_of(formula) == count, formula
    own = found["rows"][found["row"]]
    assert lines["parameters"][0] == own["parameters"]
    assert lines["connections"][0] == own["connections"]
    assert lines.get("multiply-adds", (0,))[0] == own["multiply_adds"]
    if "side of the map" in lines:
        assert lines["side of the map"][0] == own["map"][-1]


def weights_of(layer: nn.Module) -> int:
    """The numbers of a module that learn, counted one by one."""
    return sum(parameter.numel() for parameter in layer.parameters() if parameter.requires_grad)


@pytest.mark.parametrize(("network", "name"), [("lecture", "lenet5"), ("1998", "lenet5_1998")])
def test_rows_count_what_the_built_network_holds(network, name):
    for side, classes in ((32, 10), (44, 26)):
        rows = answer(network=network, side=side, classes=classes)["rows"]
        net = create_model(name, num_classes=classes, input_size=(side, side))
        for row in rows:
            assert row["parameters"] == weights_of(net.get_submodule(row["layer"])), row["layer"]


def test_shares_add_up_to_one_and_c5_has_most():
    for network, largest in (("lecture", 48_120 / 61_706), ("1998", 0.802)):
        shares = [row["share"] for row in answer(network=network)["rows"]]
        assert sum(shares) == pytest.approx(1)
        assert max(shares) == shares[4] == pytest.approx(largest)


def test_more_classes_change_the_last_layer_alone():
    assert answer()["changes"] == []
    (change,) = answer(classes=26)["changes"]
    assert change["layer"] == "fc2"
    assert tuple(change["parameters"]) == (850, 26 * 85)
    assert answer(classes=26)["parameters"] == 61_706 - 850 + 26 * 85


def test_a_larger_image_changes_every_map_and_the_parameters_of_the_first_dense_layer_alone():
    changes = {one["layer"]: one for one in answer(side=36)["changes"]}
    assert list(changes) == ["conv1", "pool1", "conv2", "pool2", "conv3", "fc1"]
    grown = {name for name, one in changes.items() if len(set(one["parameters"])) > 1}
    assert grown == {"fc1"}
    assert tuple(changes["fc1"]["parameters"]) == (10_164, 84 * (120 * 2 * 2 + 1))


@pytest.mark.parametrize("network", ["lecture", "1998"])
def test_an_image_of_28_ends_where_a_5x5_filter_finds_4x4(network):
    found = answer(network=network, side=28, row=6)
    assert [tuple(row["map"]) for row in found["rows"]] == [
        *((6, 24, 24), (6, 12, 12), (16, 8, 8), (16, 4, 4)),
    ]
    assert "4×4" in found["broken"]
    assert found["row"] == 3  # the last that there is
    assert answer(network=network)["broken"] is None


def test_every_map_of_s2_is_seen_ten_times_and_every_map_of_c3_sees_others():
    table = answer(network="1998")["table"]
    # the paper's Table I: six that see three neighbors, six four neighbors, three four, one all
    triples = [{k, (k + 1) % 6, (k + 2) % 6} for k in range(6)]
    fours = [{(k + i) % 6 for i in range(4)} for k in range(6)]
    assert [set(seen) for seen in table["links"][:6]] == triples
    assert [set(seen) for seen in table["links"][6:12]] == fours
    assert [set(seen) for seen in table["links"][12:15]] == [
        *({0, 1, 3, 4}, {1, 2, 4, 5}, {0, 2, 3, 5}),
    ]
    assert set(table["links"][15]) == set(range(6))
    assert (table["count"], table["pairs"], table["used"]) == (60, 96, [10] * 6)


def test_the_table_s_parameters_are_those_of_its_columns():
    for network in ("lecture", "1998"):
        integer = 0
        for column in range(16):
            table = answer(network=network, column=column)["table"]
            assert value_of(table["formula"]) == table["own"]
            integer += table["own"]
        assert integer == table["parameters"]
    assert (table["parameters"], table["full"]) == (1_516, 2_416)


def test_the_table_is_the_one_that_the_network_is_built_with():
    layer = create_model("lenet5_1998").get_submodule("C3")
    assert isinstance(layer, SparseConnectionConv2d)
    assert [tuple(seen) for seen in answer(network="1998")["table"]["links"]] == list(layer.table)
    assert isinstance(create_model("lenet5_1998").get_submodule("S2"), Subsampling2d)


@pytest.mark.parametrize(
    ("change", "told_of"),
    [
        ({"network": "2020"}, "network"),
        ({"classes": 1}, "classes"),
        ({"classes": 101}, "classes"),
        ({"classes": 2.5}, "classes"),
        ({"side": 27}, "side"),
        ({"side": 65}, "side"),
        ({"row": 7}, "row"),
        ({"row": -1}, "row"),
        ({"column": 16}, "column"),
        ({"column": None}, "column"),
        ({"classes": True}, "classes"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(change, told_of):
    with pytest.raises(RequestError, match=f"^{told_of} must be"):
        answer(**change)


def test_a_state_without_a_part_is_refused():
    for name in START:
        with pytest.raises(RequestError, match=f"^{name} must be"):
            compute({key: value for key, value in START.items() if key != name})
