"""The gradient through recorded operations, and the exact division of a score."""

import pytest
import torch
from torch import nn

from convscope import create_model
from convscope.attribution.layer_choice import default_layer
from convscope.attribution.shares import AROUND, BIASES, CURVES, divide, gradient_flow
from convscope.recording import IMAGE
from tests.attribution.networks import (
    Chain,
    Curved,
    Dense,
    Residual,
    image,
    randomize,
    subject_of,
)

LINEAR = {"chain": Chain, "residual": Residual, "dense": Dense}


def _own_gradient(net, subject):
    leaf = subject.image.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(subject.target.score(net(leaf)).sum(), leaf)
    return gradient


@pytest.mark.parametrize("other", [None, 3])
@pytest.mark.parametrize("name", [*LINEAR, "curved"])
def test_the_gradient_through_recorded_operations_is_that_of_autograd(name, other):
    net = randomize((LINEAR | {"curved": Curved})[name]())
    subject = subject_of(net, image(), other=other)
    gradient, _ = gradient_flow(subject, IMAGE)
    torch.testing.assert_close(gradient, _own_gradient(net, subject))
    assert gradient.any()


def _bias_share(net, subject):
    """Σ b · ∂score/∂b over all biases: batch norm's is beta - mean · gamma / sigma."""
    total = 0.0
    outputs = []
    hooks = [
        module.register_forward_hook(lambda m, _, out: outputs.append((m, out)))
        for module in net.modules()
        if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d)
    ]
    leaf = subject.image.clone().requires_grad_()
    score = subject.target.score(net(leaf)).sum()
    for module, out in outputs:
        (gradient,) = torch.autograd.grad(score, out, retain_graph=True)
        bias = module.bias
        if isinstance(module, nn.BatchNorm2d):
            scale = module.weight / (module.running_var + module.eps).sqrt()
            bias = module.bias - module.running_mean * scale
        if bias is not None:
            axes = [0, *range(2, gradient.ndim)]
            total += float(gradient.sum(axes) @ bias.detach())
    for hook in hooks:
        hook.remove()
    return total


@pytest.mark.parametrize("other", [None, 3])
@pytest.mark.parametrize("name", ["chain", "dense"])  # the in-place ReLU of the other hides outputs
def test_pixels_and_biases_add_up_to_the_score_of_a_piecewise_linear_network(name, other):
    net = randomize(LINEAR[name]())
    subject = subject_of(net, image(), other=other)
    shares = divide(subject, IMAGE, *gradient_flow(subject, IMAGE))
    own = float((_own_gradient(net, subject) * subject.image).sum())
    assert shares.is_exact
    assert shares.map == pytest.approx(own, rel=1e-9)
    assert shares.others[BIASES] == pytest.approx(_bias_share(net, subject), rel=1e-9)
    assert shares.score == pytest.approx(float(subject.target.score(net(subject.image))))
    assert abs(shares.rest) < 1e-9 * (abs(shares.score) + 1)


@pytest.mark.parametrize("name", LINEAR)
def test_the_cells_of_a_layer_and_the_biases_behind_it_add_up_too(name):
    subject = subject_of(randomize(LINEAR[name]()), image(), other=2)
    layer = default_layer(subject.tape)
    shares = divide(subject, layer, *gradient_flow(subject, layer))
    assert shares.is_exact
    assert abs(shares.rest) < 1e-9
    assert AROUND not in shares.others


def test_what_goes_around_a_layer_is_counted():
    subject = subject_of(randomize(Residual()), image())
    shares = divide(subject, "bn3", *gradient_flow(subject, "bn3"))
    assert shares.others[AROUND]
    assert abs(shares.rest) < 1e-9


def test_what_curves_add_is_said_and_the_sum_still_holds():
    subject = subject_of(randomize(Curved()), image())
    shares = divide(subject, IMAGE, *gradient_flow(subject, IMAGE))
    assert not shares.is_exact
    assert abs(shares.others[CURVES]) > 1e-3
    assert abs(shares.rest) < 1e-9


@pytest.mark.parametrize(
    ("model", "channels", "size"),
    [("resnet20_cifar", 3, 32), ("squeezenet1_1", 3, 64), ("lenet5_1998", 1, 32)],
)
def test_networks_of_the_zoo_conserve_their_score(model, channels, size):
    torch.manual_seed(0)
    net = create_model(model, num_classes=4, in_channels=channels).double().eval()
    subject = subject_of(net, image(channels, size), other=0)
    gradient, flow = gradient_flow(subject, IMAGE)
    torch.testing.assert_close(gradient, _own_gradient(net, subject))
    shares = divide(subject, IMAGE, gradient, flow)
    assert abs(shares.rest) < 1e-9 * (1 + abs(shares.score))


def test_a_softmax_at_the_end_is_left_out():
    net = nn.Sequential(randomize(Chain()), nn.Softmax(1))
    subject = subject_of(net, image(), other=3)
    shares = divide(subject, IMAGE, *gradient_flow(subject, IMAGE))
    chances = net(subject.image)[0]
    assert shares.score == pytest.approx(float((chances[1] / chances[3]).log()))
    assert shares.is_exact
