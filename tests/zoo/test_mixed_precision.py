"""Every network takes a step in 16 bits, and the papers' layers are near float64 in it."""

import pytest
import torch

from convscope import layers
from convscope.card import Card
from convscope.mixed_precision import autocast
from convscope.training.loss import BatchLoss
from convscope.zoo import ZOO, create_model

CPU = torch.device("cpu")
NARROW = ("lenet5", "lenet5_1998", "tinyvgg", "squeezenet1_1", "resnet110_stochastic_depth")
CARD = Card(
    classes=("a", "b", "c"),
    input_size=(32, 32),
    in_channels=3,
    resize_mode="crop",
    mean=(0.5,) * 3,
    std=(0.25,) * 3,
)


@pytest.mark.parametrize(
    "name", [name if name in NARROW else pytest.param(name, marks=pytest.mark.slow) for name in ZOO]
)
@pytest.mark.parametrize("low", ["bf16", pytest.param("fp16", marks=pytest.mark.slow)])
def test_a_network_takes_a_step(name, low):
    entry = ZOO[name]
    side = max(entry.min_size, 32 if max(entry.input_size) < 100 else entry.min_size + 16)
    torch.manual_seed(0)
    net = create_model(name, num_classes=3, input_size=side).train()
    images, targets = torch.randn(4, entry.in_channels, side, side), torch.tensor([0, 1, 2, 0])
    losses = []
    for precision in ("float32", low):
        torch.manual_seed(1)  # of dropout
        with autocast(CPU, precision):
            output = net(images)
        loss, _ = BatchLoss(CARD)(output, targets)
        losses.append(loss.item())
    loss.backward()
    # In a hundred layers with random weights, batch norm over four images amplifies every rounding.
    assert losses[1] == pytest.approx(losses[0], abs=0.3 if name in NARROW else 1.0)
    assert losses[1] != losses[0]
    for path, weight in net.named_parameters():
        assert weight.grad is None or weight.grad.isfinite().all(), path


def fitted_whitening():
    layer = layers.ZCAWhitening((3, 4, 4))
    layer.fit([torch.randn(100, 3, 4, 4).cumsum(3)])
    return layer


OWN = {
    "locally connected": (lambda: layers.LocallyConnected2d(4, 6, (8, 8), 3), (3, 4, 8, 8)),
    "sparse connections": (
        lambda: layers.SparseConnectionConv2d(4, [(0, 1), (1, 2, 3)], 3), (3, 4, 8, 8)),
    "normalization": (lambda: layers.LocalResponseNorm(alpha=0.1), (3, 8, 4, 4)),
    "subsampling": (lambda: layers.Subsampling2d(4, 2), (3, 4, 8, 8)),
    "min pool": (lambda: layers.MinPool2d(2), (3, 4, 8, 8)),
    "scaled tanh": (layers.ScaledTanh, (3, 4, 8, 8)),
    "whitening": (fitted_whitening, (3, 3, 4, 4)),
    "radial basis": (lambda: layers.RadialBasis(torch.ones(3, 16)), (3, 16)),
}  # fmt: skip


@pytest.mark.parametrize("make", OWN)
def test_a_layer_is_that_of_float64_up_to_rounding(make):
    torch.manual_seed(0)
    build, shape = OWN[make]
    layer, x = build(), torch.randn(shape)
    grads, outputs = [], []
    for bf16 in (True, False):
        net = layer if bf16 else layer.double()
        given = x.bfloat16().to(torch.float32 if bf16 else torch.float64).requires_grad_()
        with autocast(CPU, "bf16" if bf16 else "float32"):
            output = net(given.bfloat16() if bf16 else given)
        outputs.append(output.detach().double())
        output.double().square().sum().backward()
        grads.append(given.grad.double())
    for found, exact in (outputs, grads):
        assert (found - exact).norm() <= 2**-6 * exact.norm()
