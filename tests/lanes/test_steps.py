"""The engine's optimizers are torch's; its steps depend on their arguments alone."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.lanes.engine import Engine
from convscope.lanes.step import Rule
from convscope.zoo import create_model
from tests.lanes.networks import batch, network

STEPS = 20
RULES = {
    "sgd": (
        Rule("sgd"), dict(momentum=0.9, weight_decay=5e-4), torch.optim.SGD,
        dict(momentum=0.9, weight_decay=5e-4),
    ),
    "plain sgd": (Rule("sgd"), {}, torch.optim.SGD, {}),
    "nesterov": (
        Rule("sgd", nesterov=True), dict(momentum=0.9, weight_decay=1e-3), torch.optim.SGD,
        dict(momentum=0.9, weight_decay=1e-3, nesterov=True),
    ),
    "adamw": (Rule("adamw"), dict(weight_decay=0.01), torch.optim.AdamW, dict(weight_decay=0.01)),
    "clipped": (
        Rule("sgd", clips=True), dict(momentum=0.9, clip=0.5), torch.optim.SGD, dict(momentum=0.9),
    ),
}  # fmt: skip


def weights_of(net: nn.Module) -> torch.Tensor:
    return torch.cat([weight.detach().double().reshape(-1) for weight in net.parameters()])


@pytest.mark.parametrize("name", RULES)
def test_twenty_steps_are_those_of_torch(name):
    rule, how, optimizer, theirs = RULES[name]
    torch.manual_seed(1)
    net = create_model("lenet5")
    twin = copy.deepcopy(net).double()
    begin = weights_of(net)
    lr = 0.001 if name == "adamw" else 0.02
    other = optimizer(twin.parameters(), lr=lr, **theirs)
    engine = Engine(net, (1, 32, 32), rule=rule)
    for step in range(STEPS):
        images = batch((1, 32, 32), 32, seed=step)
        images.step(engine, lr=lr, number=step + 1, **how)
        other.zero_grad()
        F.cross_entropy(twin(images.images), images.labels).backward()
        if "clip" in how:
            nn.utils.clip_grad_norm_(twin.parameters(), how["clip"])
        other.step()
    moved = weights_of(twin) - begin
    assert float((weights_of(net) - weights_of(twin)).norm() / moved.norm()) < 1e-4


def test_a_share_of_the_rate_moves_weights_by_that_share():
    net, shape = network("dense alone")
    engine = Engine(net, shape, rule=Rule("sgd", lr_scales=True))
    pieces = engine.state_views(engine.lr_scales)
    for name, piece in pieces.items():
        piece.fill_(1.0 if name == "5.weight" else 0.25)
    before = {name: weight.detach().clone() for name, weight in net.named_parameters()}
    batch(shape, 16).step(engine, lr=0.1)
    grads = engine.gradients()
    for name, weight in net.named_parameters():
        share = 1.0 if name == "5.weight" else 0.25
        wanted = before[name] - 0.1 * share * grads[name]
        torch.testing.assert_close(weight.detach(), wanted, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("with_openmp", [True, False])
def test_the_same_steps_give_the_same_bits_and_every_thread_count_nearly_the_same(with_openmp):
    found = {}
    for threads in (1, 2, 3, 2):
        net, shape = network("residual")
        engine = Engine(net, shape, threads=3, with_openmp=with_openmp)
        for step in range(3):
            batch(shape, 29, seed=step).step(engine, lr=0.1, momentum=0.9, threads=threads)
        weights = weights_of(net)
        if threads in found:
            assert torch.equal(found[threads], weights)
        found[threads] = weights
    for weights in found.values():
        torch.testing.assert_close(weights, found[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("with_openmp", [True, False])
def test_changing_thread_counts_never_hang(with_openmp):
    net, shape = network("dense alone")
    engine = Engine(net, shape, threads=7, with_openmp=with_openmp)
    images = batch(shape, 64)
    random = np.random.default_rng(0)
    losses = {
        images.step(engine, threads=int(n), update=False)[1] for n in random.integers(1, 8, 400)
    }
    assert len(losses) == 1


def test_whole_numbers_are_numbers():
    weights = []
    for one in (1, 1.0):
        net, shape = network("dense alone")
        engine = Engine(net, shape, rule=Rule("sgd", clips=True), threads=1)
        for seed in range(2):
            how = dict(lr=one, momentum=one, weight_decay=one, clip=one, label_smoothing=one)
            batch(shape, 16, seed=seed).step(engine, **how)
        weights.append(weights_of(net))
    assert torch.equal(*weights)


def test_the_network_sees_what_the_engine_does():
    net, shape = network("dense alone")
    engine = Engine(net, shape)
    images = batch(shape, 16)
    before = F.cross_entropy(net(images.images.float()), images.labels).item()
    for _ in range(5):
        images.step(engine, lr=0.2)
    after = F.cross_entropy(net(images.images.float()), images.labels).item()
    assert after < before - 0.1
    net.load_state_dict({name: torch.zeros_like(value) for name, value in net.state_dict().items()})
    assert not engine.parameters.any()


def dropping(*, maps: bool) -> nn.Module:
    drop = nn.Dropout2d(0.3) if maps else nn.Dropout(0.3)
    net = nn.Sequential(nn.Conv2d(1, 40, 1, bias=False), drop, nn.Flatten(), nn.Linear(40 * 36, 10))
    nn.init.ones_(net[0].weight)
    return net


@pytest.mark.parametrize("maps", [False, True])
def test_dropout_keeps_its_share_and_the_gradient_goes_where_the_values_went(maps):
    net = dropping(maps=maps)
    engine = Engine(net, (1, 6, 6))
    images = batch((1, 6, 6), 1)
    images.pixels.fill_(255)
    images.step(engine, seed=7, update=False)
    grad = engine.gradients()["3.weight"][0].view(40, 36)  # the dropped inputs times one number
    kept = grad != 0
    share = kept.double().mean().item()
    assert (0.45 if maps else 0.65) < share < (0.95 if maps else 0.75)
    if maps:
        assert torch.equal(kept.any(1), kept.all(1))
    assert grad[kept].unique().numel() <= 2  # all enlarged alike, up to rounding
    images.step(engine, seed=8, update=False)
    assert not torch.equal(kept, engine.gradients()["3.weight"][0].view(40, 36) != 0)
    images.step(engine, seed=7, update=False)
    assert torch.equal(kept, engine.gradients()["3.weight"][0].view(40, 36) != 0)


def test_dropout_rolls_for_every_image_and_place_on_its_own():
    net = nn.Sequential(nn.Dropout(0.5), nn.Flatten(), nn.Linear(400, 10, bias=False))
    engine = Engine(net, (1, 20, 20))
    masks = []
    for place in range(24):
        images = batch((1, 20, 20), 24)
        images.pixels.fill_(128)  # the value 0
        images.pixels[place] = 255
        images.labels.zero_()
        images.step(engine, seed=3, update=False)
        masks.append(engine.gradients()["2.weight"][1] != 0)
    together = torch.stack(masks).double()
    assert abs(together.mean().item() - 0.5) < 0.02
    assert torch.corrcoef(together).fill_diagonal_(0).abs().max() < 0.25
    assert torch.corrcoef(together.T).fill_diagonal_(0).abs().mean() < 0.25


@pytest.mark.parametrize("labels", [[0, 10], [-1, 3], []])
def test_classes_that_are_none_are_refused_before_memory_is_touched(labels):
    net, shape = network("dense alone")
    engine = Engine(net, shape)
    images, given = batch(shape, max(1, len(labels))), np.array(labels, np.int64)
    with pytest.raises(RequestError, match="from 0 to 9"):
        engine.step(images.given, given, scales=images.scales)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda given: given._replace(pixels=given.pixels.int()), "contiguous bytes"),
        (lambda given: given._replace(pixels=given.pixels[:, :, ::2]), "contiguous bytes"),
        (lambda given: given._replace(first=given.first + 1), "beyond its memory"),
        (lambda given: given._replace(first=given.first - 1), "beyond its memory"),
        (lambda given: given._replace(steps=-given.steps), "beyond its memory"),
        (lambda given: given._replace(steps=given.steps + 1), "beyond its memory"),
        (lambda given: given._replace(first=given.first[:-1]), "one for each"),
        (lambda given: given._replace(steps=given.steps.astype(np.int32)), "64-bit"),
        (lambda given: given._replace(first=given.first.repeat(2)[::2]), "contiguous 64-bit"),
    ],
)
def test_images_that_are_not_all_there_are_refused(change, words):
    net, shape = network("residual")
    engine, images = Engine(net, shape), batch(shape, 9)
    given, labels = change(images.given), images.labels.numpy()
    with pytest.raises(RequestError, match=words):
        engine.step(given, labels[: len(given.first)], scales=images.scales)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (dict(scales=np.ones((3, 2))), "a scale and a shift per channel"),
        (dict(scales=np.ones((2, 2), np.float32)), "a scale and a shift per channel"),
        (dict(weights=np.ones(9, np.float32)), "10 contiguous float32"),
        (dict(weights=np.ones(10)), "10 contiguous float32"),
    ],
    ids=str,
)
def test_numbers_of_another_kind_are_refused(how, words):
    net, shape = network("residual")
    with pytest.raises(RequestError, match=words):
        batch(shape, 9).step(Engine(net, shape), **how)


def test_labels_of_another_kind_or_number_are_refused():
    net, shape = network("residual")
    engine, images = Engine(net, shape), batch(shape, 9)
    for labels, words in (
        (images.labels.numpy().astype(np.int32), "64-bit"),
        (images.labels.numpy().repeat(2)[::2], "64-bit"),
        (images.labels.numpy()[:-1], "one label per image"),
    ):
        with pytest.raises(RequestError, match=words):
            engine.step(images.given, labels, scales=images.scales)


def test_a_mirrored_image_is_read_backwards():
    net, shape = network("residual")
    images = batch(shape, 9)
    turned = images._replace(pixels=images.pixels.flip(2).contiguous())
    given, (channels, _, width) = images.given, shape
    first = given.first + channels * (width - 1)
    engine = Engine(net, shape)
    mirrored = engine.logits(given._replace(first=first, steps=-given.steps), scales=images.scales)
    np.testing.assert_array_equal(mirrored, engine.logits(turned.given, scales=images.scales))
