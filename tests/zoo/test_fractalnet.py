"""FractalNet against its paper: equation 1, sections 3 and 4, Table 3."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

from convscope.layers import FractalJoin
from convscope.zoo.fractalnet import fractalnet
from tests.reference.network import on_meta, volumes

# Table 3: 5 to 160 layers, 0.3, 0.8, 2.1, 4.8, 10.2 and 21.1 million.
COLUMNS = [
    (1, 258_292),
    (2, 847_716),
    (3, 2_125_204),
    (4, 4_778_820),
    (5, 10_184_692),
    (6, 21_095_076),
]


@pytest.mark.parametrize(("columns", "parameters"), COLUMNS)
def test_columns_have_the_papers_layers_and_parameters(columns, parameters):
    net, _ = on_meta(partial(fractalnet, "narrow", columns=columns, num_classes=100), (32, 32))
    assert sum(weight.numel() for weight in net.parameters()) == parameters
    convolutions = [name for name, layer in net.named_modules() if isinstance(layer, nn.Conv2d)]
    for column in range(1, columns + 1):
        inside = [name for name in convolutions if f".conv{column}_" in name]
        assert len(inside) == 5 * 2 ** (column - 1)
    assert len(convolutions) == 5 * (2**columns - 1)


def test_every_block_has_the_papers_volume():
    seen = volumes(*on_meta(partial(fractalnet, "wide", columns=3), (32, 32)))
    rows = [(64, 32), (128, 16), (256, 8), (512, 4), (512, 2)]
    for block, (filters, side) in enumerate(rows, start=1):
        assert seen[f"block{block}"] == (filters, side, side)
        assert seen[f"pool{block}"] == (filters, side // 2, side // 2)
    assert (seen["flatten"], seen["fc"]) == ((512,), (10,))


def fractal(block, columns, maps, *, done=0):
    """Equation 1, as it is written: f_C(z) = f_{C-1}(f_{C-1}(z)) joined to conv(z).

    A join is the list of what comes together; the mean is taken where it is read. `done` is the
    number of rows that stand above.
    """
    rows = 2 ** (columns - 1)
    deepest = block.sampler.columns
    column = deepest - columns + 1
    conv = block.get_submodule(f"conv{column}_{done // rows + 1}")
    if columns == 1:
        return [conv(maps)]
    above = fractal(block, columns - 1, maps, done=done)
    above = torch.stack(above).mean(0)
    return [conv(maps), *fractal(block, columns - 1, above, done=done + rows // 2)]


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
def test_a_block_is_the_fractal_of_equation_1_with_joins_in_a_row_made_one(columns):
    torch.manual_seed(0)
    block = fractalnet("narrow", columns=columns).eval().get_submodule("block2")
    maps = torch.randn(2, 16, 5, 6)
    expected = torch.stack(fractal(block, columns, maps)).mean(0)
    torch.testing.assert_close(block(maps), expected)


def test_the_joins_of_three_columns_stand_after_the_second_and_fourth_row():
    with torch.device("meta"):
        block = fractalnet("wide", columns=3).get_submodule("block1")
    joins = {
        name: join.columns for name, join in block.named_children() if isinstance(join, FractalJoin)
    }
    assert joins == {"join2": (2, 3), "join4": (1, 2, 3)}


def test_dropout_rises_from_block_to_block_and_stands_before_batch_norm():
    with torch.device("meta"):
        net = fractalnet("wide", columns=2)
    first = [name for name, _ in net.get_submodule("block1.conv2_1").named_children()]
    last = [name for name, _ in net.get_submodule("block5.conv2_1").named_children()]
    assert (first, last) == (["conv", "bn", "relu"], ["conv", "dropout", "bn", "relu"])
    rates = [net.get_submodule(f"block{block}.conv1_1.dropout").p for block in (2, 3, 4, 5)]
    assert rates == [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize("column", [1, 2, 3])
def test_one_column_alone_is_a_plain_network_through_every_block(column):
    torch.manual_seed(0)
    net = fractalnet("narrow", columns=3, num_classes=4).eval()
    images = expected = torch.randn(2, 3, 32, 32)
    for block in range(1, 6):
        for place in range(1, 2 ** (column - 1) + 1):
            expected = net.get_submodule(f"block{block}.conv{column}_{place}")(expected)
        expected = net.get_submodule(f"pool{block}")(expected)
    net.get_submodule("draw").sampler.only = column
    expected = net.get_submodule("fc")(expected.flatten(1))
    assert torch.equal(net(images), expected)


def test_training_runs_all_columns_or_one_and_evaluation_all():
    torch.manual_seed(0)
    net, images, ran = fractalnet("narrow", columns=3).train(), torch.randn(2, 3, 32, 32), []
    for column, places in [(1, 1), (2, 2), (3, 4)]:
        for place in range(1, places + 1):
            net.get_submodule(f"block4.conv{column}_{place}").register_forward_hook(
                lambda *_, column=column: ran.append(column)
            )
    seen = []
    for _ in range(40):
        net(images)
        seen.append("".join(map(str, ran)))
        ran.clear()
    assert set(seen) == {"3233123", "1", "22", "3333"}
    assert 10 <= seen.count("3233123") <= 30  # half of the passes are local: 20 and 3 deviations
    net.eval()(images)
    assert ran == [3, 2, 3, 3, 1, 2, 3]


@pytest.mark.parametrize(("asked", "rate"), [({}, 0.15), ({"drop_path": 0.4}, 0.4)])
def test_joins_lose_their_inputs_with_the_papers_probability(asked, rate):
    with torch.device("meta"):
        net = fractalnet("narrow", columns=2, **asked)
    sampler = net.get_submodule("draw").sampler
    assert (sampler.drop_prob, sampler.global_prob) == (rate, 0.5)
    joins = [layer for layer in net.modules() if isinstance(layer, FractalJoin)]
    assert all(join.sampler is sampler for join in joins)
    assert len(joins) == 5


def test_a_copy_draws_for_itself():
    net = fractalnet("narrow", columns=2)
    copied = copy.deepcopy(net)
    sampler = copied.get_submodule("draw").sampler
    assert sampler is copied.get_submodule("block3").sampler
    assert sampler is copied.get_submodule("block3.join2").sampler
    assert sampler is not net.get_submodule("draw").sampler


def test_weights_begin_as_glorots():
    torch.manual_seed(0)
    net = fractalnet("wide", columns=2)
    for name, fan_in, fan_out in [
        ("block3.conv2_1.conv", 9 * 128, 9 * 256),
        ("block4.conv1_1.conv", 9 * 256, 9 * 512),
    ]:
        weight = net.get_parameter(f"{name}.weight")
        assert weight.var().item() == pytest.approx(2 / (fan_in + fan_out), rel=0.03)
        assert weight.abs().max().item() == pytest.approx((6 / (fan_in + fan_out)) ** 0.5, rel=0.01)
        assert weight.mean().item() == pytest.approx(0, abs=0.03 * weight.std().item())
    assert not net.get_parameter("fc.bias").any()
