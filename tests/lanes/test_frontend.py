"""What the engine covers is read as it is meant; for everything else there is a reason in words."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from convscope.lanes.engine import Engine
from convscope.lanes.frontend import Unsupported, read_network
from convscope.lanes.graph import Activation, Dropout, Pool
from convscope.layers import LocallyConnected2d
from tests.lanes.networks import batch, distance, exact

SHAPE = (2, 6, 6)


class Written(nn.Module):
    """A network with a forward pass of one expression, over a few layers."""

    def __init__(self, expression) -> None:
        super().__init__()
        self.expression = expression
        self.a = nn.Conv2d(2, 3, 3, padding=1)
        self.b = nn.Conv2d(3, 3, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(3 * 36, 10)

    def forward(self, x):
        return self.expression(self, x)


def ended(*layers, inputs=108):
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs, 10))


def after(layer):
    return ended(nn.Conv2d(2, 3, 3, padding=1), layer)


def dense(net, x):
    return net.fc(torch.flatten(net.b(x), 1))


def tied():
    net = ended(nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1), inputs=72)
    net[1].weight = net[0].weight
    return net


def frozen():
    net = after(nn.ReLU())
    net[0].weight.requires_grad_(requires_grad=False)
    return net


def hooked():
    net = after(nn.ReLU())
    net[1].register_forward_hook(lambda *_: None)
    return net


def held():
    net = after(nn.BatchNorm2d(3))
    net[1].eval()
    return net


def twice():
    norm = nn.BatchNorm2d(2, affine=False)
    return ended(norm, norm, inputs=72)


def written(expression):
    return lambda: Written(expression)


REFUSED = {
    "instance norm": (lambda: after(nn.InstanceNorm2d(3)), "1 is a InstanceNorm2d"),
    "batch norm of many devices": (lambda: after(nn.SyncBatchNorm(3)), "1 is a SyncBatchNorm"),
    "batch norm without running statistics": (
        lambda: after(nn.BatchNorm2d(3, track_running_stats=False)), "keeps no running statistics",
    ),
    "batch norm that is held": (held, "1 is held as it is"),
    "a batch norm twice": (twice, "0 is used twice"),
    "batch norm of other channels": (lambda: after(nn.BatchNorm2d(4)), "takes 4 channels, not 3"),
    "batch norm of a vector that was a map": (
        lambda: nn.Sequential(nn.Flatten(), nn.BatchNorm1d(72), nn.Linear(72, 10)),
        "of another number of axes",
    ),
    "padding with more than maps": (lambda: after(nn.ZeroPad3d(1)), "pads more than channels"),
    "PReLU": (lambda: after(nn.PReLU()), "1 is a PReLU"),
    "GELU": (lambda: after(nn.GELU()), "1 is a GELU"),
    "a function": (written(lambda n, x: dense(n, F.gelu(n.a(x)))), "gelu is not among"),
    "growing below 0": (lambda: after(nn.LeakyReLU(-0.1)), "1 is a LeakyReLU"),
    "control flow": (
        written(lambda n, x: dense(n, n.a(x) if x.sum() > 0 else -n.a(x))), "cannot be traced",
    ),
    "two outputs": (written(lambda n, x: (dense(n, n.a(x)), x)), "more than logits"),
    "a layer twice": (written(lambda n, x: dense(n, n.b(n.a(x)))), "b is used twice"),
    "a tensor of its own": (
        written(lambda n, x: dense(n, n.a(x)) + n.fc.bias), "uses the tensor fc.bias",
    ),
    "tied weights": (tied, "share their weights"),
    "frozen weights": (frozen, "0.weight is held as it is"),
    "computed weights": (
        lambda: ended(parametrizations.weight_norm(nn.Conv2d(2, 3, 3, padding=1))),
        "computes its weights",
    ),
    "weights that are not used": (
        written(lambda n, x: n.fc(torch.flatten(n.a(x), 1))), "b.weight takes no part",
    ),
    "a branch that is not used": (
        written(lambda n, x: (n.relu(n.b(y := n.a(x))), n.fc(torch.flatten(y, 1)))[1]),
        "leads nowhere",
    ),
    "a hook": (hooked, "1 has hooks"),
    "dropout as a function": (
        written(lambda n, x: dense(n, F.dropout(n.a(x), 0.5))), "dropout must be a layer",
    ),
    "dropping everything": (lambda: after(nn.Dropout(1.0)), "drops everything"),
    "dropping maps of a vector": (
        lambda: nn.Sequential(nn.Flatten(), nn.Dropout2d(), nn.Linear(72, 10)), "drops maps",
    ),
    "reflected padding": (
        lambda: ended(nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect")), "pads with reflect",
    ),
    "padding to the same size": (
        lambda: ended(nn.Conv2d(2, 3, 3, padding="same")), "pads to the same size",
    ),
    "uneven adaptive pooling": (
        lambda: ended(nn.Conv2d(2, 3, 1), nn.AdaptiveAvgPool2d(4), inputs=48), "different sizes",
    ),
    "pooling with places": (
        lambda: ended(nn.Conv2d(2, 3, 1), nn.MaxPool2d(2, return_indices=True), inputs=27),
        "answers with indices",
    ),
    "a number added": (written(lambda n, x: dense(n, n.a(x)) + 1), "is no volume"),
    "a share of a sum": (
        written(lambda n, x: dense(n, torch.add(y := n.a(x), y, alpha=2))), "add is not among",
    ),
    "volumes that are spread": (
        written(lambda n, x: dense(n, n.a(x) + x)), "volumes of different shapes",
    ),
    "a map at the end": (lambda: nn.Sequential(nn.Conv2d(2, 10, 6)), "one vector of logits"),
    "no weights": (lambda: nn.Sequential(nn.AvgPool2d(6), nn.Flatten()), "no weights"),
    "dense over rows": (lambda: nn.Sequential(nn.Conv2d(2, 3, 3), nn.Linear(4, 10)), "last axis"),
    "flattened in part": (
        written(lambda n, x: n.fc(torch.flatten(n.b(n.a(x)), 1, end_dim=2))), "not among",
    ),
    "other channels": (lambda: ended(nn.Conv2d(3, 3, 3)), "takes 3 channels, not 2"),
    "other inputs": (lambda: ended(nn.Conv2d(2, 3, 3)), "takes 108 inputs, not 48"),
    "other positions": (
        lambda: ended(LocallyConnected2d(2, 3, (7, 7), 3)), "maps of another size",
    ),
    "weights without a size": (lambda: ended(nn.LazyConv2d(3, 3)), "has no size yet"),
    "other numbers": (lambda: after(nn.ReLU()).double(), "float64"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Lazy modules")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_covered_has_a_reason_in_words(name):
    net, reason = REFUSED[name]
    with pytest.raises(Unsupported, match=reason) as refused:
        read_network(net(), SHAPE)
    measured = str(refused.value)
    assert measured
    assert "\n" not in measured
    assert not measured.endswith(".")


def agrees(net, shape=SHAPE):
    images = batch(shape, 11)
    loss, wanted = exact(net, images)
    engine = Engine(copy.deepcopy(net), shape)
    measured, _ = images.step(engine, update=False)
    assert measured == pytest.approx(loss, rel=1e-5)
    assert distance(engine.gradients(), wanted) < 1e-5


COVERED = {
    "in place, by a layer": lambda n, x: dense(n, n.relu(y := n.a(x)) + y),
    "in place, by a method": lambda n, x: dense(n, (y := n.a(x)).relu_() + y),
    "in place, by a word": lambda n, x: dense(n, F.relu(y := n.a(x), inplace=True) + y),
    "in place, added": lambda n, x: dense(n, (y := n.a(x)).add_(torch.tanh(y)) + y),
    "beside": lambda n, x: dense(n, torch.relu(y := n.a(x)) + y),
    "itself added": lambda n, x: dense(n, (y := n.a(x)) + y),
    "flattened by a method": lambda n, x: n.fc(torch.relu(n.b(n.a(x)).flatten(1))),
    "flattened first": lambda n, x: n.fc((y := n.b(n.a(x)).flatten(1)) + torch.tanh(y)),
}


@pytest.mark.parametrize("name", COVERED)
def test_in_place_and_aside_are_told_apart(name):
    torch.manual_seed(0)
    net = Written(COVERED[name])
    net.drop = nn.Identity()
    agrees(net)


@pytest.mark.parametrize(
    "last",
    [
        lambda: nn.Conv2d(4, 10, 3, padding=1, stride=6),
        lambda: nn.Conv2d(4, 10, 6, groups=2),
        lambda: LocallyConnected2d(4, 10, (6, 6), 3, padding=1, stride=6),
        lambda: nn.Sequential(nn.Conv2d(4, 10, 3, padding=2), nn.AdaptiveAvgPool2d(1)),
        lambda: nn.Sequential(nn.Conv2d(4, 10, 3, padding=1, stride=6), nn.Tanh()),
    ],
)
def test_logits_may_come_from_any_layer(last):
    torch.manual_seed(0)
    agrees(nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), last(), nn.Flatten()))


def test_dropout_of_nothing_is_left_out_and_other_dropout_stays_also_in_evaluation():
    nodes = read_network(after(nn.Dropout(0.0)), SHAPE)
    assert not any(isinstance(node, Dropout) for node in nodes)
    nodes = read_network(after(nn.Dropout(0.25)).eval(), SHAPE)
    assert [node.share for node in nodes if isinstance(node, Dropout)] == [0.25]


def test_what_is_read_says_what_the_layers_say():
    net = ended(
        nn.Conv2d(2, 3, 3, padding=1), nn.ELU(0.5), nn.MaxPool2d(3, 2, padding=1), inputs=27
    )
    image, convolution, bent, pool, end = read_network(net, SHAPE)
    assert [node.inputs for node in (image, convolution, bent, pool, end)] == [
        (), (0,), (1,), (2,), (3,),
    ]  # fmt: skip
    assert isinstance(bent, Activation)
    assert (bent.kind, bent.numbers) == ("elu", (0.5,))
    assert isinstance(pool, Pool)
    assert (pool.kind, pool.kernel, pool.stride, pool.padding) == ("max", (3, 3), (2, 2), (1, 1))
    assert [node.shape for node in (convolution, pool, end)] == [(3, 6, 6), (3, 3, 3), (10, 1, 1)]
