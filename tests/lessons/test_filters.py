"""The lesson on learned filters measures what it says of them."""

import copy
import json
import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from convscope.data.normalize import normalize
from convscope.errors import RequestError, WorkError
from convscope.features.redundancy import COMPARED
from convscope.lessons import filters, trained
from convscope.lessons.filters import compute
from convscope.lessons.trained import BackgroundTraining, opened, trained_in
from convscope.runs.folder import Run

START = {"layer": "conv1", "filter": 1, "digit": 3, "removed": []}
BEFORE = {"conv1": ("conv1", "tanh1"), "conv2": ("conv1", "tanh1", "pool1", "conv2", "tanh2")}


class Ready:
    """A trainee that has learned already."""

    def __init__(self, known):
        self.known, self.step, self.steps = known, 0, 0

    def trained(self):
        return self.known


@pytest.fixture(scope="module")
def known(digits_run):
    return opened(Run.open(digits_run))


@pytest.fixture
def answer(known, monkeypatch):
    monkeypatch.setattr(filters, "TRAINEE", Ready(known))
    return lambda **change: compute({**START, **change})


def changed(known, change):
    """The same digits with a copy of the network that something was done to."""
    net = copy.deepcopy(known.net)
    with torch.no_grad():
        change(net)
    return replace(known, net=net)


def read(known, pixels):
    return normalize(torch.from_numpy(pixels)[..., None], known.card, channels_last=False)


@torch.no_grad()
def right_of(known, net):
    """How many test digits a network reads right."""
    answers = net(read(known, known.test[0])).argmax(1).numpy()
    return int((answers == known.test[1]).sum())


@torch.no_grad()
def maps_of(known, layer, pixels):
    values = read(known, pixels)
    for name in BEFORE[layer]:
        values = known.net.get_submodule(name)(values)
    return values.numpy()


def without(places, layer):
    def change(net):
        net.get_submodule(layer).weight[list(places)] = 0
        net.get_submodule(layer).bias[list(places)] = 0

    return change


def test_the_whole_network_is_as_right_as_its_run_s_own_test_says(answer, digits_run):
    tested = json.loads(Run.open(digits_run).read("test.json"))
    found = answer()
    assert found["tested"] == sum(map(sum, tested["confusion"]))
    assert found["whole"] == found["left"] == sum(tested["confusion"][k][k] for k in range(10))


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
@pytest.mark.parametrize("removed", [[0], [1, 2], [0, 1, 2, 3, 4, 5]])
def test_removing_filters_is_zeroing_their_weights_and_biases(answer, known, layer, removed):
    expected = right_of(known, changed(known, without(removed, layer)).net)
    found = answer(layer=layer, removed=removed)
    assert found["left"] == expected
    assert found["removed"] == removed


def test_without_its_whole_first_layer_the_network_only_guesses(answer):
    found = answer(removed=list(range(6)))
    assert found["left"] < 0.2 * found["tested"]


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_each_filter_s_worth_alone_and_the_pair_s_are_measured(answer, known, layer):
    found = answer(layer=layer, filter=2)
    for place in (0, len(found["filters"]) - 1):
        net = changed(known, without([place], layer)).net
        assert found["filters"][place]["right"] == right_of(known, net)
    nearest = found["pair"]["nearest"]
    for places, right in zip(([2], [nearest], [2, nearest]), found["pair"]["without"], strict=True):
        assert right == right_of(known, changed(known, without(places, layer)).net)


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_likeness_is_numpy_s_correlation_and_torch_s_cosine(answer, known, layer):
    found = answer(layer=layer, filter=0)["alike"]
    maps = maps_of(known, layer, known.test[0][:COMPARED]).swapaxes(0, 1)
    bound = np.corrcoef(maps.reshape(len(maps), -1).astype(np.float64))
    weights = known.net.get_submodule(layer).weight.detach().flatten(1)
    cosine = F.cosine_similarity(weights[:, None], weights[None], dim=2).numpy()
    assert np.array(found["correlation"]) == pytest.approx(bound, abs=1e-4)
    assert np.array(found["cosine"]) == pytest.approx(cosine, abs=1e-4)
    upper = np.triu(np.abs(bound), 1)
    first, *rest = found["pairs"]
    assert abs(first["correlation"]) == pytest.approx(upper.max())
    assert tuple(first["pair"]) == np.unravel_index(upper.argmax(), upper.shape)
    assert all(abs(pair["correlation"]) <= abs(first["correlation"]) for pair in rest)
    assert found["correlated"] == (upper >= 0.9).sum()


