"""Where the lecture's slides and the arithmetic disagree, the arithmetic, and why."""

from convscope.arithmetic import Axis, Volume, convolution, dense, output_size, pooling


def test_the_slides_34848_for_alexnets_first_layer_are_its_weights_without_its_biases():
    conv1 = convolution(Volume(3, 227, 227), 96, 11, stride=4)
    assert (conv1.weights, conv1.biases, conv1.parameters) == (34_848, 96, 34_944)


def test_an_alexnet_of_224_needs_padding_or_227():
    axis = Axis(224, 11, stride=4)
    assert (axis.output, axis.uncovered, axis.next_exact) == (54, (223,), 227)
    assert "54.25" in axis.formula
    assert output_size(227, 11, stride=4) == output_size(224, 11, stride=4, padding=2) == 55


def test_pooling_two_by_two_discards_three_quarters_of_the_activations():
    volume = Volume(96, 28, 28)
    assert pooling(volume, 2).output.units * 4 == volume.units


def test_a_filter_has_weights_of_its_own_for_every_channel():
    gray, color = (convolution(Volume(channels, 32, 32), 10, 3) for channels in (1, 3))
    assert color.weights == 3 * gray.weights
    assert color.biases == gray.biases


def test_a_stride_of_two_halves_the_size_only_roughly():
    assert [output_size(size, 3, stride=2) for size in (13, 14, 15, 16)] == [6, 6, 7, 7]
    assert [output_size(size, 3, stride=2, padding=1) for size in (13, 14, 15)] == [7, 7, 8]


def test_lenet5_as_the_lecture_has_it_exceeds_60000():
    """`test_lenet5` counts 60,000 for the paper's network: a table in C3, and fixed outputs."""
    maps = convolution(Volume(6, 14, 14), 16, 5).parameters
    linked = convolution(Volume(6, 14, 14), 16, 5, links=60).parameters
    subsampling = 2 * (6 + 16)
    outputs = dense(Volume(84, 1, 1), 10).parameters
    assert (maps - linked) + outputs - subsampling == 61_706 - 60_000
