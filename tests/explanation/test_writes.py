"""What was written to a tensor through another one is followed to its writer."""

import itertools

import pytest
import torch

from convscope.explanation.recording import record
from tests.explanation.cases.case import Net, assert_locations_are_true, image_of, numbers
from tests.explanation.cases.writes import WRITES, read_after, rectify_half
from tests.recording.test_recording import Do


@pytest.mark.parametrize(("write", "expected"), WRITES)
def test_values_written_through_another_tensor_lead_to_it(write, expected):
    image = image_of((4, 3, 6))
    net = Net(read_after(write))
    recording = record(net, image)
    before = expected(numbers(image)).astype(float)[0]
    (name,) = recording[recording.output].operands
    assert recording[name].kind == "inplace_update"
    for at in itertools.product(*map(range, before.shape)):
        explanation = recording.explain(name, at)
        assert explanation.decomposition.kind == "identity", explanation.formula
        assert explanation.exact_value == before[at]
        assert explanation.is_within_tolerance
        assert_locations_are_true(explanation, recording, net)


def test_overwritten_values_name_the_writer_and_others_the_original():
    recording = record(Net(read_after(rectify_half)), image_of((4, 3, 6)))
    (name,) = recording[recording.output].operands
    (rectified,) = recording.explain(name, (1, 2, 3)).terms
    (as_it_was,) = recording.explain(name, (3, 2, 3)).terms
    assert (recording[rectified.location.source].kind, rectified.location.at) == ("relu", (1, 2, 3))
    assert (recording[as_it_was.location.source].kind, as_it_was.location.at) == (
        "clone",
        (3, 2, 3),
    )


PLACES = torch.tensor([0])
ADDED = {
    "index_put": lambda x: (x * 2).index_put((PLACES, PLACES), x[:, 0], accumulate=True),
    "index_put_": lambda x: (x * 2).index_put_((PLACES, PLACES), x[:, 0], accumulate=True),
    "scatter_add_": lambda x: (x * 2).scatter_add_(3, PLACES.expand(1, 1, 1, 1), x[:, :, :1, 2:3]),
    "diff": lambda x: x.diff(dim=3, prepend=x[..., :1], append=3 * x[..., 1:2]),
}


@pytest.mark.parametrize("name", ADDED)
def test_units_that_are_added_to_others_are_terms_in_the_field(name):
    image = torch.randn(1, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    recording = record(Do(lambda _, x: ADDED[name](x)), image)
    variable = image.double().requires_grad_()
    expected = ADDED[name](variable)
    for at in ((0, 0, 0), (0, 0, 2), (0, 3, 4)):
        explanation = recording.explain(recording.output, at)
        assert explanation.is_within_tolerance
        assert explanation.exact_value == pytest.approx(expected[0][at].item(), rel=1e-6)
        (gradient,) = torch.autograd.grad(expected[0][at], variable, retain_graph=True)
        (top, bottom), (left, right) = explanation.receptive_field.clipped
        gradient[0, :, top:bottom, left:right] = 0
        assert not gradient.any()
