"""Trainings on mixed images: the loss by hand, equal bits after a stop, and nothing else mixed."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import convscope
from convscope.data.mixing import Mix
from convscope.errors import Interrupted, RequestError
from convscope.training.batches import Batch
from convscope.training.loss import BatchLoss
from tests.training.small import Act, assert_same_bits, train
from tests.training.test_loss import CARD
from tests.training.test_resume import StopAt

WEIGHTS = torch.tensor([1.0, 2.0, 0.5])
MIXES = dict(mixup=0.4, cutmix=1.0)


def test_the_loss_of_mixed_labels_by_hand():
    logits = torch.tensor([[2.0, 0.0, 0.0]])
    shares = torch.tensor([[0.75, 0.25, 0.0]])
    total = math.log(math.exp(2) + 2)
    own, other = total - 2, total  # -log of the probabilities of classes 0 and 1
    loss, _ = BatchLoss(CARD)(logits, shares)
    assert loss == pytest.approx(0.75 * own + 0.25 * other)
    loss, _ = BatchLoss(CARD, WEIGHTS)(logits, shares)
    assert loss == pytest.approx((0.75 * own + 2 * 0.25 * other) / (0.75 + 2 * 0.25))
    loss, _ = BatchLoss(CARD, WEIGHTS, 0.3)(logits, shares)
    smooth = 0.1 * (1 * own + 2 * other + 0.5 * other)
    hard = 0.7 * (0.75 * own + 2 * 0.25 * other)
    assert loss == pytest.approx((hard + smooth) / (0.75 + 2 * 0.25))


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_a_mixed_batch_has_the_losses_of_both_labels_in_their_shares(weights, smoothing):
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 1, 1, 0])
    mix = Mix(0.7, np.array([3, 0, 1, 2, 5, 4]))
    mixed, _ = BatchLoss(CARD, weights, smoothing)(logits, mix.targets(labels, 3))
    own, other = (
        F.cross_entropy(logits, one, weights, label_smoothing=smoothing)
        for one in (labels, labels[mix.partners])
    )
    assert mixed == pytest.approx(0.7 * own + 0.3 * other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_whole_shares_have_the_loss_of_their_indices(dtype):
    torch.manual_seed(0)
    logits, labels = torch.randn(5, 3, dtype=dtype), torch.tensor([0, 1, 2, 1, 0])
    criterion = BatchLoss(CARD, None, 0.1)
    assert criterion(logits, F.one_hot(labels, 3).float())[0].item() == pytest.approx(
        criterion(logits, labels)[0].item()
    )


def test_a_mixed_image_counts_as_right_by_its_larger_label():
    logits = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert BatchLoss(CARD).num_correct(logits, torch.tensor([0, 1, 1, 0])) == 2
    shares = torch.tensor([[0.6, 0.4], [0.4, 0.6], [0.5, 0.5], [1.0, 0.0]])
    assert (
        BatchLoss(CARD).num_correct(logits, shares) == 2
    )  # the first, and either of two equal shares


def test_labels_and_images_are_shown_as_the_network_gets_them():
    pixels = torch.tensor([0, 100, 201], dtype=torch.uint8)[:, None, None, None]
    batch = Batch(np.arange(3), np.array([0, 1, 1]), 0, lambda: pixels)
    assert batch.mixed_pixels is pixels
    assert batch.label(1, ("cat", "dog")) == "dog"
    batch.mix = Mix(0.75, np.array([1, 2, 0]))
    assert batch.mixed_pixels.flatten().tolist() == [25, 125, 151]
    assert [batch.label(i, ("cat", "dog")) for i in range(3)] == [
        "cat 75%, dog 25%",
        "dog",
        "dog 75%, cat 25%",
    ]
    assert pixels.flatten().tolist() == [0, 100, 201]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    out, act = tmp_path_factory.mktemp("mixed") / "run", Act()
    train(out, **MIXES, callbacks=[act])
    return out, act.notes


def test_a_stop_within_an_epoch_changes_no_bit(tmp_path, mixed):
    with pytest.raises(Interrupted):
        train(tmp_path / "run", **MIXES, callbacks=[StopAt(14)])
    convscope.resume(tmp_path / "run")
    assert_same_bits(tmp_path / "run", mixed[0])


def test_only_training_images_are_mixed_and_the_log_says_so(mixed):
    out, notes = mixed
    assert any("one counts as right if the label with the larger share" in note for note in notes)
    tested = convscope.evaluate(out).metrics
    assert tested.to_json() == (out / "test.json").read_text()


def test_every_batch_is_mixed_and_other_settings_keep_the_bits_of_order_and_crops(tmp_path):
    class Seen(Act):
        def __init__(self):
            super().__init__()
            self.batches = []

        def on_step_end(self, state, event):
            self.batches.append(event.batch)

    plain, mixed = Seen(), Seen()
    train(tmp_path / "plain", steps=3, callbacks=[plain])
    train(tmp_path / "mixed", steps=3, mixup=1.0, callbacks=[mixed])
    assert all(batch.mix is None for batch in plain.batches)
    assert all(batch.mix is not None for batch in mixed.batches)
    for one, other in zip(plain.batches, mixed.batches, strict=True):
        assert np.array_equal(one.indices, other.indices)
        assert torch.equal(one.pixels, other.pixels)


def test_the_compiled_engine_is_not_taken(tmp_path):
    act = Act()
    train(tmp_path / "run", steps=1, mixup=0.2, engine="auto", model="lenet5", callbacks=[act])
    assert any("unsupported: `mixup` and `cutmix` mix images" in note for note in act.notes)
    with pytest.raises(RequestError, match=r"`engine='lanes'` is not possible: `mixup` and"):
        train(tmp_path / "other", mixup=0.2, engine="lanes", model="lenet5")
