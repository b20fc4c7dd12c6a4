"""LeNet-5: the 1998 paper's counts of parameters and connections, and the lecture's table."""

import pytest

from convscope.arithmetic import Volume, convolution, dense, pooling

IMAGE = Volume(1, 32, 32)

# Which maps of S2 each map of C3 sees: Table 1 of the paper, column by column.
C3 = """
    012 123 234 345 045 015
    0123 1234 2345 0345 0145 0125 0134 1245 0235
    012345
"""
COLUMNS = C3.split()


def layers(*, table, trainable, output_bias):
    """The costs of C1, S2, C3, S4, C5, F6 and the output."""
    c1 = convolution(IMAGE, 6, 5)
    s2 = pooling(c1.output, 2, trainable=trainable)
    c3 = convolution(s2.output, 16, 5, links=sum(map(len, COLUMNS)) if table else None)
    s4 = pooling(c3.output, 2, trainable=trainable)
    c5 = convolution(s4.output, 120, 5)
    f6 = dense(c5.output, 84)
    return [c1, s2, c3, s4, c5, f6, dense(f6.output, 10, bias=output_bias)]


def test_the_table_of_c3_has_60_links_and_uses_every_map_ten_times():
    assert len(COLUMNS) == 16
    assert sum(map(len, COLUMNS)) == 60
    assert [C3.count(str(place)) for place in range(6)] == [10] * 6


def test_1998_has_the_papers_parameters_and_connections():
    costs = layers(table=True, trainable=True, output_bias=False)
    *learned, output = costs
    assert [cost.parameters for cost in learned] == [156, 12, 1_516, 32, 48_120, 10_164]
    assert sum(cost.parameters for cost in learned) == 60_000
    assert output.parameters == 840  # the centers of the radial basis functions, fixed by hand
    assert [cost.connections for cost in costs] == [
        122_304, 5_880, 151_600, 2_000, 48_120, 10_164, 840,
    ]  # fmt: skip
    assert sum(cost.connections for cost in costs) == 340_908


def test_the_volumes_are_the_papers():
    told = [str(cost.output) for cost in layers(table=True, trainable=True, output_bias=False)]
    assert told == ["28x28x6", "14x14x6", "10x10x16", "5x5x16", "1x1x120", "1x1x84", "1x1x10"]


VARIANTS = [
    (dict(table=False, trainable=False), 61_706),  # the lecture's table
    (dict(table=False, trainable=True), 61_750),
    (dict(table=True, trainable=False), 60_806),
]


@pytest.mark.parametrize(("variant", "parameters"), VARIANTS, ids=str)
def test_the_variants_differ_by_what_they_say(variant, parameters):
    costs = layers(**variant, output_bias=True)
    assert sum(cost.parameters for cost in costs) == parameters


def test_caffes_lenet_is_another_network():
    c1 = convolution(Volume(1, 28, 28), 20, 5)
    c2 = convolution(pooling(c1.output, 2).output, 50, 5)
    f1 = dense(pooling(c2.output, 2).output, 500)
    costs = [c1, c2, f1, dense(f1.output, 10)]
    assert sum(cost.parameters for cost in costs) == 431_080
