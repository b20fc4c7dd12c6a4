"""Every network of the zoo: what its units are made of gives what the network computed."""

from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from convscope.explanation.recording import record
from convscope.terms import Sum, Terms
from convscope.zoo import ZOO, create_model
from tests.reference.families import each_network
from tests.repetition import sample_fast

UNITS = 200
DRAWN = ("rand", "randint")  # what a sampler draws has no reason
SMALLEST_NORMAL = 2.0**-126  # below it float32 loses digits

# Seconds of work and more. The others have one at least of each kind of graph.
LARGE = frozenset(
    (
        *("vgg11_lrn_bn", "vgg13_bn", "vgg16_c_bn", "vgg19_bn", "resnet101", "resnet152"),
        *("resnet1202_cifar", "wide_resnet50_2", "wide_resnet101_2", "resnext50_32x4d"),
        *("resnext101_32x8d", "resnext101_64x4d", "resnext29_16x64d", "densenet161"),
        *("densenet169", "densenet201", "densenet190_40_bc"),
    )
)
NETWORKS = each_network(ZOO, slow=LARGE)

# (network, side, seed) whose dropout, drop path, joins or batch norms do otherwise in training.
# The side leaves every batch norm more than one unit of a map to take the mean of.
TRAINED = [
    ("alexnet", 67, 0),
    ("nin_cifar", 32, 0),
    ("nin_cifar_zca", 32, 0),
    ("vgg11", 32, 0),
    ("googlenet", 79, 0),
    ("squeezenet1_1", 33, 0),
    ("deepface", 72, 0),
    ("vgg11_bn", 64, 0),
    ("googlenet_bn", 64, 0),
    ("resnet18", 64, 0),
    ("resnet20_cifar", 32, 0),
    ("densenet40_12", 32, 0),
    ("densenet121", 64, 0),
    ("wrn16_8", 16, 0),
    ("resnext29_8x64d", 16, 0),
    *(("resnet110_stochastic_depth", 16, seed) for seed in range(2)),
    *(("fractalnet20", 32, seed) for seed in range(4)),  # of which some run one column, some all
]


