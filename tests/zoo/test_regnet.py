"""RegNet against its paper (Tables 5 and 6), torchvision's networks and timm's."""

import pytest
import torch

import convscope
from convscope.zoo import ZOO, create_model
from convscope.zoo.cell_notation import table_rows
from convscope.zoo.regnet import TABLE, TIMM, regnet, stages
from tests.reference.families import each_network
from tests.reference.peer import both_answer, calibrate, renamed, shapes, torchvision_on_meta

NAMES = [name for name in ZOO if name.startswith("regnet")]


def test_depths_and_widths_are_those_of_the_paper():
    found = {
        row["network"]: [stage[:2] for stage in stages(row["network"], rounding="paper")]
        for row in table_rows(TABLE)
    }
    assert found["X-400MF"] == [(1, 32), (2, 64), (7, 160), (12, 384)]
    assert found["X-3.2GF"] == [(2, 96), (6, 192), (15, 432), (2, 1008)]
    assert found["X-32GF"] == [(2, 336), (7, 672), (13, 1344), (1, 2520)]
    assert found["Y-400MF"] == [(1, 48), (3, 104), (6, 208), (6, 440)]
    assert found["Y-8GF"] == [(2, 168), (4, 448), (10, 896), (1, 2016)]


@pytest.mark.parametrize(
    ("config", "parameters", "timms"),  # Tables 5 and 6: 5.2, 6.3, 39.2
    [("X-400MF", 5_157_512, "004"), ("Y-800MF", 6_263_168, "008"), ("Y-8GF", 39_180_068, "080")],
)
def test_networks_that_torchvision_rounds_otherwise(config, parameters, timms):
    with torch.device("meta"):
        theirs = pytest.importorskip("timm").create_model(f"regnet{config[0].lower()}_{timms}")
        net, usual = regnet(config, rounding="paper"), regnet(config)
    assert sum(weight.numel() for weight in net.parameters()) == parameters
    assert shapes(renamed(theirs, TIMM)) == shapes(net.state_dict())
    assert shapes(usual.state_dict()) != shapes(net.state_dict())


@pytest.mark.parametrize("name", each_network(NAMES))
def test_torchvisions_names_and_shapes_are_ours(name):
    pytest.importorskip("torchvision")
    theirs = torchvision_on_meta(name)
    with torch.device("meta"):
        net = create_model(name)
    assert shapes(renamed(theirs, ZOO[name].torchvision_names)) == shapes(net.state_dict())


@pytest.mark.parametrize(
    ("name", "timms"), [("regnet_x_800mf", "regnetx_008"), ("regnet_y_400mf", "regnety_004")]
)
def test_logits_are_those_of_torchvision_and_timm(name, timms):
    models, timm = pytest.importorskip("torchvision").models, pytest.importorskip("timm")
    theirs = models.get_model(name, num_classes=5)
    net, images = create_model(name, num_classes=5), torch.randn(4, 3, 64, 64)
    names = ZOO[name].torchvision_names
    logits, expected = both_answer(net, theirs, names, images, calibrated=True)
    assert expected.std(0).max() > 1e-3
    assert torch.equal(logits, expected)

    theirs = timm.create_model(timms, num_classes=5)
    calibrate(theirs, images)
    card = convscope.load_weights(net, theirs.state_dict())
    assert card.provenance["weights_names"].startswith("timm's of regnet_x_400mf, ")
    with torch.inference_mode():
        logits, expected = net.eval()(images), theirs.eval()(images)
    assert expected.std(0).max() > 1e-3
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


def test_the_first_block_of_a_stage_squeezes_its_input():
    with torch.device("meta"):
        net = create_model("regnet_y_400mf")
    assert net.get_submodule("stage2_1.se.fc1").out_channels == 12  # a quarter of 48
    assert net.get_submodule("stage2_2.se.fc1").out_channels == 26  # and of 104