def test_the_nearest_filter_is_the_one_whose_map_goes_with_it_most(answer):
    for place in range(6):
        found = answer(filter=place)
        row = np.abs(found["alike"]["correlation"][place])
        row[place] = -1
        assert found["pair"]["nearest"] == row.argmax()
        assert abs(found["pair"]["correlation"]) == pytest.approx(row.max(), abs=1e-4)


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_maps_and_slices_are_the_network_s_own(answer, known, layer):
    found = answer(layer=layer, digit=7)
    picture = np.array(found["digit"], dtype=np.uint8).reshape(1, 32, 32)
    place = np.flatnonzero(known.test[1] == 7)[0]
    assert (picture[0] == known.test[0][place]).all()
    maps = maps_of(known, layer, picture)[0]
    weights = known.net.get_submodule(layer).weight.detach().numpy()
    for k, one in enumerate(found["filters"]):
        assert one["map"] == pytest.approx(maps[k].ravel(), abs=1e-4)
        assert one["side"] ** 2 == len(one["map"])
        assert np.array(one["slices"]) == pytest.approx(weights[k].reshape(-1, 25))


@pytest.mark.parametrize(("layer", "side"), [("conv1", 5), ("conv2", 14)])
def test_the_exciting_pieces_give_the_sums_that_are_told_and_no_piece_gives_more(
    answer, known, layer, side
):
    found = answer(layer=layer, filter=2)
    assert found["field"] == side
    assert len(found["patches"]) == 9
    names = BEFORE[layer][:-1]  # up to the sum, before its activation
    part = nn.Sequential(*(known.net.get_submodule(name) for name in names))
    with torch.no_grad():
        sums = part(read(known, known.train[0]))[:, 2].flatten(1).amax(1)
        for patch in found["patches"]:
            pixels = np.array(patch["pixels"], dtype=np.uint8).reshape(1, side, side)
            own = part(read(known, pixels))
            assert own.shape[2:] == (1, 1)
            assert own[0, 2].item() == pytest.approx(patch["value"], rel=1e-4)
    largest = sums.sort(descending=True).values[:9].tolist()
    assert [patch["value"] for patch in found["patches"]] == pytest.approx(largest, rel=1e-4)


def test_small_digits_are_the_ten_of_the_test(answer, known):
    found = answer()
    for label, small in enumerate(found["digits"]):
        place = np.flatnonzero(known.test[1] == label)[0]
        assert small == known.test[0][place][::2, ::2].ravel().tolist()


def test_train_and_test_digits_share_none_and_are_those_of_the_data(known, answer):
    assert (found := answer())["learned"] == len(known.train[0])
    assert found["learned"] + found["tested"] < 1797  # some were for validation
    assert len(known.train[1]) == len(known.train[0])


def test_while_it_learns_the_page_is_told_how_far_it_is(monkeypatch):
    waiting = Ready(None)
    waiting.step, waiting.steps = 120, 640
    monkeypatch.setattr(filters, "TRAINEE", waiting)
    found = compute(START)
    assert found["ready"] is False
    assert (found["step"], found["steps"], found["data"]) == (120, 640, "digits")


def test_a_trainee_learns_once_and_prepares_before_it_answers(monkeypatch):
    begun, prepared, go = [], [], threading.Event()

    def learn(_folder, trainee):
        begun.append(trainee)
        go.wait(30)
        return "network"

    monkeypatch.setattr(trained, "trained_in", learn)
    trainee = BackgroundTraining(prepared.append)
    assert [trainee.trained() for _ in range(3)] == [None] * 3
    go.set()
    trainee._thread.join(30)
    assert trainee.trained() == trainee.trained() == "network"
    assert (begun, prepared) == ([trainee], ["network"])


@pytest.mark.parametrize("fault", [WorkError("No space left."), ValueError("of a library")])
def test_a_training_that_failed_is_told_and_begun_again(monkeypatch, fault):
    begun = []

    def learn(_folder, _trainee):
        begun.append(1)
        raise fault

    monkeypatch.setattr(trained, "trained_in", learn)
    trainee = BackgroundTraining()
    for times in (1, 2):
        assert trainee.trained() is None
        trainee._thread.join(30)
        with pytest.raises(WorkError, match=str(fault)):
            trainee.trained()
        assert len(begun) == times


def test_a_training_counts_its_steps_and_leaves_a_network_that_reads_digits(tmp_path):
    trainee = BackgroundTraining()
    found = trained_in(tmp_path / "run", trainee, epochs=2)
    assert trainee.step == trainee.steps > 0
    assert right_of(found, found.net) > 0.5 * len(found.test[1])
    assert {pixels.shape[1:] for pixels, _ in (found.train, found.test)} == {(32, 32)}


@pytest.mark.parametrize(
    ("change", "told_of"),
    [
        ({"layer": "conv3"}, "layer"),
        ({"digit": 10}, "digit"),
        ({"filter": -1}, "filter"),
        ({"filter": 1.5}, "filter"),
        ({"removed": [-1]}, "removed"),
        ({"removed": [0.5]}, "removed"),
        ({"removed": [True]}, "removed"),
        ({"removed": 3}, "removed"),
        ({"removed": [120]}, "removed"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(answer, change, told_of):
    with pytest.raises(RequestError, match=f"^{told_of} must be"):
        answer(**change)


def test_filters_that_the_layer_has_not_are_left_out(answer):
    found = answer(layer="conv1", filter=15, removed=[15, 2, 2])
    assert (found["chosen"], found["removed"]) == (5, [2])