def photograph(channels, height, width, seed=0):
    """Color gradients, sharp edges and the noise of a sensor, normalized."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    slopes = random.uniform(-1, 1, (3, channels))
    image = 0.5 + 0.3 * (np.multiply.outer(slopes[0], y / height - 0.5))
    image += 0.3 * np.multiply.outer(slopes[1], x / width - 0.5)
    disc = np.hypot(y - 0.4 * height, x - 0.6 * width) < 0.25 * min(height, width)
    bar = abs(x - 0.2 * width + 0.3 * y) < 0.08 * width
    image += np.multiply.outer(0.3 * slopes[2], disc) - 0.25 * bar
    image += random.normal(0, 0.03, image.shape)
    pixels = np.round(255 * image.clip(0, 1)) / 255
    return torch.from_numpy((pixels - 0.45) / 0.225).float()


def network(name, size, seed=0):
    """A network with random weights, of which none is 0 or 1 and nothing cancels."""
    torch.manual_seed(seed)
    net = create_model(name, input_size=size).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.2, 0.6)  # more grows to infinity over 1202 layers
        bias = getattr(module, "bias", None)
        if isinstance(bias, Tensor):
            nn.init.normal_(bias, 0, 0.1)
    return net


def units(recording, count=UNITS, seed=0):
    """Random units, of every operation as many, where there are not more operations than units."""
    random = np.random.default_rng(seed)
    names = list(random.permutation(recording.names))
    chosen = [str(names[n % len(names)]) for n in range(count)]
    return [(n, tuple(int(random.integers(side)) for side in recording[n].shape)) for n in chosen]


def wrong(explanation):
    """What is not as it has to be; None where nothing is."""
    decomposition = explanation.decomposition
    if decomposition.kind == "unsupported":
        return f"is unknown: {decomposition.formula}"
    kind, exact = decomposition.kind, decomposition.exact_value
    if kind in ("maximum", "minimum", "identity") and exact != explanation.model_value:
        return f"is {explanation.model_value!r}, and its {kind} {exact!r}"
    distance = abs(explanation.exact_value - explanation.model_value)
    if not distance <= explanation.rounding_bound + SMALLEST_NORMAL:
        return f"is {distance} from its total, and not {explanation.rounding_bound}"
    return None if explanation.is_within_tolerance else "does not agree"


def all_are_right(recording):
    assert recording[recording.output].tensor.isfinite().all()
    asked = units(recording)
    if len(recording) <= UNITS:
        assert {name for name, _ in asked} == set(recording.names)
    found = [(name, at, wrong(recording.explain(name, at))) for name, at in asked]
    assert [one for one in found if one[2] and recording[one[0]].kind not in DRAWN] == []


def smallest_size(name):
    """A small size that the layers allow, wider than high where that is known to change none."""
    entry = ZOO[name]
    side = max(entry.min_size, 32)
    return side, (side if entry.min_size > 32 or name in LARGE else side + 8)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_explained(name):
    size = smallest_size(name)
    recording = record(network(name, size), photograph(ZOO[name].in_channels, *size))
    all_are_right(recording)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in ZOO if min(ZOO[n].input_size) > 32])
def test_every_network_is_explained_at_the_size_of_its_paper(name):
    entry = ZOO[name]
    recording = record(
        network(name, entry.input_size), photograph(entry.in_channels, *entry.input_size)
    )
    all_are_right(recording)


@pytest.mark.parametrize(("name", "side", "seed"), sample_fast(3, TRAINED))
def test_networks_in_training_mode_are_explained(name, side, seed):
    net = network(name, (side, side)).train()
    torch.manual_seed(seed)
    all_are_right(record(net, photograph(ZOO[name].in_channels, side, side)))


def answers(net, image):
    """What every leaf takes and gives, by its path, and what the network answers."""
    taken, given, handles = {}, {}, []

    def copied(value):
        if isinstance(value, list | tuple):
            return [copied(one) for one in value]
        return value.clone() if isinstance(value, Tensor) else value

    leaves = {
        path: module
        for path, module in net.named_modules()
        if not any(module.children()) or type(module).__module__.startswith("convscope.layers.")
    }
    for path, module in leaves.items():
        before = lambda _m, x, path=path: taken.update({path: copied(x)})  # noqa: E731
        after = lambda _m, _x, y, path=path: given.update({path: copied(y)})  # noqa: E731
        handles += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    with torch.no_grad():
        answer = net(image[None])
    for handle in handles:
        handle.remove()
    return {path: (leaves[path], taken[path], given[path]) for path in given}, answer


def doubled(value):
    if isinstance(value, list):
        return [doubled(one) for one in value]
    return value.double() if isinstance(value, Tensor) else value


@pytest.mark.parametrize(
    "name",
    [
        *("lenet5", "lenet5_1998", "tinyvgg", "alexnet", "alexnet_towers", "vgg11_lrn_bn"),
        *("nin_cifar", "googlenet", "resnet18", "resnet110_stochastic_depth", "resnext29_8x64d"),
        *("densenet40_12", "fractalnet20", "squeezenet1_1", "deepface"),
    ],
)
def test_results_are_bit_identical_and_exact_values_match_float64(name):
    size = smallest_size(name)
    net, image = network(name, size), photograph(ZOO[name].in_channels, *size)
    leaves, answer = answers(net, image)
    recording = record(net, image)
    assert torch.equal(recording[recording.output].tensor, answer)
    random = np.random.default_rng(0)
    compared = 0
    for path, (layer, taken, given) in leaves.items():
        if path not in recording or isinstance(layer, nn.Dropout):
            continue
        assert torch.equal(recording[path].tensor, given), path
        with torch.no_grad():
            exact = deepcopy(layer).double()(*doubled(taken))
        for _ in range(3):
            at = tuple(int(random.integers(side)) for side in recording[path].shape)
            expected = float(exact[0][at])
            allowed = 1e-11 * float(exact.abs().max())
            assert recording.explain(path, at).exact_value == pytest.approx(
                expected, abs=allowed
            ), path
        compared += 1
    assert compared >= 8


def changed(explanation, factor):
    """The explanation with another weight in the place of the one that contributes most."""
    terms = explanation.terms
    weights = terms.weights.copy()
    weights[terms.largest(1)[0]] *= factor
    starts = np.cumsum([0, *map(len, terms.groups)])
    groups = [
        replace(part, weights=weights[first:end])
        for part, (first, end) in zip(terms.groups, pairwise(starts), strict=True)
    ]
    decomposition = replace(explanation.decomposition, terms=Terms(*groups))
    return replace(explanation, decomposition=decomposition)


@pytest.mark.parametrize("name", ["lenet5", "resnet20_cifar", "densenet40_12", "squeezenet1_1"])
def test_a_weight_changed_in_its_third_digit_is_detected(name):
    size = smallest_size(name)
    recording = record(network(name, size), photograph(ZOO[name].in_channels, *size))
    seen = {"few": [], "many": []}  # the bound grows with the number of terms
    for one, at in units(recording, 400):
        explanation = recording.explain(one, at)
        if isinstance(explanation.decomposition, Sum) and explanation.terms.products.any():
            assert changed(explanation, 1.0).is_within_tolerance
            which = "few" if len(explanation.terms) <= 300 else "many"
            seen[which].append(not changed(explanation, 1.005).is_within_tolerance)
    assert len(seen["few"]) > 40
    assert all(seen["few"])
    assert np.mean(seen["few"] + seen["many"]) > 0.6


def test_a_wrong_model_value_is_not_within_tolerance():
    recording = record(network("lenet5", (32, 32)), photograph(1, 32, 32))
    for name, at in units(recording):
        explanation = recording.explain(name, at)
        other = replace(explanation, model_value=explanation.model_value * 1.005)
        assert other.is_within_tolerance == (explanation.model_value == 0), (name, at)


def test_drop_path_draws_once_for_all_units_of_a_branch():
    net = network("resnet110_stochastic_depth", (16, 16)).train()
    recording = record(net, photograph(3, 16, 16))
    branches = [name for name in recording.names if recording[name].kind == "DropPath"]
    masks = [
        {recording.explain(name, (c, 1, 2)).terms.weights[0] for c in range(8)} for name in branches
    ]
    assert len(masks) == 54  # blocks of a ResNet-110: (110 - 2) / 2
    assert {len(mask) for mask in masks} == {1}
    assert set.union(*masks) == {0.0, 1.0}
