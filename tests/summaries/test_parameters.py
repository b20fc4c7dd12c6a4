"""Every parameter stands in the row of the operation on the image that makes use of it."""

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.ao.quantization import default_qat_qconfig
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune

import convscope


class StandardizedConv(nn.Conv2d):
    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        weight = weight / weight.std((1, 2, 3), keepdim=True)
        return self._conv_forward(x, weight, self.bias)


def quantization_aware(layer):
    layer.qconfig = default_qat_qconfig
    return torch.ao.nn.qat.Conv2d.from_float(layer)


def pruned(layer):
    return prune.random_unstructured(layer, "weight", amount=0.5)


LAYERS = {
    "weight standardization": lambda: StandardizedConv(3, 4, 3),
    "weight_norm": lambda: parametrizations.weight_norm(nn.Conv2d(3, 4, 3)),
    "spectral_norm": lambda: parametrizations.spectral_norm(nn.Conv2d(3, 4, 3)),
    "orthogonal": lambda: parametrizations.orthogonal(nn.Conv2d(3, 4, 3)),
    "weight_norm as hooks": lambda: nn.utils.weight_norm(nn.Conv2d(3, 4, 3)),
    "spectral_norm as hooks": lambda: nn.utils.spectral_norm(nn.Conv2d(3, 4, 3)),
    "quantization-aware": lambda: quantization_aware(nn.Conv2d(3, 4, 3)),
    "pruned": lambda: pruned(nn.Conv2d(3, 4, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_parameters_of_a_computed_weight_belong_to_its_convolution(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = nn.Sequential(LAYERS[name](), nn.ReLU())
    before = {key: value.clone() for key, value in net.state_dict().items()}
    names = [set(vars(module)) for module in net.modules()]
    (row,) = convscope.summary(net, input_size=8).rows
    assert (row.type, row.activation) == ("Conv", "ReLU")
    assert row.parameters == sum(weight.numel() for weight in net.parameters())
    assert row.is_counted == (name != "orthogonal")
    assert [set(vars(module)) for module in net.modules()] == names
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


class Tokens(nn.Module):
    """A class token, resized positions, a table of biases, scales, and leftovers."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        self.positions = nn.Parameter(torch.zeros(1, 8, 3, 3))
        self.table = nn.Parameter(torch.zeros(7))
        self.halves = nn.ParameterList([nn.Parameter(torch.ones(4)) for _ in range(2)])
        self.scales = nn.ParameterDict({"gamma": nn.Parameter(torch.ones(8))})
        self.register_buffer("index", torch.arange(5) + 1)
        self.temperature = nn.Parameter(torch.zeros(2))
        self.spare = nn.Linear(3, 3)

    def forward(self, x):
        tokens = self.patches(x)
        positions = F.interpolate(self.positions, size=tokens.shape[2:], mode="bilinear")
        tokens = (tokens + positions.to(tokens)).flatten(2).transpose(1, 2)
        token = self.token.expand(x.shape[0], -1, -1).type_as(tokens)
        tokens = torch.cat((token + torch.zeros_like(tokens[:, :1]), tokens), 1)
        scores = (tokens @ tokens.mT) + self.table[self.index].view(1, -1, 1)
        tokens = scores.softmax(-1) @ tokens * torch.cat(list(self.halves))
        self.temperature.exp()
        return F.layer_norm(tokens, (8,), self.scales["gamma"].view(8) * 2)


def test_parameters_belong_to_the_first_operation_on_the_image_that_reads_what_became_of_them():
    net = Tokens()
    rows = {row.layer: row for row in convscope.summary(net, input_size=8).rows}
    counts = {name: row.parameters for name, row in rows.items() if row.parameters}
    assert counts == {
        "patches": 3 * 16 * 8 + 8,
        "add": 72,
        "cat": 8,
        "add_3": 7,
        "mul": 8,
        "layer_norm": 8,
        "temperature": 2,
        "spare": 12,
    }
    assert rows["add"].inputs == ("patches",)
    assert rows["cat"].inputs == ("add",)
    assert (rows["temperature"].type, rows["spare"].type) == ("not used", "not run")
    assert sum(counts.values()) == sum(weight.numel() for weight in net.parameters())


def test_layers_that_share_a_weight_count_it_where_it_is_read_first():
    net = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))
    net[0].weight = net[2].weight = net[1].weight
    assert [row.parameters for row in convscope.summary(net, input_size=4).rows] == [12, 3, 3]


def test_an_operation_without_a_row_gets_one_where_it_reads_a_parameter():
    class Gather(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1, 3, 4, 4))

        def forward(self, x):
            index = x.flatten(1).argmax(1)
            return self.weight.flatten(1)[:, index]

    rows = convscope.summary(Gather(), input_size=4).rows
    assert [(row.layer, row.parameters) for row in rows] == [("argmax", 0), ("getitem", 48)]


def test_what_takes_only_its_shape_from_the_image_has_no_row():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(5, 3))

        def forward(self, x):
            return x * (self.weight @ self.weight.T).view(-1)[:1].expand_as(x)

    (row,) = convscope.summary(Constant(), input_size=4).rows
    assert (row.layer, row.parameters, row.inputs) == ("mul", 15, ("image",))


def test_a_copy_with_hooks_runs_as_the_network_does():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = nn.Sequential(nn.utils.weight_norm(nn.Conv2d(3, 4, 3)))
    net(torch.zeros(1, 3, 8, 8))
    assert not net[0].weight.is_leaf
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(net)
    assert convscope.summary(net, input_size=8).parameters == 4 + 4 * 27 + 4
    assert net[0].weight.grad_fn is not None


class SharedBias(nn.Module):
    """A bias that a layer computes from constants, once or twice, and adds twice."""

    def __init__(self, times):
        super().__init__()
        self.times = times
        self.mlp = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 16))
        self.register_buffer("points", torch.ones(3, 2))

    def forward(self, x):
        first = self.mlp(self.points).view(3, 4, 4)
        return x + first + (first if self.times == 1 else self.mlp(self.points).view(3, 4, 4))


@pytest.mark.parametrize("times", [1, 2])
def test_what_is_computed_from_parameters_alone_costs_in_the_row_that_first_uses_it(times):
    once = 3 * (2 * 5 + 5 * 16)
    first, second = convscope.summary(SharedBias(times), input_size=4).rows
    assert (first.parameters, second.parameters) == (15 + 96, 0)
    assert (first.multiply_adds, second.multiply_adds) == (once, once * (times - 1))


def test_an_unknown_cost_of_a_weight_is_an_unknown_cost_of_its_layer():
    net = parametrizations.orthogonal(nn.Linear(4, 4), orthogonal_map="matrix_exp")
    (row,) = convscope.summary(net, (1, 4)).rows
    assert (row.type, row.multiply_adds, row.is_counted) == ("Linear", 16 + 64, False)


class Hidden(nn.Module):
    """A convolution that nothing may intercept, between two others."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1)
        self.middle, self.spare = nn.Conv2d(4, 4, 3), nn.Linear(2, 2)

    def forward(self, x):
        x = self.first(x)
        with torch._C.DisableTorchFunction():
            x = self.middle(x)
        return self.last(x)


def test_parameters_that_were_read_are_not_called_not_run_where_no_operation_is_recorded():
    net = Hidden()
    found = convscope.summary(net, input_size=8)
    rows = {row.layer: (row.type, row.parameters, row.is_counted) for row in found.rows}
    assert rows["first"] == ("Conv", 112, True)
    assert rows["middle"] == ("not recorded", 148, False)
    assert rows["spare"] == ("not run", 6, True)
    assert found.parameters == sum(weight.numel() for weight in net.parameters())
    assert found.multiply_adds == 36 * 4 * 27 + 16 * 2 * 4
    assert "at least" in str(found)
    assert "not counted: middle" in str(found)


class Branches(nn.Module):
    """A branch on a value, which cannot run on the meta device."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return self.one(x) if x.abs().sum() >= 0 else self.other(x)


def test_the_branch_that_was_not_taken_is_not_run_also_where_a_network_runs_for_real():
    found = convscope.summary(Branches(), input_size=8)
    assert "ran for real" in str(found)
    types = {row.layer: row.type for row in found.rows}
    assert (types["one"], types["other"]) == ("Conv", "not run")
    assert found.is_counted
    assert found.multiply_adds == 8 * 8 * 3 * 4


def test_parameters_of_a_scripted_part_are_counted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        middle = torch.jit.script(nn.Sequential(nn.Conv2d(4, 4, 3), nn.ReLU()))
    net = nn.Sequential(nn.Conv2d(3, 4, 3), middle, nn.Conv2d(4, 2, 1))
    found = convscope.summary(net, input_size=8)
    assert found.parameters == sum(weight.numel() for weight in net.parameters())
    assert found.multiply_adds == 36 * 4 * 27 + 16 * 4 * 36 + 16 * 2 * 4
    assert not any(row.type.startswith("not ") for row in found.rows)


def test_what_no_operation_on_the_image_uses_still_costs():
    class Aside(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.side = nn.Conv2d(3, 4, 3), nn.Linear(5, 6)

        def forward(self, x):
            return self.conv(x), self.side(torch.ones(2, 5, device=x.device))

    _, row = convscope.summary(Aside(), input_size=8).rows
    assert (row.layer, row.type, row.parameters, row.multiply_adds) == ("side", "not used", 36, 60)
