"""Operations without a rule, of someone's own, of odd numbers or of odd spelling."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.explanation.recording import record
from convscope.explanation.rules import RULES
from tests.explanation.cases.case import Net, image_of, numbers, random_tensor, units_of


def test_constant_arguments_have_no_location():
    recording = record(Net(lambda x: F.pad(x, (1, 1), value=0.5)), image_of((1, 2, 3)))
    explanation = recording.explain("pad", (0, 0, 0))
    assert len(explanation.terms) == 0
    assert (explanation.exact_value, explanation.is_within_tolerance) == (0.5, True)


def test_integers_and_booleans_are_copied_too():
    of = [
        lambda x: (x > 0).flatten(1),
        lambda x: (x > 0)[:, 1:],
        lambda x: (4 * x).long().flatten(1),
        lambda x: torch.cat([(4 * x).long(), torch.arange(6).expand(1, 2, 4, 6)], 1),
    ]
    for one in of:
        recording = record(Net(one), image_of((2, 4, 6)))
        found = recording[recording.output]
        for at in units_of(found.shape):
            explanation = recording.explain(found.name, at)
            assert explanation.decomposition.kind == "identity", explanation.formula
            assert explanation.exact_value == found.value[at].item()
            (term,) = explanation.terms
            assert recording[term.location.source].value[term.location.at].item() == term.value


def test_results_of_data_dependent_size_are_explained_too():
    image = image_of((2, 4, 5))
    recording = record(Net(lambda x: x[x > 0]), image)
    expected = numbers(image)[numbers(image) > 0]
    for n, value in enumerate(expected):
        explanation = recording.explain(recording.output, n)
        assert explanation.exact_value == value
        (term,) = explanation.terms
        assert image[0][term.location.at] == value


ATTENTION = "scaled_dot_product_attention"


@pytest.mark.parametrize(
    ("of", "kind"),
    [
        (lambda x: torch.linalg.qr(x)[0], "qr"),
        (lambda x: torch.linalg.matrix_norm(x, "nuc"), "matrix_norm"),
        (lambda x: torch.linalg.norm(x, 2, (2, 3)), "norm"),
        (lambda x: x[:, :, :0].sum(2), "sum"),
        (lambda x: F.scaled_dot_product_attention(x, 2 * x, 4 * x, dropout_p=0.5), ATTENTION),
        (lambda x: torch.where(x > 0)[1], "where"),
        (lambda x: x.view(torch.int32), "view"),
        (lambda x: torch.complex(x, x).norm(), "norm"),
    ],
)
def test_an_operation_without_a_rule_is_unsupported_and_names_its_operands(of, kind):
    recording = record(Net(of), image_of((2, 4, 5)))
    found = recording[recording.output]
    if kind not in RULES:
        assert found.kind == kind
    for at in units_of(found.shape)[:6]:
        explanation = recording.explain(found.name, at)
        decomposition = explanation.decomposition
        assert (decomposition.kind, decomposition.operands) == ("unsupported", found.operands)
        assert found.operands
        assert math.isnan(explanation.exact_value)
        assert not explanation.is_within_tolerance
        assert len(explanation.terms) == 0
        assert "rule failed" not in decomposition.formula
        assert explanation.to_dict()["operands"]


class OwnFunction(torch.autograd.Function):
    """A function of someone's own."""

    @staticmethod
    def forward(_ctx, x):
        return x * 2 + 1


def test_operations_inside_a_custom_autograd_function_are_explained():
    recording = record(nn.Sequential(Net(OwnFunction.apply), nn.ReLU()), image_of((2, 3)))
    values = recording["1"].value
    for at in itertools.product(range(1), range(2), range(3)):
        explanation = recording.explain("1", at)
        assert explanation.is_within_tolerance
        assert explanation.exact_value == values[at].item()


DIRECTLY = {
    "batch_norm": lambda x, w, b: torch.batch_norm(
        x,
        w,
        b,
        w + 1,
        w.abs() + 0.5,
        *(False, 0.1, 1e-5, False),
    ),
    "layer_norm": lambda x, w, b: torch.layer_norm(x, (3,), w, b),
    "group_norm": lambda x, w, b: torch.group_norm(x, 3, w, b),
    "instance_norm": lambda x, w, b: torch.instance_norm(
        x,
        w,
        b,
        *(None, None, True, 0.1, 1e-5, False),
    ),
    "prelu": lambda x, w, *_: torch.prelu(x, w),
    "conv_transpose2d": lambda x, w, b: torch.conv_transpose2d(
        x, w.reshape(3, 1, 1, 1).expand(3, 1, 2, 2), b[:1], 2, 0, 1
    ),
    "dropout": lambda x, *_: torch.dropout(x, 0.5, False),  # noqa: FBT003
}


@pytest.mark.parametrize("kind", DIRECTLY)
def test_aliases_of_torch_functions_are_explained_or_unsupported_never_wrong(kind):
    net = Net(DIRECTLY[kind], w=random_tensor(3, seed=3), b=random_tensor(3, seed=4))
    recording = record(net, image_of((3, 4, 3)))
    found = recording[recording.output]
    assert found.kind == kind
    for at in units_of(found.shape):
        explanation = recording.explain(found.name, at)
        assert explanation.decomposition.kind == "unsupported" or explanation.is_within_tolerance
