"""EfficientNet against its paper's tables, torchvision's networks and timm's."""

from functools import partial
from itertools import pairwise

import pytest
import torch

from convscope.zoo import ZOO, create_model
from convscope.zoo.cell_notation import table_rows
from convscope.zoo.efficientnet import TABLE
from convscope.zoo.residual import Residual
from tests.reference.families import each_network
from tests.reference.network import multiply_adds, on_meta, volumes
from tests.reference.peer import both_answer, calibrate, renamed, shapes, torchvision_on_meta

PAPER = {  # table 2: millions of parameters, billions of multiply-adds
    "efficientnet_b0": (5.3, 0.39),
    "efficientnet_b1": (7.8, 0.70),
    "efficientnet_b2": (9.2, 1.0),
    "efficientnet_b3": (12, 1.8),
    "efficientnet_b4": (19, 4.2),
    "efficientnet_b5": (30, 9.9),
    "efficientnet_b6": (43, 19),
    "efficientnet_b7": (66, 37),
}


@pytest.mark.parametrize("name", each_network(PAPER))
def test_parameters_and_work_are_those_of_the_paper(name):
    net, image = on_meta(partial(create_model, name), ZOO[name].input_size)
    millions, billions = PAPER[name]
    assert sum(w.numel() for w in net.parameters()) / 1e6 == pytest.approx(millions, rel=0.03)
    assert multiply_adds(net, image) / 1e9 == pytest.approx(billions, rel=0.05)


def test_the_stages_have_the_tables_volumes():
    net, image = on_meta(partial(create_model, "efficientnet_b0"), (224, 224))
    seen = volumes(net, image)
    rows = table_rows(TABLE)
    for row, following in pairwise(rows):
        last = [name for name in seen if name.startswith((f"mbconv{row['stage']}_", "conv1_act"))]
        channels, height, width = seen[last[-1] if row["stage"] != "1" else "conv1_act"]
        assert (str(channels), f"{height}x{width}") == (row["channels"], following["resolution"])
    assert seen["conv9_act"] == (1280, 7, 7)


def test_logits_are_those_of_torchvision_and_timm():
    theirs = pytest.importorskip("torchvision").models.efficientnet_b0(num_classes=5)
    names = ZOO["efficientnet_b0"].torchvision_names
    net, images = create_model("efficientnet_b0", num_classes=5), torch.randn(4, 3, 64, 64)
    assert shapes(renamed(theirs, names)) == shapes(net.state_dict())
    logits, expected = both_answer(net, theirs, names, images, calibrated=True)
    assert expected.std(0).max() > 1e-3
    assert torch.equal(logits, expected)

    timms = pytest.importorskip("timm").create_model("efficientnet_b0", num_classes=5)
    calibrate(timms, images)
    values, state = list(timms.state_dict().values()), net.state_dict()
    net.load_state_dict(dict(zip(state, values, strict=True)))  # both in the order of the layers
    with torch.inference_mode():
        logits, expected = net.eval()(images), timms.eval()(images)
    assert expected.std(0).max() > 1e-3
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


def test_branches_are_dropped_as_in_torchvision():
    pytest.importorskip("torchvision")
    theirs = torchvision_on_meta("efficientnet_b0")
    with torch.device("meta"):
        net = create_model("efficientnet_b0")
    ours = [layer.drop_path.drop_prob for layer in net if isinstance(layer, Residual)]
    rates = [
        block.stochastic_depth.p
        for stage in list(theirs.features)[1:-1]
        for block in stage
        if block.use_res_connect
    ]
    assert ours == pytest.approx(rates)
    assert net.get_submodule("dropout").p == theirs.classifier[0].p


def test_weights_begin_as_documented():
    torch.manual_seed(0)
    net = create_model("efficientnet_b0", num_classes=100)
    for name, reached in [("mbconv7_2.depthwise", 25), ("mbconv7_2.expand", 6 * 192)]:
        weight = net.get_parameter(f"{name}.weight")
        assert weight.var().item() == pytest.approx(2 / reached, rel=0.05)
    assert net.get_parameter("fc.weight").abs().max().item() == pytest.approx(1280**-0.5, rel=0.01)
