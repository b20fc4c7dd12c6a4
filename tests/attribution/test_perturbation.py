"""Occlusion, integrated gradients, deletion and insertion, random weights."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from convscope.attribution.baselines import baseline_image, blurred
from convscope.attribution.faithfulness import FaithfulnessTest, student_t
from convscope.attribution.occlusion import occlusion, window_and_stride
from convscope.attribution.pixel_methods import integrated_gradients, saliency
from convscope.attribution.randomization import (
    in_random_order,
    randomized_weights,
    rank_correlation,
    weight_tensors,
)
from convscope.errors import RequestError
from tests.attribution.networks import Chain, Curved, Residual, image, randomize, subject_of


def _weighted_sum(weights):
    """A network whose class 1 is a weighted sum of the pixels."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(weights.size, 4, bias=False))
    net[1].weight.data.zero_()
    net[1].weight.data[1] = torch.from_numpy(weights.flatten())
    return net


@pytest.mark.parametrize(("window", "stride"), [(3, 2), (2, 2), (3, 1), (8, 8), (5, 3)])
def test_occlusion_of_an_even_image_is_even_to_the_border(window, stride):
    x = torch.ones(1, 1, 8, 8)
    subject = subject_of(_weighted_sum(np.ones((8, 8), np.float32)), x)
    values = occlusion(subject, torch.zeros_like(x), window, stride).values
    np.testing.assert_allclose(values, window * window)


def test_occlusion_is_the_mean_fall_over_the_windows_that_cover_a_pixel():
    net = randomize(Chain())
    subject = subject_of(net, image())
    window, starts = 3, [0, 2, 4, 5]
    away = torch.full_like(subject.image, 0.3)
    falls = [[[] for _ in range(8)] for _ in range(8)]
    for top, left in itertools.product(starts, starts):
        covered = subject.image.clone()
        covered[:, :, top : top + window, left : left + window] = 0.3
        fall = float(net(subject.image)[0, 1] - net(covered)[0, 1])
        for y, x in itertools.product(range(top, top + window), range(left, left + window)):
            falls[y][x].append(fall)
    expected = [[np.mean(cell) for cell in row] for row in falls]
    np.testing.assert_allclose(occlusion(subject, away, window, 2).values, expected, atol=1e-9)


def test_windows_that_leave_gaps_or_are_too_large_are_refused():
    assert window_and_stride((224, 300), None, None) == (28, 14)
    with pytest.raises(RequestError, match="`stride` is 4, and the window 3"):
        window_and_stride((8, 8), 3, 4)
    with pytest.raises(RequestError, match="`window` is 9"):
        window_and_stride((8, 8), 9, None)


@pytest.mark.parametrize("make", [Residual, Curved])
def test_integrated_gradients_add_up_to_the_score_less_that_of_the_baseline(make):
    net = randomize(make())
    subject = subject_of(net, image(), other=3)
    away = torch.full_like(subject.image, 0.2)
    shares = integrated_gradients(subject, away, 400).shares
    score = subject.target.score
    assert shares.score == pytest.approx(float(score(net(subject.image))))
    assert shares.others["the baseline"] == pytest.approx(float(score(net(away))))
    assert abs(shares.rest) < 1e-2 * abs(shares.map)


@pytest.mark.filterwarnings("ignore")
def test_captum_agrees_on_gradients_and_occlusion():
    captum = pytest.importorskip("captum.attr", reason="captum is not installed")
    net = randomize(Curved())
    subject, x = subject_of(net, image()), image()
    away = torch.full_like(x, 0.2)
    theirs = captum.IntegratedGradients(net).attribute(x, away, target=1, n_steps=50)
    np.testing.assert_allclose(
        integrated_gradients(subject, away, 50).values, theirs.detach().sum(1)[0], atol=1e-9
    )
    theirs = captum.Saliency(net).attribute(x.requires_grad_(), target=1)
    np.testing.assert_allclose(saliency(subject).values, theirs.detach().amax(1)[0], atol=1e-12)
    theirs = captum.Occlusion(net).attribute(
        x.detach(), (3, 4, 4), strides=(3, 2, 2), target=1, baselines=0.2
    )
    np.testing.assert_allclose(
        occlusion(subject, away, 4, 2).values, theirs.detach()[0, 0], atol=1e-9
    )


