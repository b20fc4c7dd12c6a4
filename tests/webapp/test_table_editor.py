"""The sizes of a table that is being edited are those of the network that it builds."""

import pytest

from convscope.arithmetic import Volume
from convscope.errors import RequestError
from convscope.webapp.jobs.table_editor import checked_text, sizes, starts
from convscope.zoo import create_model
from convscope.zoo.table_sizes import MAX_ROWS, format_table, size_table

GRAY = Volume(1, 32, 32)
LENET = starts()[0]["rows"]


def rows(*lines):
    names = ("layer", "filters", "size", "stride", "padding", "activation")
    return [dict(zip(names, line.split(), strict=False)) for line in lines]


@pytest.mark.parametrize("start", starts(), ids=lambda start: start["name"])
def test_sizes_and_parameters_are_those_of_the_network_of_its_file(start, tmp_path):
    found = sizes(start["rows"], start["input"], 10)
    assert found["is_right"]
    file = tmp_path / "net.toml"
    file.write_text(checked_text(start["rows"], start["input"], 10))
    net = create_model(str(file), num_classes=10)
    layers = dict(net.named_modules())
    for row, told in zip(start["rows"], found["rows"], strict=True):
        weights = layers[row["layer"]].parameters()
        assert told["parameters"] == sum(weight.numel() for weight in weights)
    assert found["parameters"] == sum(weight.numel() for weight in net.parameters())


def test_the_table_of_lenet5_has_the_figures_of_its_paper():
    found = size_table(LENET, GRAY, num_classes=10)
    assert [row.parameters for row in found.rows] == [156, 0, 2416, 0, 48_120, 10_164, 850]
    assert [row.output.units for row in found.rows] == [4704, 1176, 1600, 400, 120, 84, 10]
    assert found.parameters == 61_706


def test_each_wrong_row_says_why_and_those_below_have_no_size():
    cells = rows("conv1 8 3", "conv2 8 40", "conv3 x 3", "conv1 8 3", "blur1", "fc1 classes")
    found = size_table(cells, GRAY, num_classes=10)
    first, second, third, fourth, fifth, last = found.rows
    assert (first.output, first.parameters, first.error) == (Volume(8, 30, 30), 80, "")
    assert second.error.startswith("A 40x40 filter does not fit a 30x30 map; pad by 5")
    assert third.error.startswith("Filters is 'x'; it must be a whole number from 1 to 999,999")
    assert fourth.error == "An earlier row has the same name; give each layer its own."
    assert fifth.error.startswith("There is no kind of layer 'blur'.")
    assert (last.output, last.error) == (None, "")
    assert not found.is_right


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ([], "Add a row: a network needs a layer."),
        (rows("conv1 8 3"), "The network ends with maps of 30x30. Add an fc row"),
        (rows("fc1 7"), "The network ends with 7 units, but there are 10 classes."),
        (rows("fc1 10") * (MAX_ROWS + 1), "A table has at most 200 rows here."),
    ],
)
def test_what_is_wrong_with_the_whole_is_said_below_it(cells, why):
    assert size_table(cells, GRAY, num_classes=10).error.startswith(why)


def test_a_layer_of_a_million_filters_takes_no_memory_and_is_refused():
    found = size_table(rows("conv1 999999 99 1 99", "fc1 classes"), GRAY, num_classes=10)
    assert "more than the limit of 4,000 MB" in found.rows[0].error
    large = size_table(rows("conv1 90000 3", "globalpool1", "fc1 classes"), GRAY, num_classes=10)
    assert large.rows[0].parameters == 900_000


@pytest.mark.parametrize(
    "cell", ['a"""', "a b", "conv1\nmodel", "#", "\\", "x" * 101, "conv1\u202e"]
)
def test_no_cell_leaves_its_place_in_the_file(cell):
    for column in ("layer", "filters", "activation"):
        cells = [{**LENET[0], column: cell}, *LENET[1:]]
        assert size_table(cells, GRAY, num_classes=10).rows[0].error
        with pytest.raises(RequestError, match="cell"):
            format_table(cells, GRAY)
        with pytest.raises(RequestError, match="Row 1 of the network"):
            checked_text(cells, [1, 32, 32], 10)


@pytest.mark.parametrize("image", [[2, 8, 8], [1, 8], [1, 0, 8], [1, 8, 5000], []])
def test_an_input_that_is_none_is_refused(image):
    with pytest.raises(RequestError, match="The input is channels, height and width"):
        sizes(LENET, image, 10)
