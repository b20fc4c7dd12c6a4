"""GoogLeNet against its paper (Table 1, Figure 3, section 5) and against torchvision's."""

import re
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.layers import ModelOutput
from convscope.zoo.googlenet import TABLE, TORCHVISION, googlenet, googlenet_bn
from tests.reference.network import multiply_adds, on_meta, volumes
from tests.reference.peer import both_answer, renamed, shapes

ROWS = {
    line[0]: line for line in (re.split(r"\s{2,}", row.strip()) for row in TABLE.splitlines()[2:-1])
}
AUXILIARY = 2 * (128 + 2048 * 1024 + 1024 + 1_025_000) + 128 * (512 + 528)


def count(net):
    return sum(weight.numel() for weight in net.parameters())


def test_every_row_has_the_volume_that_the_table_prints():
    seen = volumes(*on_meta(googlenet, (224, 224)))
    for name, row in ROWS.items():
        maps = seen[name] if name != "fc" else (*seen[name], 1, 1)
        assert "{1}x{2}x{0}".format(*maps) == row[2]


@pytest.mark.parametrize("name", [name for name in ROWS if name.startswith("inception")])
def test_the_filters_of_a_row_add_up_to_its_maps(name):
    _, _, output, one, _, three, _, five, projection = ROWS[name]
    assert sum(map(int, (one, three, five, projection))) == int(output.split("x")[2])


def test_the_deepest_way_has_22_layers_of_weights():
    with torch.device("meta"):
        net = googlenet()
    stem = sum(name in ("conv1", "conv2_reduce", "conv2", "fc") for name, _ in net.named_children())
    inceptions = sum(name.startswith("inception") for name, _ in net.named_children())
    assert stem + 2 * inceptions == 22


def test_parameters_are_counted_as_elsewhere_with_and_without_auxiliary_classifiers():
    with torch.device("meta"):
        both, main = googlenet(), googlenet(auxiliary=False)
        bn, bn_both = googlenet_bn(), googlenet_bn(auxiliary=True)
    assert (count(main), count(both)) == (6_998_552, 13_378_280)
    assert count(both) - count(main) == AUXILIARY
    assert (count(bn), count(bn_both)) == (6_624_904, 13_004_888)


def test_multiply_adds_are_those_of_torchvision():
    assert multiply_adds(*on_meta(googlenet_bn, (224, 224))) / 1e9 == pytest.approx(1.498, abs=5e-4)
    net, image = on_meta(googlenet, (224, 224))
    filters = [row for name, row in ROWS.items() if name.startswith("inception")]
    larger = sum(
        (25 - 9) * int(five_reduce) * int(five) * int(output.split("x")[0]) ** 2
        for _, _, output, _, _, _, five_reduce, five, _ in filters
    )
    assert multiply_adds(net, image) == 1_498_376_192 + larger


