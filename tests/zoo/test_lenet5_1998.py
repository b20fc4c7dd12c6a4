"""LeNet-5 of 1998 against the numbers of its paper, section II.B."""

import sys

import pytest
import torch

from convscope.layers import ScaledTanh
from convscope.zoo.lenet5_1998 import TABLE, codes, connections, lenet5_1998
from tests.reference.network import on_meta, volumes

PAPER = [  # layer, output volume, trainable parameters, connections
    ("C1", (6, 28, 28), 156, 122_304),
    ("S2", (6, 14, 14), 12, 5_880),
    ("C3", (16, 10, 10), 1_516, 151_600),
    ("S4", (16, 5, 5), 32, 2_000),
    ("C5", (120, 1, 1), 48_120, 48_120),
    ("F6", (84,), 10_164, 10_164),
    ("OUTPUT", (10,), 0, 840),
]
# The columns of table I.
C3 = "012 123 234 345 045 015 0123 1234 2345 0345 0145 0125 0134 1245 0235 012345"


def count(layer):
    return sum(weight.numel() for weight in layer.parameters())


def linked(layer, volume):
    """Links of units to operands and biases; subsampling uses one coefficient for four of them."""
    places = torch.Size(volume[1:]).numel()
    match type(layer).__name__:
        case "Subsampling2d":
            return places * volume[0] * (2 * 2 + 1)
        case "RadialBasis":
            return layer.codes.numel()
        case _:
            return places * count(layer)


def test_volumes_parameters_and_connections_are_the_papers():
    net, image = on_meta(lenet5_1998, (32, 32), channels=1)
    seen = volumes(net, image)
    for name, volume, parameters, connected in PAPER:
        layer = net.get_submodule(name)
        assert (seen[name], count(layer), linked(layer, volume)) == (volume, parameters, connected)
    assert count(net) == 60_000
    assert sum(row[-1] for row in PAPER) == 340_908


def test_the_figure_prints_the_volumes():
    cells = [line.split()[1] for line in TABLE.strip().splitlines()[1:]]
    assert cells == ["x".join(map(str, v)).replace("x", "@", 1) for _, v, _, _ in PAPER]


def test_every_layer_but_the_last_is_squashed():
    net, _ = on_meta(lenet5_1998, (32, 32), channels=1)
    after = [name for name, _ in net.named_children() if name != "flatten"]
    for name, *_ in PAPER[:-1]:
        assert after[after.index(name) + 1] == f"{name}_tanh"
        assert isinstance(net.get_submodule(f"{name}_tanh"), ScaledTanh)
    assert after[-1] == "OUTPUT"


def test_connections_are_those_of_table_i():
    assert connections() == [[int(digit) for digit in word] for word in C3.split()]
    assert sum(map(len, connections())) == 60
    assert [sum(place in row for row in connections()) for place in range(6)] == [10] * 6


def test_a_map_of_c3_sees_the_maps_that_the_table_lists_and_no_other():
    net = lenet5_1998()
    for out, seen in enumerate(connections()):
        maps = torch.randn(1, 6, 14, 14, requires_grad=True)
        net.get_submodule("C3")(maps)[:, out].square().sum().backward()
        reached = maps.grad.abs().sum((0, 2, 3)).nonzero().flatten().tolist()
        assert reached == seen


def test_codes_are_pictures_of_plus_and_minus_one():
    assert codes(10).shape == (10, 84)
    assert set(codes(10).flatten().tolist()) == {-1.0, 1.0}
    one = codes(10)[1].view(12, 7)
    assert (one[:, 3] > 0).all()  # its stem
    assert (one[-1] > 0).tolist() == [False, True, True, True, True, True, False]  # its foot
    eight = codes(10)[8].view(12, 7)
    assert torch.equal(eight, eight.flip(1))
    zero = codes(10)[0].view(12, 7)
    assert torch.equal(zero, zero.flip(0))
    assert torch.equal(zero, zero.flip(1))


@pytest.mark.parametrize("classes", [2, 10, 26])
def test_codes_lie_apart_and_are_always_the_same(classes):
    before = torch.random.get_rng_state()
    drawn = codes(classes)
    assert torch.equal(drawn, codes(classes))
    assert torch.equal(torch.random.get_rng_state(), before)
    differing = (drawn[:, None] != drawn).sum(-1) + 84 * torch.eye(classes, dtype=torch.long)
    assert differing.min() >= 10


def test_units_that_draw_a_digit_answer_with_it():
    output = lenet5_1998().get_submodule("OUTPUT")
    logits = output(codes(10))
    assert logits.argmax(1).tolist() == list(range(10))
    assert not logits.diagonal().any()
    assert logits[5, 6].item() == -4 * (codes(10)[5] != codes(10)[6]).sum().item()


def test_weights_begin_uniform_within_two_point_four_over_the_inputs():
    torch.manual_seed(0)
    nets = [lenet5_1998() for _ in range(20)]
    inputs = {"C1": 25, "S2": 4, "S4": 4, "C5": 400, "F6": 120}
    for name, fan_in in inputs.items():
        for parameter in nets[0].get_submodule(name).state_dict():
            drawn = torch.cat([net.state_dict()[f"{name}.{parameter}"].flatten() for net in nets])
            check_uniform(drawn, 2.4 / fan_in)
    for out, seen in enumerate(connections()):
        kernels = torch.cat([c3_kernels(net, out) for net in nets])
        assert len(kernels) == 20 * 25 * len(seen)
        check_uniform(kernels, 2.4 / (25 * len(seen)))
        biases = [net.get_parameter("C3.bias")[out].abs().item() for net in nets]
        assert 0.1 < max(biases) / (2.4 / (25 * len(seen))) <= 1


def c3_kernels(net, out):
    """The weights of one map of C3, whose kernels lie in the order of the table."""
    first = sum(map(len, connections()[:out]))
    return net.get_parameter("C3.weight")[first : first + len(connections()[out])].flatten()


def check_uniform(drawn, bound):
    loose = 1 + 8 / len(drawn) ** 0.5
    assert bound / loose < drawn.abs().max().item() <= bound
    assert drawn.var().item() == pytest.approx(bound**2 / 3, rel=loose - 1)
    assert drawn.mean().item() == pytest.approx(0, abs=4 * bound / (3 * len(drawn)) ** 0.5)


def test_larger_images_leave_larger_maps_for_f6():
    net, image = on_meta(
        lambda: lenet5_1998(num_classes=4, in_channels=3, input_size=(40, 52)), (40, 52)
    )
    seen = volumes(net, image)
    assert (seen["C5"], seen["OUTPUT"]) == ((120, 3, 6), (4,))


def test_a_row_the_builder_does_not_know_is_refused(monkeypatch):
    monkeypatch.setattr(sys.modules[lenet5_1998.__module__], "TABLE", TABLE.replace("S4", "S5"))
    with pytest.raises(ValueError, match="'S5'"):
        lenet5_1998()
