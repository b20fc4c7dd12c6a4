"""Receptive fields of chains against the papers' numbers, and against sets of pixels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.arithmetic import Field, Support
from convscope.errors import RequestError
from tests.reference.geometry import places_under

layers = st.lists(
    st.fixed_dictionaries(
        dict(
            kernel=st.integers(1, 4),
            stride=st.integers(1, 3),
            dilation=st.integers(1, 3),
            padding_before=st.integers(0, 3),
        )
    ),
    max_size=4,
)


def through(start, chain):
    for layer in chain:
        start = start.compose(
            layer["kernel"],
            stride=layer["stride"],
            padding_before=layer["padding_before"],
            dilation=layer["dilation"],
        )
    return start


@given(layers, st.integers(-3, 9))
def test_a_field_runs_from_the_first_to_the_last_pixel_under_a_unit(chain, unit):
    places = places_under(unit, chain)
    assert through(Field(), chain).box(unit) == (min(places), max(places) + 1)


@given(layers)
def test_what_a_unit_sees_lies_in_its_field(chain):
    field, support = Field(), Support.image(600)
    for layer in chain:
        around = dict(padding_before=layer["padding_before"], padding_after=layer["padding_before"])
        words = {name: layer[name] for name in ("stride", "dilation")}
        field = field.compose(layer["kernel"], padding_before=layer["padding_before"], **words)
        support = support.window(layer["kernel"], **around, **words)
    for unit in range(len(support)):
        seen, box = support[unit], field.clipped(unit, 600)
        assert seen is None or (box and box[0] <= seen[0] and seen[1] <= box[1])
    if all(layer["padding_before"] == 0 for layer in chain):
        assert [support[unit] for unit in range(len(support))] == [
            field.box(unit) for unit in range(len(support))
        ]


def test_alexnet_has_the_fields_and_jumps_of_its_layers():
    chain = [
        (11, 4, 0),
        (3, 2, 0),
        (5, 1, 2),
        (3, 2, 0),
        (3, 1, 1),
        (3, 1, 1),
        (3, 1, 1),
        (3, 2, 0),
    ]
    field, fields = Field(), []
    for kernel, stride, before in chain:
        field = field.compose(kernel, stride=stride, padding_before=before)
        fields.append((field.size, field.jump))
    sizes, jumps = zip(*fields, strict=True)
    assert sizes == (11, 19, 51, 67, 99, 131, 163, 195)
    assert jumps == (4, 8, 8, 16, 16, 16, 16, 32)


VGG = {
    "A": ((1, 1, 2, 2, 2), 150),
    "B": ((2, 2, 2, 2, 2), 156),
    "D": ((2, 2, 3, 3, 3), 212),
    "E": ((2, 2, 4, 4, 4), 268),
}


@pytest.mark.parametrize("config", VGG)
def test_vgg_has_the_fields_that_its_depth_gives(config):
    stages, size = VGG[config]
    field = Field()
    for convolutions in stages:
        for _ in range(convolutions):
            field = field.compose(3, padding_before=1)
        field = field.compose(2, stride=2)
    assert (field.size, field.jump) == (size, 32)


RESNET = [
    ("basic", (2, 2, 2, 2), 435),
    ("basic", (3, 4, 6, 3), 899),
    ("1x1", (3, 4, 6, 3), 483),
    ("1x1", (3, 4, 23, 3), 1027),
    ("1x1", (3, 8, 36, 3), 1507),
    ("3x3", (3, 4, 6, 3), 427),
    ("3x3", (3, 4, 23, 3), 971),
    ("3x3", (3, 8, 36, 3), 1451),
]


@pytest.mark.parametrize(("block", "stages", "size"), RESNET)
def test_resnet_has_the_fields_of_its_longest_branch(block, stages, size):
    """The stride stands in the first 3x3 of a basic block, in the first 1x1 of 2015's bottleneck,
    and in the 3x3 of torchvision's."""
    field = Field().compose(7, stride=2, padding_before=3).compose(3, stride=2, padding_before=1)
    for stage, blocks in enumerate(stages):
        for place in range(blocks):
            stride = 2 if stage and not place else 1
            skip = field.compose(1, stride=stride)
            match block:
                case "basic":
                    field = field.compose(3, stride=stride, padding_before=1).compose(
                        3, padding_before=1
                    )
                case "1x1":
                    field = field.compose(1, stride=stride).compose(3, padding_before=1).compose(1)
                case _:
                    field = field.compose(1).compose(3, stride=stride, padding_before=1).compose(1)
            field = field.union(skip)
    assert (field.size, field.jump) == (size, 32)


def test_lenet5_sees_the_whole_image_at_c5():
    field = Field()
    for kernel, stride in ((5, 1), (2, 2), (5, 1), (2, 2), (5, 1)):
        field = field.compose(kernel, stride=stride)
    assert field.box(0) == (0, 32)


def test_a_union_covers_both_and_needs_equal_jumps():
    one, other = Field(size=3, jump=2, start=-4), Field(size=5, jump=2, start=1)
    assert one.union(other) == other.union(one) == Field(size=10, jump=2, start=-4)
    with pytest.raises(RequestError, match="jumps of 2 and 1"):
        one.union(Field())


def test_units_of_a_dense_layer_all_see_the_whole_image():
    field = Field.covering(28)
    assert field.box(0) == field.box(83) == (0, 28)
    assert field.compose(1) == field


def test_clipping_leaves_what_is_inside():
    field = Field(size=5, jump=4, start=-6)
    assert [field.clipped(unit, 8) for unit in range(5)] == [None, (0, 3), (2, 7), (6, 8), None]