def test_a_blur_keeps_the_mean_of_an_even_image_and_its_borders():
    even = torch.full((1, 3, 20, 30), 0.7, dtype=torch.float64)
    torch.testing.assert_close(blurred(even), even)
    spot = torch.zeros(1, 1, 41, 41, dtype=torch.float64)
    spot[..., 20, 20] = 1
    found = blurred(spot)
    assert found.sum() == pytest.approx(1)
    assert found.argmax() == 20 * 41 + 20
    sigma = 0.12 * 41
    assert float(found[0, 0, 20, 25] / found[0, 0, 20, 20]) == pytest.approx(
        float(np.exp(-25 / (2 * sigma**2)))
    )


def test_baselines_are_what_their_names_say_once_the_card_has_scaled_them():
    subject = subject_of(Chain().double(), image())
    assert not baseline_image("mean", subject.image, subject.card).any()
    assert (baseline_image("white", subject.image, subject.card) == 1).all()


def test_deletion_and_insertion_of_a_known_order():
    """Class 1 is the sum of four cells; its probability is known for every number of them."""
    weights = np.array([[4.0, 3], [2, 1]], np.float32)
    x = torch.ones(1, 1, 2, 2)
    subject = subject_of(_weighted_sum(weights), x)
    test = FaithfulnessTest(subject, torch.zeros_like(x), random_orders=8)
    found = test(weights.astype(np.float64))

    def probability(total):
        return np.exp(total) / (np.exp(total) + 3)

    removed = [probability(total) for total in (10, 6, 3, 1, 0)]
    np.testing.assert_allclose(found.deletion.values, removed, rtol=1e-6)
    assert found.deletion.fractions == (0, 0.25, 0.5, 0.75, 1)
    mean = sum(removed[1:4]) / 4 + (removed[0] + removed[4]) / 8
    assert found.deletion.area == pytest.approx(mean, rel=1e-6)
    worst = test(-weights.astype(np.float64))
    assert worst.deletion.area > max(found.deletion.random) - 1e-12
    assert found.num_better[0] >= 7


def test_the_interval_of_random_orders_is_that_of_scipy():
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    for freedom in (1, 2, 3, 4, 5, 9, 19, 99):
        assert student_t(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-3)


def test_random_orders_are_drawn_from_the_seed_and_each_cell_comes_once():
    x = torch.ones(1, 1, 4, 4)
    subject = subject_of(_weighted_sum(np.ones((4, 4), np.float32)), x)
    areas = [
        FaithfulnessTest(subject, torch.zeros_like(x), random_orders=4)(np.ones((4, 4)))
        for _ in range(2)
    ]
    assert areas[0] == areas[1]
    assert len(set(areas[0].deletion.random)) == 1  # all cells weigh the same


def test_random_weights_are_the_same_numbers_elsewhere_and_the_network_gets_its_own_again():
    net = randomize(Residual())
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    layers = weight_tensors(net)
    with pytest.raises(RuntimeError, match="failed"):
        _fail_in_random_order(net, layers, before)
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name])


def _fail_in_random_order(net, layers, before):
    with in_random_order(layers[-1:], 0):
        assert not torch.equal(net.fc.weight, before["fc.weight"])
        assert sorted(net.fc.weight.flatten()) == sorted(before["fc.weight"].flatten())
        assert torch.equal(net.conv3.weight, before["conv3.weight"])
        raise RuntimeError("failed")


def test_a_map_that_ignores_the_weights_correlates_with_itself_and_a_gradient_does_not():
    subject = subject_of(randomize(Chain()), image())
    values = saliency(subject).values
    fixed = randomized_weights(subject, values, lambda _subject: values)
    assert (fixed.last, fixed.all) == (1, 1)
    found = randomized_weights(subject, values, lambda changed: saliency(changed).values)
    assert abs(found.all) < 0.8
    constant = randomized_weights(subject, values, lambda _subject: values * 0)
    assert constant.all is None


def test_the_rank_correlation_is_scipys_also_with_ties():
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    random = np.random.default_rng(0)
    a, b = random.integers(0, 6, (2, 7, 7)).astype(float)
    expected = stats.spearmanr(a.flatten(), b.flatten()).statistic
    assert rank_correlation(a, b) == pytest.approx(expected)