def test_inception_lays_four_branches_one_behind_the_other():
    torch.manual_seed(0)
    block = googlenet(input_size=(79, 79)).get_submodule("inception_3b")
    maps = torch.randn(2, 256, 6, 7)

    def conv_relu(maps, name):
        conv = block.get_submodule(f"conv_{name}")
        return F.relu(F.conv2d(maps, conv.weight, conv.bias, padding=conv.weight.shape[-1] // 2))

    expected = [
        conv_relu(maps, "1x1"),
        conv_relu(conv_relu(maps, "3x3_reduce"), "3x3"),
        conv_relu(conv_relu(maps, "5x5_reduce"), "5x5"),
        conv_relu(F.max_pool2d(maps, 3, stride=1, padding=1), "pool_proj"),
    ]
    assert [maps.shape[1] for maps in expected] == [128, 192, 96, 64]
    assert torch.equal(block(maps), torch.cat(expected, dim=1))
    assert block.get_submodule("conv_5x5").kernel_size == (5, 5)


def test_response_is_normalized_where_figure_3_has_it():
    with torch.device("meta"):
        names = [name for name, _ in googlenet().named_children()]
    assert names[:4] == ["conv1", "relu1", "pool1", "lrn1"]
    assert names[4:10] == ["conv2_reduce", "relu2_reduce", "conv2", "relu2", "lrn2", "pool2"]


def test_in_training_the_auxiliary_classifiers_answer_beside_the_main_one():
    torch.manual_seed(0)
    net = googlenet(num_classes=5, input_size=(80, 112))
    images, read = torch.randn(2, 3, 80, 112), {}
    for name in ("inception_4a", "inception_4d", "aux_4a", "aux_4d"):
        net.get_submodule(name).register_forward_hook(
            lambda _layer, operands, answer, name=name: read.update({name: (operands[0], answer)})
        )
    answers = net.train()(images)
    assert isinstance(answers, ModelOutput)
    assert [answer.shape for answer in (answers.logits, *answers.aux_logits)] == [(2, 5)] * 3
    for index, below in enumerate(("4a", "4d")):
        assert read[f"aux_{below}"][0] is read[f"inception_{below}"][1]
        assert read[f"aux_{below}"][1] is answers.aux_logits[index]
    read.clear()
    assert net.eval()(images).shape == (2, 5)
    assert set(read) == {"inception_4a", "inception_4d"}


def test_an_auxiliary_classifier_has_the_layers_of_section_5():
    net, image = on_meta(googlenet, (224, 224))
    net.train()
    head = net.get_submodule("aux_4d")
    assert volumes(head, torch.zeros(1, 528, 14, 14, device="meta")) == {
        "pool": (528, 4, 4),
        "conv": (128, 4, 4),
        "relu": (128, 4, 4),
        "flatten": (2048,),
        "fc1": (1024,),
        "fc1_relu": (1024,),
        "fc1_dropout": (1024,),
        "fc2": (1000,),
    }
    assert head.get_submodule("fc1_dropout").p == 0.7
    assert net.get_submodule("dropout").p == 0.4
    assert net(image).aux_logits[0].shape == (1, 1000)


@pytest.mark.parametrize(("auxiliary", "least"), [(True, 79), (False, 31)])
def test_auxiliary_classifiers_need_79x79_and_the_rest_31x31(auxiliary, least):
    with torch.device("meta"):
        net = googlenet(input_size=(least, least), auxiliary=auxiliary).eval()
        assert net(torch.zeros(1, 3, least, least)).shape == (1, 1000)
        with pytest.raises(RequestError, match="does not fit"):
            googlenet(input_size=(least - 1, least), auxiliary=auxiliary)


@pytest.mark.parametrize("auxiliary", [False, True])
def test_torchvisions_parameters_have_our_names_and_shapes(auxiliary):
    models = pytest.importorskip("torchvision").models
    with torch.device("meta"):
        net = googlenet_bn(auxiliary=auxiliary)
        theirs = models.googlenet(aux_logits=auxiliary, init_weights=False)
    assert shapes(renamed(theirs, TORCHVISION)) == shapes(net.state_dict())


@pytest.mark.parametrize("size", [(64, 64), (47, 90)])
def test_logits_are_those_of_torchvision(size):
    models = pytest.importorskip("torchvision").models
    theirs = models.googlenet(num_classes=5, aux_logits=True, init_weights=False)
    net = googlenet_bn(num_classes=5, auxiliary=True)
    logits, expected = both_answer(net, theirs, TORCHVISION, torch.randn(2, 3, *size))
    assert expected.std() > 1e-3
    assert torch.equal(logits, expected)


def test_auxiliary_logits_are_those_of_torchvision():
    models = pytest.importorskip("torchvision").models
    theirs = models.googlenet(num_classes=5, aux_logits=True, init_weights=False, dropout_aux=0)
    net = googlenet_bn(num_classes=5, auxiliary=True)
    images = torch.randn(2, 3, 64, 64)
    both_answer(net, theirs, TORCHVISION, images)
    for module in (*net.modules(), *theirs.modules()):
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    answers, expected = net.train()(images), theirs.train()(images)
    assert torch.equal(answers.logits, expected.logits)
    assert torch.equal(answers.aux_logits[0], expected.aux_logits1)
    assert torch.equal(answers.aux_logits[1], expected.aux_logits2)


def test_weights_begin_as_declared():
    torch.manual_seed(0)
    net, bn = googlenet(input_size=(79, 79)), googlenet_bn()
    for name, operands in [
        ("conv2", 9 * 64),
        ("inception_5b.conv_3x3", 9 * 192),
        ("aux_4d.conv", 528),
        ("fc", 1024),
    ]:
        weight = net.get_parameter(f"{name}.weight")
        assert weight.var().item() == pytest.approx(2 / operands, rel=0.03)
        assert weight.mean().item() == pytest.approx(0, abs=0.03 * weight.std().item())
        assert not net.get_parameter(f"{name}.bias").any()
        if not name.startswith("aux"):
            assert bn.get_parameter(f"{name}.weight").std().item() == pytest.approx(0.01, rel=0.02)


def test_a_type_that_no_layer_can_be_made_of_is_refused(monkeypatch):
    table = TABLE.replace("7x7/1 avg pool", "7x7/1 min pool")
    monkeypatch.setattr(sys.modules[googlenet.__module__], "TABLE", table)
    with pytest.raises(ValueError, match="'7x7/1 min pool'"):
        googlenet()
