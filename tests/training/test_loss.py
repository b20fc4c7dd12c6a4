"""The loss of a network with auxiliary classifiers is GoogLeNet's sum."""

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from convscope.card import Card
from convscope.layers import ModelOutput
from convscope.training.loss import BatchLoss
from convscope.zoo import create_model

CARD = Card(
    classes=("a", "b", "c"),
    input_size=(79, 79),
    in_channels=3,
    resize_mode="crop",
    mean=(0.0,) * 3,
    std=(1.0,) * 3,
)


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
    criterion = BatchLoss(CARD, weights, smoothing)
    loss, logits = criterion(ModelOutput(main, (low, high)), targets)
    assert logits is main
    assert loss == pytest.approx(alone[0] + 0.3 * alone[1] + 0.3 * alone[2])
    assert criterion(main, targets) == (alone[0], main)


def test_googlenet_answers_so_and_every_classifier_gets_a_gradient():
    net = create_model("googlenet", num_classes=3, input_size=(79, 79)).train()
    loss, logits = BatchLoss(CARD)(net(torch.randn(2, 3, 79, 79)), torch.tensor([0, 1]))
    assert logits.shape == (2, 3)
    loss.backward()
    assert all(weight.grad is not None for weight in net.parameters())


def test_probabilities_have_the_loss_and_the_gradient_of_their_logits():
    torch.manual_seed(0)
    logits = torch.randn(5, 3, requires_grad=True)
    targets = torch.tensor([0, 1, 2, 1, 0])
    weights = torch.tensor([1.0, 2.0, 0.5])
    returned = dict(logits=logits, probabilities=logits.softmax(1))
    losses = [
        BatchLoss(replace(CARD, output=output), weights, 0.1)(value, targets)[0]
        for output, value in returned.items()
    ]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)
    first, second = (torch.autograd.grad(loss, logits, retain_graph=True)[0] for loss in losses)
    assert torch.allclose(first, second, atol=1e-6)


def test_logits_in_training_mode_stay_as_they_are_where_eval_mode_gives_probabilities():
    logits = torch.tensor([[3.0, -1.0, 2.0]])
    card = replace(CARD, output="probabilities")
    loss, same = BatchLoss(card)(logits, torch.tensor([0]))
    assert same is logits
    assert loss == F.cross_entropy(logits, torch.tensor([0]))


def test_the_loss_of_a_probability_of_zero_is_finite():
    card = replace(CARD, output="probabilities")
    certain = torch.tensor([[1.0, 0.0, 0.0]])
    loss, _ = BatchLoss(card)(certain, torch.tensor([1]))
    assert loss == pytest.approx(126 * math.log(2))  # of the smallest normal float32
