"""Which output of a network is the logits, and whose failure an error is."""

from collections import namedtuple
from dataclasses import dataclass

import pytest
import torch
from torch import nn

import convscope
from convscope.errors import NetworkError
from convscope.forward import call_network, logits_of, main_output, where_raised

LOGITS, AUXILIARY, FEATURES = torch.full((2, 3), 1.0), torch.zeros(2, 3), torch.zeros(2, 9)
Outputs = namedtuple("Outputs", ["aux", "logits"])  # noqa: PYI024 -- as torchvision makes them


@dataclass
class Answer:
    features: torch.Tensor
    logits: torch.Tensor


@pytest.mark.parametrize(
    "output",
    [
        LOGITS,
        LOGITS[..., None, None],
        (LOGITS,),
        [LOGITS, AUXILIARY],
        (FEATURES, LOGITS),
        (LOGITS, {"attention": FEATURES}),
        {"logits": LOGITS, "aux": AUXILIARY},
        {"out": LOGITS, "aux": AUXILIARY},
        {"features": FEATURES, "classes": LOGITS},
        {"anything": LOGITS},
        Outputs(AUXILIARY, LOGITS),
        Answer(FEATURES, LOGITS),
    ],
    ids=str,
)
def test_the_logits_are_found_where_it_is_plain_which_they_are(output):
    assert torch.equal(logits_of(output, 2, 3, name="net"), LOGITS)


@pytest.mark.parametrize(
    ("output", "classes", "said"),
    [
        ({"a": LOGITS, "b": AUXILIARY}, 3, r"a dict with a \(2, 3\), b \(2, 3\)"),
        ((FEATURES, FEATURES), 3, r"a tuple of \(2, 9\), \(2, 9\)"),
        (None, 3, r"nothing \(None\)"),
        (3.5, 3, "type float"),
        (torch.tensor(1.0), 3, r"shape \(\)"),
        (LOGITS[:, :1], 2, "last layer have two outputs"),
        (LOGITS[:, 0], 2, r"shape \(2,\) for 2 images"),
        (torch.zeros(2, 3, 7, 7), 3, "Average the map"),
        (FEATURES, 3, "`num_classes`"),
    ],
)
def test_anything_else_is_refused_with_what_it_is(output, classes, said):
    with pytest.raises(NetworkError, match=said):
        logits_of(output, 2, classes, name="net")


def test_what_is_ambiguous_is_not_guessed():
    assert main_output((FEATURES, LOGITS)) is None
    assert main_output({"a": LOGITS, "b": AUXILIARY}, 3) is None


class Fails(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(9, 3))

    def forward(self, x):
        return self.body(x)


class Asserts(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.ReLU()

    def forward(self, x):
        assert x.shape[-1] == 32, "made for 32"
        return self.inner(x)


def test_a_failure_is_named_by_layer_line_and_words():
    with pytest.raises(NetworkError, match=r"^mine failed .* at layer body.2 \(test_forward.py, "):
        call_network(Fails(), torch.zeros(2, 3, 8, 8), 3, name="mine")
    with pytest.raises(NetworkError, match=r"in its forward .*: AssertionError: made for 32\."):
        call_network(Asserts(), torch.zeros(2, 3, 8, 8), 3)


def test_a_failure_of_plain_layers_names_no_file_of_ours():
    net = nn.Sequential(nn.Conv1d(3, 4, 3))
    with pytest.raises(NetworkError, match=r"for an image of 3x8x8 at layer 0: RuntimeError"):
        convscope.record(net, torch.rand(3, 8, 8))


def test_an_error_from_elsewhere_is_at_no_layer():
    assert where_raised(ValueError("of ours"), Fails()) == ""


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_images_take_the_type_of_the_parameters(dtype):
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).to(dtype)
    assert call_network(net, torch.zeros(2, 3, 2, 2), 3).dtype == dtype
