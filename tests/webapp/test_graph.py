"""The rows of the page: every operation and every parameter once, connected as in the network."""

import pytest
import torch

from convscope import create_model, record
from convscope.webapp.inspect.graph import chw_shape, graph_rows
from convscope.zoo import ZOO

NETWORKS = ["lenet5", "lenet5_1998", "resnet18", "googlenet", "densenet40_12", "squeezenet1_1"]


def rows_of(name):
    net = create_model(name).eval()
    recording = record(net, torch.zeros(ZOO[name].in_channels, *ZOO[name].input_size))
    counts = {key: p.numel() for key, p in net.named_parameters()}
    return net, recording, graph_rows(recording, counts)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_that_ran_is_counted_once_and_every_input_is_a_row_above(name):
    net, recording, rows = rows_of(name)
    ran = {path for done in recording.operations for path in done.parameters}
    sizes = {path: p.numel() for path, p in net.named_parameters()}
    assert sum(row.columns["parameters"] for row in rows) == sum(
        size for path, size in sizes.items() if path in ran
    )
    above = set[str]()
    for row in rows:
        assert set(row.inputs) <= above
        assert row.inputs or row.name == "image"
        above.add(row.name)
    operations = [name for row in rows[1:] for name in row.operations]
    assert len(operations) == len(set(operations))


def test_what_follows_a_convolution_alone_is_folded_into_its_row():
    _, _, rows = rows_of("resnet18")
    found = {row.name: row for row in rows}
    first = found["conv2_1.conv1"]
    assert first.operations == ("conv2_1.conv1", "conv2_1.bn1", "conv2_1.relu1")
    assert (first.columns["type"], first.columns["activation"]) == ("Conv", "ReLU")
    assert (first.block, first.stage) == ("conv2_1", "conv2")
    assert found["conv2_1.add"].inputs == ("conv2_1.conv2", "pool1")
    assert found["conv3_1.shortcut.conv"].block == "conv3_1"
    assert found["fc"].shape == (1000, 1, 1)
    assert len(rows) == 32


def test_operations_that_only_move_values_have_no_row():
    _, _, rows = rows_of("lenet5")
    assert [row.name for row in rows] == [
        *("image", "conv1", "pool1", "conv2", "pool2", "conv3", "fc1", "fc2")
    ]
    assert rows[6].inputs == ("conv3",)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((), (1, 1, 1)),
        ((7,), (7, 1, 1)),
        ((4, 5), (4, 1, 5)),
        ((2, 3, 4), (2, 3, 4)),
        ((2, 3, 4, 5), (2, 12, 5)),
    ],
)
def test_any_shape_is_drawn_as_a_volume(shape, expected):
    assert chw_shape(shape) == expected
