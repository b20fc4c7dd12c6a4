"""Twins, dead maps and rank over images: planted truths, slow loops, and Captum-free oracles."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convscope
from convscope.cli import main
from convscope.errors import RequestError
from convscope.map_similarity.alignment import Alignment
from convscope.map_similarity.api import Redundancy
from convscope.map_similarity.jackknife import interval
from convscope.map_similarity.moments import GROUPS, Moments, effective_rank, to_correlation
from convscope.map_similarity.page import page


def _images(count: int, *, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, 12, 12), dtype=np.uint8), np.arange(count) % classes


class Planted(nn.Module):
    """Filter 3 is filter 0; 1 is dead; 4 is filter 2 one pixel to the left; 5 is half of 2."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 6, 3, padding=2)
        self.relu = nn.ReLU()
        self.fc = nn.Linear(6, 2)
        with torch.no_grad():
            self.conv.weight[:, :, :, 0] = 0
            self.conv.weight[3] = self.conv.weight[0]
            self.conv.weight[1] = -abs(self.conv.weight[1])
            self.conv.weight[4, :, :, :2] = self.conv.weight[2, :, :, 1:]
            self.conv.weight[4, :, :, 2] = 0
            self.conv.weight[5] = self.conv.weight[2] / 2
            self.conv.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.relu(self.conv(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def planted() -> Redundancy:
    card = convscope.Card(
        classes=("a", "b"), input_size=(12, 12), in_channels=1, resize_mode="pad",
        mean=(0.0,), std=(1.0,),
    )  # fmt: skip
    net = Planted()
    vars(net)["card"] = card
    return convscope.redundancy(net, _images(200), split=None)


def test_the_planted_twins_and_the_dead_filter_are_found_and_no_others(planted: Redundancy) -> None:
    layer = planted["conv"]
    assert layer.dead == [1]
    assert sorted(map(sorted, layer.groups)) == [[0, 3], [2, 5]]
    assert layer.redundant == [1, 3, 5]
    twins = {(pair.first, pair.second): pair for pair in layer.pairs}
    assert twins.keys() == {(0, 3), (2, 5)}
    for pair in twins.values():
        assert pair.correlation == pytest.approx(1, abs=1e-9)
        assert pair.alignment == pytest.approx(1, abs=1e-9)
        assert pair.cosine == pytest.approx(1, abs=1e-6)
        assert pair.is_sure
    assert layer.most_similar is not None
    assert abs(layer.most_similar.correlation) == pytest.approx(abs(layer.pairs[0].correlation))


def test_alignment_sees_a_pattern_one_pixel_aside_and_correlation_does_not(
    planted: Redundancy,
) -> None:
    layer = planted["conv"]
    assert layer.alignment[2, 4] > 0.95
    assert layer.correlation[2, 4] < 0.5
    assert not layer.alignment[1].any()


def test_correlation_and_rank_are_those_of_all_units_at_once() -> None:
    rng = np.random.default_rng(1)
    units = torch.from_numpy(rng.standard_normal((57, 5, 4, 3)).astype(np.float32))
    units[:, 3] += 2 * units[:, 1]
    moments = Moments(5)
    for start in (0, 7, 30):
        stop = {0: 7, 7: 30, 30: 57}[start]
        moments.add(units[start:stop])
    rows = units.double().numpy().swapaxes(0, 1).reshape(5, -1)
    assert to_correlation(moments.covariance()) == pytest.approx(np.corrcoef(rows), abs=1e-9)
    values = np.linalg.svd(np.cov(rows), compute_uv=False)
    shares = values / values.sum()
    assert effective_rank(moments.covariance()) == pytest.approx(
        np.exp(-np.sum(shares * np.log(shares)))
    )
    left = rows.reshape(5, 57, 12)[:, np.arange(57) % GROUPS != 4].reshape(5, -1)
    assert to_correlation(moments.covariance(4)) == pytest.approx(np.corrcoef(left), abs=1e-9)


def _hsic(k: np.ndarray, el: np.ndarray) -> float:
    """Song et al., 2012, equation 5, term by term."""
    n = len(k)
    k, el = k - np.diag(np.diag(k)), el - np.diag(np.diag(el))
    one = np.ones(n)
    first = np.trace(k @ el)
    second = (one @ k @ one) * (one @ el @ one) / ((n - 1) * (n - 2))
    third = 2 / (n - 2) * (one @ k @ el @ one)
    return (first + second - third) / (n * (n - 3))


def test_alignment_is_that_of_the_formula_of_song_et_al() -> None:
    rng = np.random.default_rng(2)
    units = rng.standard_normal((70, 3, 4, 4)).astype(np.float32)
    units[:, 2] = units[:, 0, ::-1] + 0.3 * units[:, 1]
    alignment = Alignment(3)
    alignment.add(torch.from_numpy(units))
    sums = np.zeros((3, 3))
    for some in (units[:32], units[32:64], units[64:]):
        flat = some.astype(np.float64).reshape(len(some), 3, -1)
        grams = [flat[:, k] @ flat[:, k].T for k in range(3)]
        sums += [[_hsic(a, b) for b in grams] for a in grams]
    own = np.sqrt(np.diag(sums))
    assert alignment.alignment() == pytest.approx(sums / own[:, None] / own, abs=1e-9)


def test_the_interval_covers_the_true_correlation_as_often_as_it_says() -> None:
    covered, rng = 0, np.random.default_rng(3)
    for _ in range(200):
        shared = rng.standard_normal((60, 1))
        x = shared + rng.standard_normal((60, 2))  # true correlation 1/2
        moments = Moments(2)
        moments.add(torch.from_numpy(x))

        def value(without: int | None = None, moments: Moments = moments) -> float:
            return float(np.arctanh(to_correlation(moments.covariance(without))[0, 1]))

        low, high = interval(value(), value)
        covered += bool(low <= np.arctanh(0.5) <= high)
    assert 178 <= covered <= 200  # 95% of 200 is 190, standard deviation 3


def test_effective_rank_of_one_direction_is_one() -> None:
    direction = np.arange(1.0, 5.0)
    assert effective_rank(np.outer(direction, direction)) == pytest.approx(1, abs=1e-6)
    assert effective_rank(np.eye(7)) == pytest.approx(7)
    assert effective_rank(np.zeros((3, 3))) == 0


def test_too_few_images_are_refused(planted: Redundancy) -> None:
    net = copy.deepcopy(Planted())
    vars(net)["card"] = convscope.Card(
        classes=("a", "b"), input_size=(12, 12), in_channels=1, resize_mode="pad",
        mean=(0.0,), std=(1.0,),
    )  # fmt: skip
    with pytest.raises(RequestError, match="takes 40 or more"):
        convscope.redundancy(net, _images(39))
    with pytest.raises(RequestError, match="`max_images` must be at least 40"):
        convscope.redundancy(net, _images(50), max_images=3)
    with pytest.raises(RequestError, match="no layer 'conv7'"):
        _ = planted["conv7"]


def test_the_page_shows_every_layer_and_requests_nothing(planted: Redundancy) -> None:
    html = page(planted)
    assert html.count("<section") == 1 + len(planted.layers)
    assert "http" not in html.replace("http-equiv", "")
    assert "0 and 3" in html
    assert "<dd>1</dd>" in html  # the dead map


def test_the_command_prints_and_writes_what_the_function_found(
    digits_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["redundancy", str(digits_run), "-o", str(tmp_path / "page.html"), "--json"])
    assert done.value.code == 0
    printed = json.loads(capsys.readouterr().out)
    found = convscope.redundancy(digits_run)
    assert printed == json.loads(json.dumps(found.to_dict()))
    assert "effective rank" in (tmp_path / "page.html").read_text()
    with pytest.raises(SystemExit) as done:
        main(["redundancy", str(digits_run), "--layers", "conv1"])
    assert done.value.code == 0
    assert "conv1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "page.png"], "--out is a page: name it page.html"),
        (["-o", "nowhere/page.html"], "does not exist"),
        (["--layers", "conv9"], "no layer 'conv9'"),
        (["--max-images", "2"], "--max-images must be at least 40"),
    ],
)
def test_a_wrong_request_is_refused(
    digits_run: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["redundancy", str(digits_run), *words])
    assert done.value.code == 2
    assert message in " ".join(capsys.readouterr().err.split())
