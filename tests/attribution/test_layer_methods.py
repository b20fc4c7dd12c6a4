"""Grad-CAM and its kin, CAM, the layer they weigh by default, and where its cells lie."""

import numpy as np
import pytest
import torch
from torch import nn

from convscope import create_model
from convscope.attribution.layer_choice import Grid, default_layer, enlarge, find_layer, grids
from convscope.attribution.layer_methods import (
    cam,
    grad_cam,
    grad_cam_plus_plus,
    hires_cam,
    layer_cam,
)
from convscope.attribution.steps import Tape
from convscope.errors import RequestError
from convscope.recording import run_once
from tests.attribution.networks import Chain, Dense, Residual, image, randomize, subject_of


@pytest.mark.parametrize(
    ("model", "size", "layer"),
    [
        ("resnet18", 64, None),
        ("resnet20_cifar", 32, None),
        ("densenet121", 64, None),
        ("squeezenet1_1", 64, None),
        ("nin_cifar", 32, None),
        ("lenet5", 32, "tanh2"),
    ],
)
def test_the_default_layer_is_the_last_activation_of_maps(model, size, layer):
    """Behind it come only pooling, shapes and dense layers; it is no convolution's bare output."""
    net = create_model(model).eval()
    channels = 1 if model.startswith("lenet") else 3
    tape = _tape(net, channels, size)
    found = default_layer(tape)
    assert layer in (None, found)
    behind = tape.between(found, tape.logits())
    spatial = {
        tape.operations[name].kind
        for name in behind
        if len(tape.operations[name].shape) == 4 and np.prod(tape.operations[name].shape[2:]) > 1
    }
    assert not spatial - {"max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "dropout"}
    assert tape.operations[found].kind not in ("conv2d", "batch_norm", "max_pool2d")


def _tape(net, channels, size):
    x = torch.rand(1, channels, size, size)
    return Tape(run_once(net, x, should_keep=lambda module, kind: True))


def test_a_network_without_maps_is_refused_with_what_it_may_use():
    net = randomize(nn.Sequential(nn.Flatten(), nn.Linear(192, 4)))
    with pytest.raises(RequestError, match=r"No convolution .* integrated-gradients"):
        grad_cam(subject_of(net, image()), None)


def test_a_layer_is_found_by_operation_and_by_module_and_others_are_refused():
    tape = subject_of(randomize(nn.Sequential(Chain(), nn.Identity())), image()).tape
    assert find_layer(tape, "0.4") == "0.4"
    with pytest.raises(RequestError, match=r"no layer '0.44'.*'0.4'"):
        find_layer(tape, "0.44")
    with pytest.raises(RequestError, match=r"0.9 has the shape 4; .* maps"):
        find_layer(tape, "0.9")


def _activation_and_gradient(net, subject, layer):
    kept = []
    handle = net.get_submodule(layer).register_forward_hook(lambda m, i, out: kept.append(out))
    with torch.enable_grad():
        leaf = subject.image.clone().requires_grad_()
        score = subject.target.score(net(leaf)).sum()
        (gradient,) = torch.autograd.grad(score, kept[0])
    handle.remove()
    return kept[0].detach(), gradient


@pytest.mark.parametrize("other", [None, 3])
def test_the_formulas_of_the_papers_written_as_loops(other):
    net = randomize(Chain())
    subject = subject_of(net, image(), other=other)
    maps, gradient = _activation_and_gradient(net, subject, "4")
    _, channels, height, width = maps.shape
    expected = {name: np.zeros((height, width)) for name in ("cam", "plus", "layer", "hires")}
    for k in range(channels):
        a, g = maps[0, k].numpy(), gradient[0, k].numpy()
        alpha = np.zeros_like(g)
        nonzero = 2 * g**2 + a.sum() * g**3 != 0
        alpha[nonzero] = (g**2)[nonzero] / (2 * g**2 + a.sum() * g**3)[nonzero]
        expected["cam"] += g.mean() * a
        expected["plus"] += (alpha * np.maximum(g, 0)).sum() * a
        expected["layer"] += np.maximum(g, 0) * a
        expected["hires"] += g * a
    found = {
        "cam": grad_cam, "plus": grad_cam_plus_plus, "layer": layer_cam, "hires": hires_cam,
    }  # fmt: skip
    for name, method in found.items():
        total = expected[name] if name == "hires" else np.maximum(expected[name], 0)
        np.testing.assert_allclose(method(subject, None).values, total, atol=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_pytorch_grad_cam_agrees():
    peer = pytest.importorskip("pytorch_grad_cam", reason="grad-cam is not installed")
    net = randomize(Chain()).float()
    subject = subject_of(net, image().float())
    pairs = {
        "GradCAM": grad_cam, "GradCAMPlusPlus": grad_cam_plus_plus, "LayerCAM": layer_cam,
        "HiResCAM": hires_cam,
    }  # fmt: skip
    for name, method in pairs.items():
        ours = np.maximum(method(subject, "4").values, 0)
        with getattr(peer, name)(net, [net[4]]) as theirs:
            theirs.activations_and_grads.model.requires_grad_()
            raw = theirs(subject.image.clone(), [lambda logits: logits[1]])[0]
        stretched = (ours - ours.min()) / (1e-7 + (ours - ours.min()).max())
        small = torch.nn.functional.interpolate(
            torch.from_numpy(stretched)[None, None], (8, 8), mode="bilinear"
        )[0, 0]
        assert np.corrcoef(small.flatten(), raw.flatten())[0, 1] > 0.99, name


@pytest.mark.filterwarnings("ignore")
def test_captum_agrees_on_grad_cam():
    captum = pytest.importorskip("captum.attr", reason="captum is not installed")
    net = randomize(Chain())
    subject = subject_of(net, image())
    raw = captum.LayerGradCam(net, net[4]).attribute(subject.image.clone(), target=1)
    np.testing.assert_allclose(
        grad_cam(subject, "4").values, raw.detach().clamp_min(0)[0, 0].numpy(), atol=1e-12
    )


@pytest.mark.parametrize("other", [None, 2])
@pytest.mark.parametrize("make", [Residual, Dense])
def test_cam_is_grad_cam_before_the_relu_times_the_number_of_cells(make, other):
    """Selvaraju et al., 2017, appendix A."""
    subject = subject_of(randomize(make()), image(), other=other)
    found = cam(subject, None)
    np.testing.assert_allclose(
        np.maximum(found.values, 0) / 64, grad_cam(subject, None).values, atol=1e-12
    )
    score = float(subject.target.score(subject.logits(subject.image)))
    bias = subject.net.fc.bias
    constant = float(bias[1] - (bias[2] if other else 0))
    assert found.values.mean() + constant == pytest.approx(score)


def test_cam_of_a_network_that_ends_in_the_average_of_class_maps_is_the_class_map():
    net = randomize(nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    subject = subject_of(net, image())
    found = cam(subject, None)
    np.testing.assert_allclose(found.values, net[0](subject.image)[0, 1].numpy())


def test_cam_of_another_network_is_refused_with_what_stands_in_the_way():
    with pytest.raises(
        RequestError, match=r"behind 4 this one has 5 \(avg_pool2d\), 6 \(flatten\)"
    ):
        cam(subject_of(randomize(Chain()), image()), None)


def test_an_in_place_relu_behind_the_layer_does_not_change_its_maps():
    convolution = nn.Conv2d(3, 4, 3)
    rest = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4)
    net = randomize(nn.Sequential(convolution, nn.ReLU(inplace=True), *rest))
    subject = subject_of(net, image())
    maps = convolution(subject.image)
    gradient = (maps > 0) * net[4].weight[1].reshape(1, -1, 1, 1) / 36
    expected = (gradient.mean((2, 3), keepdim=True) * maps).sum(1)[0].clamp_min(0)
    np.testing.assert_allclose(grad_cam(subject, "0").values, expected.numpy(), atol=1e-12)


def test_cells_lie_in_the_middle_of_their_receptive_fields():
    layers = nn.Conv2d(3, 4, 5), nn.ReLU(), nn.Conv2d(4, 4, 3, stride=2), nn.ReLU()
    net = randomize(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4)))
    tape = subject_of(net, image(3, 16)).tape
    vertical, horizontal = grids(tape, default_layer(tape))
    assert vertical == horizontal == Grid(5, 3.5, 2.0)  # fields of 7 pixels: 0..6, 2..8, ...


def test_enlarging_is_exact_at_the_middles_and_linear_between():
    values = np.array([[0.0, 2], [4, 6]])
    where = Grid(2, 1.5, 4.0), Grid(2, 1.5, 4.0)
    found = enlarge(values, where, (8, 8))
    assert found[1, 1] == 0
    assert found[5, 5] == 6
    assert found[1, 3] == 1
    assert found[0, 0] == 0
    assert found[7, 7] == 6
