"""ConvNeXt against its paper (section 3, Table 5), torchvision's networks and timm's."""

import pytest
import torch
from torch import nn

import convscope
from convscope.zoo import ZOO, create_model
from convscope.zoo.convnext import ConvNeXtBlock, LayerNorm2d
from tests.reference.peer import both_answer, renamed, shapes, torchvision_on_meta
from tests.repetition import first_fast


def test_channels_are_normalized_at_each_position():
    torch.manual_seed(0)
    layer, x = LayerNorm2d(5), torch.randn(2, 5, 3, 4)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    here = x[1, :, 2, 3]
    variance = ((here - here.mean()) ** 2).mean()
    expected = layer.weight * (here - here.mean()) / (variance + 1e-6) ** 0.5 + layer.bias
    torch.testing.assert_close(layer(x)[1, :, 2, 3], expected)


def test_logits_are_those_of_torchvision_and_timm():
    theirs = pytest.importorskip("torchvision").models.convnext_tiny(num_classes=5, layer_scale=0.5)
    names = ZOO["convnext_tiny"].torchvision_names
    net, images = create_model("convnext_tiny", num_classes=5), torch.randn(2, 3, 64, 64)
    assert shapes(renamed(theirs, names)) == shapes(net.state_dict())
    logits, expected = both_answer(net, theirs, names, images)
    assert expected.std(0).max() > 1e-3
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)

    timms = pytest.importorskip("timm").create_model(
        "convnext_tiny", num_classes=5, ls_init_value=0.5
    )
    card = convscope.load_weights(net, timms.state_dict())
    assert card.provenance["weights_names"].startswith("timm's of convnext_tiny, ")
    with torch.inference_mode():
        logits, expected = net.eval()(images), timms.eval()(images)
    assert expected.std(0).max() > 1e-3
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", first_fast(1, ["convnext_tiny", "convnext_base"]))
def test_branches_are_dropped_as_in_torchvision(name):
    pytest.importorskip("torchvision")
    theirs = torchvision_on_meta(name)
    with torch.device("meta"):
        net = create_model(name)
    rates = [
        block.stochastic_depth.p for block in theirs.modules() if type(block).__name__ == "CNBlock"
    ]
    ours = [
        getattr(block.drop_path, "drop_prob", 0)
        for block in net.modules()
        if isinstance(block, ConvNeXtBlock)
    ]
    assert ours == pytest.approx(rates)


def test_weights_begin_as_in_the_paper():
    torch.manual_seed(0)
    net = create_model("convnext_tiny", num_classes=10)
    weight = net.get_parameter("stage3_2.expand.weight")
    assert weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert (net.get_parameter("stage3_2.layer_scale") == 1e-6).all()
    assert not net.get_parameter("stage3_2.expand.bias").any()
