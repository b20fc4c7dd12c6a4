"""DeepFace against figure 2 of its paper."""

import sys

import pytest
import torch

from convscope.layers import LocallyConnected2d
from convscope.zoo.deepface import TABLE, deepface
from tests.reference.network import multiply_adds, on_meta, volumes

PAPER = {  # figure 2: maps, their size, and the operands of a unit
    "C1": (32, 142, 11 * 11 * 3),
    "M2": (32, 71, 0),
    "C3": (16, 63, 9 * 9 * 32),
    "L4": (16, 55, 9 * 9 * 16),
    "L5": (16, 25, 7 * 7 * 16),
    "L6": (16, 21, 5 * 5 * 16),
}
PARAMETERS = {
    "C1": 32 * (11 * 11 * 3 + 1),
    "C3": 16 * (9 * 9 * 32 + 1),
    "L4": 55 * 55 * 16 * (9 * 9 * 16 + 1),
    "L5": 25 * 25 * 16 * (7 * 7 * 16 + 1),
    "L6": 21 * 21 * 16 * (5 * 5 * 16 + 1),
    "F7": 4096 * (21 * 21 * 16 + 1),
    "F8": 4030 * (4096 + 1),
}


def count(layer):
    return sum(weight.numel() for weight in layer.parameters())


def test_every_volume_is_that_of_the_figure():
    seen = volumes(*on_meta(deepface, (152, 152)))
    for name, (maps, size, _) in PAPER.items():
        assert seen[name] == (maps, size, size)
    assert seen["F7"] == (4096,)
    assert seen["F8"] == (4030,)


def test_parameters_are_nearly_all_in_local_and_dense_layers():
    net, _ = on_meta(deepface, (152, 152))
    counts = {name: count(layer) for name, layer in net.named_children() if count(layer)}
    assert counts == PARAMETERS
    unshared = sum(number for name, number in counts.items() if name[0] in "LF")
    assert unshared > 0.95 * count(net)  # the caption of figure 2
    assert round(count(net) / 1e7) == 12  # there: "more than 120 million"


def test_multiply_adds_are_operands_times_units():
    net, image = on_meta(deepface, (152, 152))
    below = sum(maps * size * size * operands for maps, size, operands in PAPER.values())
    assert multiply_adds(net, image) == below + 4096 * (21 * 21 * 16) + 4030 * 4096


def test_layers_follow_each_other_as_in_section_3():
    net, _ = on_meta(deepface, (152, 152))
    assert " ".join(name for name, _ in net.named_children()) == (
        "C1 C1_relu M2 C3 C3_relu L4 L4_relu L5 L5_relu L6 L6_relu flatten F7 F7_relu F7_dropout F8"
    )
    local = [name for name, layer in net.named_children() if isinstance(layer, LocallyConnected2d)]
    assert local == ["L4", "L5", "L6"]


def test_only_the_convolutions_repeat_when_an_image_repeats():
    """Where the image is one color, a shared filter gives one number and an own one gives many."""
    torch.manual_seed(0)
    net, seen = deepface(num_classes=5, input_size=(80, 80)).eval(), {}
    for name, layer in net.named_children():
        layer.register_forward_hook(lambda _layer, _x, y, name=name: seen.update({name: y}))
    net(torch.full((1, 3, 80, 80), 0.7))
    assert all(seen[name][0, 0].std() < 1e-6 for name in ("C1", "M2", "C3"))
    assert all(seen[name][0, 0].std() > 1e-3 for name in ("L4", "L5", "L6"))


def test_weights_begin_as_in_section_5():
    torch.manual_seed(0)
    for name, parameter in deepface(num_classes=50, input_size=(90, 90)).named_parameters():
        if name.endswith("weight"):
            assert parameter.std().item() == pytest.approx(0.01, rel=0.03)
            assert parameter.mean().item() == pytest.approx(0, abs=0.0003)
        else:
            assert bool((parameter == 0.5).all())


def test_the_depth_of_every_filter_is_the_number_of_maps_below():
    rows = [line.split()[1] for line in TABLE.strip().splitlines()[1:7]]
    depths = [int(cell.partition("@")[0].split("x")[3]) for cell in rows]
    assert depths == [3, *(int(cell.split("x")[0]) for cell in rows[:-1])]


def test_a_row_the_builder_does_not_know_is_refused(monkeypatch):
    monkeypatch.setattr(sys.modules[deepface.__module__], "TABLE", TABLE.replace("L4", "X4"))
    with pytest.raises(ValueError, match="'X4'"):
        on_meta(deepface, (152, 152))
