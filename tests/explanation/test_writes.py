"""What was written to a tensor through another one is followed to its writer."""

import itertools

import pytest

from convscope.explanation.recording import record
from tests.explanation.cases.case import Net, assert_locations_are_true, image_of, numbers
from tests.explanation.cases.writes import WRITES, read_after, rectify_half


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
