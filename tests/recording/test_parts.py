"""Functions of torch that are recorded as the operations they consist of."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.explanation.recording import record
from tests.explanation.cases.case import image_of, randomized, units_of

ATTENTION = {
    "as it comes": {},
    "batch first": {"batch_first": True},
    "biases of keys and values": {"add_bias_kv": True},
    "a row of zeros": {"add_zero_attn": True, "bias": False},
    "keys and values of other widths": {"kdim": 4, "vdim": 6},
}


class Attention(nn.Module):
    """Rows of an image that attend to one another."""

    def __init__(self, *, of=None, weights=True, mask=None, **options):
        super().__init__()
        self.attn = of or nn.MultiheadAttention(8, 2, **options)
        self.weights, self.mask = weights, mask
        self.widths = options.get("kdim", 8), options.get("vdim", 8)

    def forward(self, x):
        keys, values = (x[:, 0, :, :width] for width in self.widths)
        if self.widths == (8, 8):
            keys = values = x[:, 0]
        needed = {"need_weights": self.weights, "attn_mask": self.mask}
        return self.attn(x[:, 0], keys, values, **needed)[0]


IMAGE = image_of((1, 5, 8))


def explained(recording):
    """Every unit of every operation, and no kind that is unknown."""
    for name in recording.names:
        for at in units_of(recording[name].shape):
            explanation = recording.explain(name, at)
            assert explanation.decomposition.kind != "unsupported", explanation.formula
            assert explanation.is_within_tolerance, name


@pytest.mark.parametrize("weights", [True, False], ids=["with weights", "without weights"])
@pytest.mark.parametrize("options", ATTENTION.values(), ids=ATTENTION)
def test_attention_of_several_heads_is_recorded_as_its_parts(options, weights):
    net = randomized(Attention(weights=weights, **options).eval())
    recording = record(net, IMAGE)
    names = set(recording.names)
    assert recording.output == "attn"
    assert {"attn.linear", "attn.linear_2"} <= names
    heart = {"attn.bmm", "attn.softmax", "attn.bmm_2"}
    assert names >= (heart if weights else {"attn.scaled_dot_product_attention"})
    explained(recording)


@pytest.mark.parametrize("weights", [True, False], ids=["with weights", "without weights"])
@pytest.mark.parametrize("options", ATTENTION.values(), ids=ATTENTION)
def test_the_parts_compute_what_the_network_computes(options, weights):
    net = randomized(Attention(weights=weights, **options).eval())
    assert torch.equal(record(net, IMAGE)["attn"].tensor, net(IMAGE))


def test_a_mask_takes_part():
    mask = torch.ones(5, 5).triu(1).bool()
    recording = record(randomized(Attention(mask=mask, batch_first=True).eval()), IMAGE)
    weights = recording["attn.softmax"].tensor
    assert weights[:, mask].eq(0).all()
    assert weights[:, ~mask].gt(0).all()
    explained(recording)


@pytest.mark.parametrize("kind", [nn.TransformerEncoderLayer, nn.TransformerDecoderLayer])
def test_a_layer_of_a_transformer_is_recorded_as_its_parts(kind):
    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = kind(8, 2, 16, batch_first=True)

        def forward(self, x):
            x = x[:, 0]
            return self.layer(x, *([x.flip(1)] if kind is nn.TransformerDecoderLayer else []))

    net = Layer().eval()
    recording = record(net, IMAGE)
    assert "layer.self_attn.scaled_dot_product_attention" in recording
    assert "layer.self_attn" in recording
    assert torch.equal(recording[recording.output].tensor, net(IMAGE))
    explained(recording)


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    ("function", "kinds"),
    [
        (lambda x: F.softmin(x, 1), ("neg", "softmax")),
        (F.gumbel_softmax, ("exponential", "log", "neg", "add", "div", "softmax")),
        (
            lambda x: F.fractional_max_pool2d(x, 2, output_size=3),
            ("rand", "fractional_max_pool2d"),
        ),
        (
            lambda x: F.fractional_max_pool3d(x, 2, output_size=(2, 3, 3)),
            ("rand", "fractional_max_pool3d"),
        ),
    ],
)
def test_what_a_function_draws_or_does_before_is_an_operation(function, kinds):
    recording = record(Function(function), image_of((4, 6, 7)))
    done = [operation.kind for operation in recording.operations]
    assert [kind for kind in done if kind in kinds] == [*kinds, *kinds[1:] * ("rand" in kinds)]


def test_a_module_names_what_it_returns_though_it_computes_more():
    class Both(nn.Module):
        def forward(self, x):
            doubled = x * 2
            return doubled, x.sum()

    net = nn.Sequential(Both())
    recording = record(net, IMAGE)
    assert [op.name for op in recording.operations] == ["0", "0.sum"]
    assert recording["0"].kind == "mul"


def test_a_module_that_leaves_its_parts_unused_names_its_output():
    class Apart(nn.Module):
        def __init__(self):
            super().__init__()
            self.part = nn.Linear(8, 3)

        def forward(self, x):
            return F.linear(x * 2, self.part.weight)

    assert record(nn.Sequential(Apart()), IMAGE).names == ("0.mul", "0")
