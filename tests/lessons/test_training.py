"""The lesson on gradient descent takes the steps that torch takes, and foretells where they end."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from convscope.errors import RequestError
from convscope.lessons import training
from convscope.lessons.descent import Descent, Task
from convscope.lessons.training import IMAGES, compute, picture

SOBEL = [1, 0, -1, 2, 0, -2, 1, 0, -1]
START = {
    "image": "ring",
    "target": SOBEL,
    "weights_seed": 1,
    "step": 0,
    "rate": 0.05,
    "momentum": 0.9,
    "decay": 0,
    "batch": 100,
    "at": 0,
    "logits": [2, 1, -1],
    "right": 0,
}


def answer(**change):
    return compute({**START, **change})


def slow_map(image: np.ndarray, weights: list[float]) -> list[float]:
    """The sums of a filter of 3x3 on an image of 12x12, cell by cell."""
    return [
        sum(image[y + i, x + j] * weights[3 * i + j] for i in range(3) for j in range(3))
        for y in range(10)
        for x in range(10)
    ]


def by_torch(image: str, start: list[float], steps: int, **settings: float) -> torch.Tensor:
    """The weights after some steps of torch's own optimizer over torch's own convolution."""
    pixels = torch.from_numpy(picture(image))[None, None]
    wanted = F.conv2d(pixels, torch.tensor(SOBEL, dtype=torch.float64).reshape(1, 1, 3, 3))
    weights = torch.tensor(start, dtype=torch.float64).reshape(1, 1, 3, 3).requires_grad_()
    optimizer = torch.optim.SGD([weights], **settings)
    for _ in range(steps):
        optimizer.zero_grad()
        F.mse_loss(F.conv2d(pixels, weights), wanted).backward()
        optimizer.step()
    return weights.detach().ravel()


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize(("momentum", "decay"), [(0, 0), (0.9, 0), (0.5, 0.1), (0.99, 1)])
def test_steps_are_those_of_torch(image, momentum, decay):
    start = answer(image=image)["weights"]
    for steps in (1, 2, 37):
        found = answer(image=image, step=steps, momentum=momentum, decay=decay, rate=0.03)[
            "weights"
        ]
        expected = by_torch(image, start, steps, lr=0.03, momentum=momentum, weight_decay=decay)
        assert found == pytest.approx(expected.tolist(), rel=1e-9, abs=1e-12)


def test_maps_and_loss_are_those_of_a_slow_loop():
    found = answer(step=3)
    image = np.reshape(found["image"], (12, 12))
    wanted, own = slow_map(image, SOBEL), slow_map(image, found["weights"])
    assert found["maps"][0] == pytest.approx(wanted)
    assert found["maps"][1] == pytest.approx(own)
    assert found["maps"][2] == pytest.approx([b - a for a, b in zip(wanted, own, strict=True)])
    squares = [(b - a) ** 2 for a, b in zip(wanted, own, strict=True)]
    assert found["loss"] == pytest.approx(sum(squares) / 100)


def test_the_gradient_is_the_slope_of_the_loss():
    found = answer(step=5)
    image = np.reshape(found["image"], (12, 12))
    wanted = slow_map(image, SOBEL)

    def loss(weights):
        own = slow_map(image, weights)
        return sum((b - a) ** 2 for a, b in zip(wanted, own, strict=True)) / 100

    for place in range(9):
        ends = []
        for change in (1e-4, -1e-4):
            moved = list(found["weights"])
            moved[place] += change
            ends.append(loss(moved))
        assert found["gradient"][place] == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-6)


@pytest.mark.parametrize("change", [{}, {"decay": 0.1}, {"batch": 10}, {"batch": 1, "momentum": 0}])
def test_the_next_step_is_written_out_as_it_will_be(change):
    settings = {**START, **change}
    for at in (0, 4, 8):
        now, after = answer(**change, step=7, at=at), answer(**change, step=8, at=at)
        written = now["next"]
        assert written["weight"] == now["weights"][at]
        assert written["gradient"] == now["gradient"][at]
        assert written["decayed"] == pytest.approx(
            written["gradient"] + settings["decay"] * written["weight"]
        )
        assert written["after"] == pytest.approx(
            settings["momentum"] * written["velocity"] + written["decayed"]
        )
        assert written["then"] == pytest.approx(
            written["weight"] - settings["rate"] * written["after"]
        )
        assert written["then"] == after["weights"][at]
        assert written["patches"] == settings["batch"]
        assert after["next"]["velocity"] == written["after"]


@pytest.mark.parametrize("batch", [1, 7, 10, 33, 50])
def test_an_epoch_shows_every_patch_once(batch):
    task = Task("noise", tuple(SOBEL), 3, 1e-12, 0, 0, batch)  # a rate at which nothing moves
    descent = Descent(task, training.patches("noise"))
    full_gradient = answer(image="noise", weights_seed=3)["gradient"]
    sums, shown, orders = np.zeros(9), 0, []
    for moment in descent.until(300):
        sums += moment.patches * moment.gradient
        shown += moment.patches
        orders.append(moment.gradient[0])
        if shown % 100 == 0:
            break
    assert shown == 100
    assert (sums / 100).tolist() == pytest.approx(full_gradient, rel=1e-6)
    again = [m.gradient[0] for m in descent.until(300)[len(orders) : 2 * len(orders)]]
    assert again != pytest.approx(orders, rel=1e-6)  # the next epoch has an order of its own


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("momentum", [0, 0.5, 0.9])
@pytest.mark.parametrize("decay", [0, 0.5])
def test_the_limit_of_the_rate_parts_what_converges_from_what_diverges(image, momentum, decay):
    settings = {"image": image, "momentum": momentum, "decay": decay}
    *_, below, above = answer(**settings)["rates"]["offered"]
    limit = answer(**settings)["rates"]["limit"]
    assert 0.97 * limit < below < limit < above < 1.04 * limit
    held = answer(**settings, rate=below, step=2000)
    lost = answer(**settings, rate=above, step=2000)
    assert held["diverged"] is None
    assert held["loss"] < held["curve"][0][1]
    assert lost["diverged"] is not None or lost["loss"] > 1e3 * lost["curve"][0][1]


def test_the_slowest_direction_shrinks_by_the_factor_that_is_told():
    settings = {"momentum": 0, "rate": 0.1}
    for momentum in (0, 0.3):  # real roots: no swinging
        settings["momentum"] = momentum
        before, after = (answer(**settings, step=step)["loss"] for step in (1200, 1201))
        rates = answer(**settings)["rates"]
        assert math.sqrt(after / before) == pytest.approx(rates["slowest"], rel=1e-6)
        assert rates["slowest"] ** rates["halving"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("image", "rank"), [("noise", 9), ("ring", 9), ("stripes", 2), ("gray", 1)]
)
def test_directions_that_the_image_tells_nothing_of_are_counted(image, rank):
    pixels = picture(image)
    rows = [pixels[y : y + 3, x : x + 3].ravel() for y in range(10) for x in range(10)]
    assert np.linalg.matrix_rank(rows) == rank
    assert answer(image=image)["rates"]["unseen"] == 9 - rank


def test_the_curvature_is_the_second_derivative_of_the_loss():
    for image in IMAGES:
        pixels = torch.from_numpy(picture(image))[None, None]

        def loss(weights, pixels=pixels):
            return F.conv2d(pixels, weights.reshape(1, 1, 3, 3)).square().mean()

        bend = torch.autograd.functional.hessian(loss, torch.zeros(9, dtype=torch.float64))
        assert training.curvature(image) == pytest.approx(bend.numpy())
        rates = answer(image=image, decay=0.25)["rates"]
        assert rates["largest"] == pytest.approx(np.linalg.eigvalsh(bend.numpy())[-1] + 0.25)


def test_on_one_gray_the_weights_find_the_sum_and_stay_another_filter():
    target = [1, 2, 3, 0, 0, 0, 0, 0, -1]
    found = answer(image="gray", target=target, step=500)
    assert found["loss"] < 1e-12
    assert sum(found["weights"]) == pytest.approx(5)
    assert max(abs(a - b) for a, b in zip(found["weights"], target, strict=True)) > 0.5


def test_weight_decay_ends_where_it_is_said_to():
    for image in IMAGES:
        found = answer(image=image, decay=0.3, step=2000)
        assert found["loss"] == pytest.approx(found["lowest"], rel=1e-6)
        assert found["lowest"] > 1e-3 or image == "gray"
        assert answer(image=image)["lowest"] == pytest.approx(0, abs=1e-20)


def test_the_curve_is_made_of_the_losses_of_its_steps():
    for step in (0, 1, 250, 777):
        curve = answer(step=step)["curve"]
        assert len(curve) <= 300
        assert (curve[0][0], curve[-1][0]) == (0, step)
        assert [k for k, _ in curve] == sorted({k for k, _ in curve})
        for k, loss in curve[:: max(1, len(curve) // 5)]:
            assert answer(step=k)["loss"] == loss


def test_the_same_address_tells_the_same_numbers_in_another_process():
    settings = {"batch": 10, "decay": 0.01, "weights_seed": 5}
    stepwise = [answer(**settings, step=step)["weights"] for step in (0, 1, 11, 111)]
    training.descend.cache_clear()
    assert answer(**settings, step=111)["weights"] == stepwise[-1]
    assert answer(**settings, step=0)["weights"] == stepwise[0]
    assert answer(**{**settings, "weights_seed": 6})["weights"] != stepwise[0]
    assert all(abs(weight) <= 1 / 3 for weight in stepwise[0])  # as PyTorch begins a layer


def test_a_filter_that_is_the_target_already_does_not_move():
    start = answer()["weights"]
    found = answer(target=start, step=10)
    assert found["loss"] < 1e-25
    assert found["weights"] == pytest.approx(start)


def test_what_diverges_stops_and_stays_finite():
    for rate in (1.0, 1000):
        for momentum in (0, 0.999):
            found = answer(rate=rate, momentum=momentum, step=2000, target=[1e6] * 9, decay=10)
            assert found["diverged"] == found["step"] < 2000
            assert found["next"] is None
            assert all(map(math.isfinite, [*found["weights"], found["loss"], *found["gradient"]]))
    assert answer(target=[1e6] * 9)["diverged"] is None  # far away is not lost


def test_images_are_centered_and_scaled():
    for image in set(IMAGES) - {"gray"}:
        pixels = np.array(answer(image=image)["image"])
        assert pixels.shape == (144,)
        assert (pixels.mean(), pixels.std()) == (pytest.approx(0, abs=1e-12), pytest.approx(1))


def test_softmax_and_its_gradient_are_those_of_the_formula():
    for logits in ([2, 1, -1], [0, 0, 0], [-3.5, 10, 9.25]):
        powers = [math.exp(z) for z in logits]
        shares = [power / sum(powers) for power in powers]
        for right in range(3):
            found = answer(logits=logits, right=right)["softmax"]
            assert found["shares"] == pytest.approx(shares)
            assert found["loss"] == pytest.approx(-math.log(shares[right]))
            assert found["gradient"] == pytest.approx(
                [share - (k == right) for k, share in enumerate(shares)]
            )
            assert [p / found["sum"] for p in found["powers"]] == pytest.approx(shares)


def test_logits_of_a_million_do_not_overflow():
    found = answer(logits=[1e6, -1e6, 0], right=1)["softmax"]
    assert found["shares"] == found["powers"] == [1, 0, 0]
    assert found["loss"] == 2e6
    assert found["gradient"] == [1, -1, 0]


@pytest.mark.parametrize(
    ("change", "told_of"),
    [
        ({"image": "photo"}, "image"),
        ({"target": [1] * 8}, "target"),
        ({"target": [math.nan] * 9}, "target"),
        ({"weights_seed": 1000}, "weights_seed"),
        ({"weights_seed": -1}, "weights_seed"),
        ({"step": 2001}, "step"),
        ({"step": 1.5}, "step"),
        ({"rate": 0}, "rate"),
        ({"rate": -1}, "rate"),
        ({"rate": 1001}, "rate"),
        ({"momentum": 1}, "momentum"),
        ({"decay": 11}, "decay"),
        ({"batch": 0}, "batch"),
        ({"batch": 101}, "batch"),
        ({"at": 9}, "at"),
        ({"logits": [1, 2]}, "logits"),
        ({"logits": [1, 2, math.inf]}, "logits"),
        ({"right": 3}, "right"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(change, told_of):
    with pytest.raises(RequestError, match=f"^{told_of} must be"):
        answer(**change)
