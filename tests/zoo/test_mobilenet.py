"""MobileNetV2 and V3 against their papers' tables, torchvision's networks and timm's."""

from functools import partial

import pytest
import torch
from torch import nn

import convscope
from convscope.zoo import ZOO, create_model
from convscope.zoo.cell_notation import table_rows
from convscope.zoo.inverted_residual import InvertedResidual
from convscope.zoo.mobilenet_v2 import TABLE, mobilenet_v2
from convscope.zoo.mobilenet_v3 import LARGE, SMALL
from convscope.zoo.residual import Residual
from tests.reference.network import multiply_adds, on_meta, volumes
from tests.reference.peer import both_answer, calibrate, renamed, shapes

NAMES = ["mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"]
TABLES = dict(zip(NAMES, (TABLE, SMALL, LARGE), strict=True))


@pytest.mark.parametrize(
    ("build", "millions", "mega_adds"),
    [  # the papers round otherwise: 3.4 and 300, 6.9 and 585 (V2, table 4; timm has 6.1), 5.4 and
        # 219, 2.5 and 56 (V3, tables 3 and 4)
        (mobilenet_v2, 3.5, 300.8),
        (partial(mobilenet_v2, width=1.4), 6.1, 582.2),
        (partial(create_model, "mobilenet_v3_large"), 5.5, 216.6),
        (partial(create_model, "mobilenet_v3_small"), 2.5, 56.5),
    ],
)
def test_parameters_and_work_are_near_those_of_the_papers(build, millions, mega_adds):
    net, image = on_meta(build, (224, 224))
    assert round(sum(w.numel() for w in net.parameters()) / 1e6, 1) == millions
    assert round(multiply_adds(net, image) / 1e6, 1) == mega_adds


@pytest.mark.parametrize("name", NAMES)
def test_every_row_gets_the_input_that_the_table_states(name):
    net, image = on_meta(partial(create_model, name), (224, 224))
    seen = [(3, 224, 224), *volumes(net, image).values()]
    names = ["", *(layer for layer, _ in net.named_children())]
    for row in table_rows(TABLES[name]):
        first = {"fc": "dropout", "fc1": "fc1", "fc2": "dropout"}.get(row["layer"], row["layer"])
        index = next(i for i, one in enumerate(names) if one in (first, f"{first}_1"))
        volume = seen[index - 1] if len(seen[index - 1]) > 1 else (*seen[index - 1], 1, 1)
        assert "x".join(map(str, (*volume[1:], volume[0]))) == row["input"], row["layer"]


def test_the_input_is_added_where_it_has_the_shape_of_the_output():
    same = InvertedResidual(channels=4, filters=4, expanded=12)
    torch.manual_seed(0)
    block = same.build(norm=nn.BatchNorm2d, activation=nn.ReLU6).eval()
    assert isinstance(block, Residual)
    x = torch.randn(2, 4, 5, 5)
    expected = x + nn.Sequential(*(getattr(block, name) for name in block.branch))(x)
    assert torch.equal(block(x), expected)
    last = list(dict(block.named_children()))[-2]
    assert last == "project_bn"  # nothing but the sum follows the projection
    for other in (
        InvertedResidual(channels=4, filters=8, expanded=12),
        InvertedResidual(channels=4, filters=4, expanded=12, stride=2),
    ):
        built = other.build(norm=nn.BatchNorm2d, activation=nn.ReLU6)
        assert isinstance(built, nn.Sequential)
    assert InvertedResidual(channels=4, filters=8, expanded=4).parts == ["depthwise", "project"]


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_those_of_torchvision(name):
    theirs = getattr(pytest.importorskip("torchvision").models, name)(num_classes=5)
    names = ZOO[name].torchvision_names
    net, images = create_model(name, num_classes=5), torch.randn(4, 3, 64, 64)
    assert shapes(renamed(theirs, names)) == shapes(net.state_dict())
    logits, expected = both_answer(net, theirs, names, images, calibrated=True)
    assert expected.std(0).max() > 1e-3
    assert torch.equal(logits, expected)
    ours = {type(layer) for layer in net.modules() if not list(layer.children())}
    same = {type(layer) for layer in theirs.modules() if not list(layer.children())}
    assert ours - same == {nn.Flatten, *({nn.AdaptiveAvgPool2d} - same), *({nn.Identity} - same)}
    norms = [
        {
            (layer.eps, layer.momentum)
            for layer in each.modules()
            if isinstance(layer, nn.BatchNorm2d)
        }
        for each in (net, theirs)
    ]
    assert norms[0] == norms[1]


def test_logits_are_those_of_timm_by_its_own_names():
    theirs = pytest.importorskip("timm").create_model("mobilenetv2_100", num_classes=5)
    torch.manual_seed(0)
    images = torch.randn(4, 3, 64, 64)
    calibrate(theirs, images)
    net = create_model("mobilenet_v2", num_classes=5)
    card = convscope.load_weights(net, theirs.state_dict())
    assert card.provenance["weights_names"] == "timm's of mobilenet_v2"
    with torch.inference_mode():
        logits, expected = net.eval()(images), theirs.eval()(images)
    assert expected.std(0).max() > 1e-3
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", ["small", "large"])
def test_logits_of_v3_are_those_of_timm_with_the_papers_batch_norm(size):
    """timm's own eps is 1e-5, so its weights would mean something else: they are not taken."""
    timm = pytest.importorskip("timm")
    theirs = timm.create_model(f"mobilenetv3_{size}_100", num_classes=5, bn_eps=0.001)
    torch.manual_seed(0)
    images = torch.randn(4, 3, 64, 64)
    calibrate(theirs, images)
    net = create_model(f"mobilenet_v3_{size}", num_classes=5)
    values, state = list(theirs.state_dict().values()), net.state_dict()
    assert len(values) == len(state)  # both in the order of the layers
    net.load_state_dict(
        {name: value.reshape(state[name].shape) for name, value in zip(state, values, strict=True)}
    )
    with torch.inference_mode():
        logits, expected = net.eval()(images), theirs.eval()(images)
    assert expected.std(0).max() > 1e-3
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(convscope.errors.RequestError, match="another network"):
        convscope.load_weights(net, theirs.state_dict())


def test_weights_begin_as_in_torchvision():
    torch.manual_seed(0)
    net = create_model("mobilenet_v3_large")
    for name, reached in [("bneck14.depthwise", 25 * 672), ("bneck15.expand", 960)]:
        weight = net.get_parameter(f"{name}.weight")
        assert weight.var().item() == pytest.approx(2 / reached, rel=0.05)
    assert net.get_parameter("fc1.weight").std().item() == pytest.approx(0.01, rel=0.02)
    assert not any(net.get_parameter(f"{name}.bias").any() for name in ("fc1", "fc2"))
    assert not net.get_parameter("bneck15.se.fc1.bias").any()
