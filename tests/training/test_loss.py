"""The loss of a network with auxiliary classifiers is GoogLeNet's sum."""

import pytest
import torch
from torch.nn import functional as F

from convscope.layers import Answers
from convscope.training.loss import loss_and_logits
from convscope.zoo import create_model


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 2.0, 0.5])])
def test_each_auxiliary_classifier_counts_three_tenths(smoothing, weights):
    torch.manual_seed(0)
    main, low, high = torch.randn(3, 5, 3)
    targets = torch.tensor([0, 1, 2, 1, 0])
    alone = [
        F.cross_entropy(logits, targets, weights, label_smoothing=smoothing)
        for logits in (main, low, high)
    ]
    told = dict(weights=weights, smoothing=smoothing)
    loss, logits = loss_and_logits(Answers(main, (low, high)), targets, **told)
    assert logits is main
    assert loss == pytest.approx(alone[0] + 0.3 * alone[1] + 0.3 * alone[2])
    assert loss_and_logits(main, targets, **told) == (alone[0], main)


def test_googlenet_answers_so_and_every_classifier_gets_a_gradient():
    net = create_model("googlenet", num_classes=3, input_size=(79, 79)).train()
    loss, logits = loss_and_logits(
        net(torch.randn(2, 3, 79, 79)), torch.tensor([0, 1]), weights=None, smoothing=0.0
    )
    assert logits.shape == (2, 3)
    loss.backward()
    assert all(weight.grad is not None for weight in net.parameters())
