"""The index of the layers, and the record of auxiliary answers."""

import torch

from convscope import layers
from convscope.layers import AUXILIARY_WEIGHT, ModelOutput


def test_all_is_sorted_and_every_name_in_it_exists():
    assert layers.__all__ == sorted(layers.__all__)
    assert all(getattr(layers, name) for name in layers.__all__)


def test_answers_are_taken_apart_as_a_training_loop_does():
    logits, auxiliary = ModelOutput(torch.ones(2), (torch.ones(2), torch.ones(2)))
    loss = logits.sum() + AUXILIARY_WEIGHT * sum(each.sum() for each in auxiliary)
    torch.testing.assert_close(loss, torch.tensor(2 + 0.3 * 4))
