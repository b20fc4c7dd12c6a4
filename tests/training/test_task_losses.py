"""The losses of several labels and of grades: by hand, and against PyTorch's."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.card import Card
from convscope.inference import probabilities
from convscope.losses import image_losses, squared_emd
from convscope.training.loss import BatchLoss, class_weights

CARD = Card(
    classes=("a", "b", "c"),
    input_size=(8, 8),
    in_channels=1,
    resize_mode="pad",
    task="multi-label",
    mean=(0.0,),
    std=(1.0,),
)
GRADES = replace(CARD, task="ordinal")


def test_the_squared_distance_of_grades_by_hand():
    shares = torch.tensor([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]], dtype=torch.float64)
    losses = squared_emd(shares.log(), torch.tensor([0, 2]))
    # cumulative 0.5 0.75 1 against 1 1 1, and against 0 0 1
    assert losses.tolist() == pytest.approx([0.5**2 + 0.25**2, 0.5**2 + 0.75**2])
    far = squared_emd(torch.tensor([[50.0, 0, 0, 0]]), torch.tensor([3]))
    assert far.item() == pytest.approx(3)  # grades off
    dense = squared_emd(shares.log(), torch.tensor([[1.0, 0, 0], [0, 0, 1.0]]))
    assert torch.equal(dense, losses)


def test_the_expected_distance_is_least_at_the_true_probabilities():
    truth = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    logits = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=200, tolerance_grad=1e-12)

    def expected():
        optimizer.zero_grad()
        losses = squared_emd(logits.expand(3, 3), torch.arange(3))
        loss = (truth * losses).sum()
        loss.backward()
        return loss

    optimizer.step(expected)
    assert logits.detach().softmax(1)[0].tolist() == pytest.approx(truth.tolist(), abs=1e-4)


def test_several_labels_have_the_mean_binary_cross_entropy():
    logits = torch.tensor([[2.0, -1.0, 0.0]], dtype=torch.float64)
    targets = torch.tensor([[1, 0, 1]], dtype=torch.uint8)
    by_hand = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1)) + math.log(2)) / 3
    assert image_losses(logits, targets, "multi-label").item() == pytest.approx(by_hand)
    loss, _ = BatchLoss(CARD)(logits, targets)
    assert loss.item() == pytest.approx(by_hand)
    smooth, _ = BatchLoss(CARD, label_smoothing=0.2)(logits, targets)
    expected = F.binary_cross_entropy_with_logits(logits, targets.double() * 0.8 + 0.1)
    assert smooth.item() == pytest.approx(expected.item())


def test_mixed_labels_have_the_mixed_loss():
    torch.manual_seed(0)
    logits = torch.randn(4, 3)
    first, second = torch.randint(2, (2, 4, 3)).float()
    criterion = BatchLoss(CARD, torch.tensor([1.0, 2.0, 3.0]))
    mixed = criterion(logits, 0.3 * first + 0.7 * second)[0]
    apart = 0.3 * criterion(logits, first)[0] + 0.7 * criterion(logits, second)[0]
    assert mixed.item() == pytest.approx(apart.item(), rel=1e-6)


def test_balanced_weights():
    counts = np.array([50, 10, 0])
    weights = class_weights(counts, 100, "multi-label", torch.device("cpu"))
    assert weights.tolist() == [1.0, 9.0, 100.0]
    assert class_weights(np.array([30, 10]), 40, "ordinal", torch.device("cpu")).tolist() == [
        pytest.approx(2 / 3), 2.0,
    ]  # fmt: skip


def test_weights_of_grades_are_those_of_cross_entropy():
    torch.manual_seed(0)
    logits, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    weights = torch.tensor([1.0, 2.0, 0.5])
    losses = squared_emd(logits, targets)
    expected = (losses * weights[targets]).sum() / weights[targets].sum()
    assert BatchLoss(GRADES, weights)(logits, targets)[0].item() == pytest.approx(expected.item())
    dense = BatchLoss(GRADES, weights)(logits, F.one_hot(targets, 3).float())[0]
    assert dense.item() == pytest.approx(expected.item())


@pytest.mark.parametrize(
    ("card", "ending"), [(CARD, nn.Sigmoid()), (GRADES, nn.Softmax(1))], ids=["labels", "grades"]
)
def test_probabilities_have_the_loss_and_the_gradient_of_their_logits(card, ending):
    torch.manual_seed(0)
    logits = torch.randn(5, 3, requires_grad=True)
    targets = torch.randint(2, (5, 3)).float() if card is CARD else torch.tensor([0, 1, 2, 1, 0])
    returned = dict(logits=logits, probabilities=ending(logits))
    losses = [
        BatchLoss(replace(card, output=output))(value, targets)[0]
        for output, value in returned.items()
    ]
    first, second = (torch.autograd.grad(loss, logits, retain_graph=True)[0] for loss in losses)
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)
    assert torch.allclose(first, second, atol=1e-6)
    shares = [
        probabilities(value, replace(card, output=output)) for output, value in returned.items()
    ]
    assert torch.allclose(*shares, atol=1e-6)


def test_certain_probabilities_that_are_wrong_have_a_finite_loss():
    card = replace(CARD, output="probabilities")
    loss, _ = BatchLoss(card)(torch.tensor([[1.0, 0.0, 1.0]]), torch.tensor([[0, 1, 1]]))
    assert math.isfinite(loss.item())


def test_an_image_is_right_where_all_of_its_labels_are():
    logits = torch.tensor([[1.0, -1.0, 0.0], [1.0, 1.0, -1.0]])
    targets = torch.tensor([[1, 0, 1], [1, 0, 0]])
    assert BatchLoss(CARD).num_correct(logits, targets) == 1
