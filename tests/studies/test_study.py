"""Studies: the networks differ in what is studied alone, and verdicts do not rank noise."""

import json
from pathlib import Path
from statistics import fmean, stdev

import numpy as np
import pytest
import torch
from scipy.stats import t
from torch import nn
from torch.nn import functional as F

import convscope
from convscope.errors import RequestError
from convscope.recording import operations
from convscope.studies.connections import count_connections
from convscope.studies.equivariance import measure_shifts, shifted
from convscope.studies.result import StudyResult, VariantResult, mean_interval
from convscope.studies.variants import make_variants


def tables(study, tmp_path, channels=3, size=(32, 32)):
    found = {}
    for variant in make_variants(study, channels, size):
        path = tmp_path / f"{variant.name}.toml"
        path.write_text(variant.table)
        found[variant.name] = convscope.summary(str(path), num_classes=10)
    return found


def test_the_first_layers_of_sharing_have_one_volume_and_the_lectures_parameters(tmp_path):
    found = tables("sharing", tmp_path)
    first = {name: table.rows[0] for name, table in found.items()}
    tail = 8 * 28 * 28 * 10 + 10
    assert found["convolution"].parameters - tail == 8 * (5 * 5 * 3 + 1)
    assert found["locally-connected"].parameters - tail == 28 * 28 * 8 * (5 * 5 * 3 + 1)
    assert found["dense"].parameters - tail == (32 * 32 * 3 + 1) * 8 * 28 * 28
    same = found["convolution"].multiply_adds
    assert found["locally-connected"].multiply_adds == same
    assert same - 8 * 28 * 28 * 10 == 8 * 28 * 28 * 5 * 5 * 3
    assert first["convolution"] != first["dense"]


@pytest.mark.parametrize("study", ["pooling", "depth", "filters", "activation"])
def test_the_networks_of_a_study_can_be_built_for_gray_and_color(study, tmp_path):
    for channels, size in ((1, (8, 8)), (3, (32, 24))):
        found = tables(study, tmp_path, channels, size)
        assert len(found) == len(make_variants(study, channels, size)) > 1
    costs = [table.parameters for table in found.values()]
    if study in ("depth", "filters"):
        assert costs == sorted(costs)
        assert len({*costs}) == len(costs)
    else:
        assert len({*costs}) == 1  # nothing but what is studied differs


@pytest.mark.parametrize("count", [2, 3, 10])
def test_an_interval_of_seeds_is_students(count):
    values = [0.9 + 0.003 * n * (-1) ** n for n in range(count)]
    low, high = mean_interval(values)
    expected = t.interval(0.95, count - 1, fmean(values), stdev(values) / count**0.5)
    assert (low, high) == pytest.approx(expected, rel=1e-4)


def result_of(study="pooling", failed=None, **accuracies):
    variants = tuple(
        VariantResult(
            name, 10, 20, 30, values, 1.0, (0.5, 0.2 if name == "base" else 0.3), (), (),
            num_failed=int(name == failed),
        )
        for name, values in accuracies.items()
    )  # fmt: skip
    return StudyResult(study, "digits", 100, variants, Path("out"))


def test_a_verdict_is_by_paired_differences_and_ranks_no_noise():
    result = result_of(base=(0.90, 0.95, 0.85), same=(0.91, 0.94, 0.85), better=(0.92, 0.97, 0.872))
    base, same, better = result.variants
    assert result.verdict(base) == "the reference"
    assert result.answer.startswith("Beside base: better better; not told apart same. An error ")
    assert "still fell by 30 points in the last epoch" in result.answer
    assert result.verdict(same).startswith("not told apart")
    assert result.verdict(better).startswith("better: +1.")  # though their intervals overlap
    assert mean_interval(better.accuracies)[0] < mean_interval(base.accuracies)[1]
    assert result.error_of_all == 0.3
    assert [each.epochs_to(0.3) for each in result.variants] == [2, 2, 2]
    assert base.epochs_to(0.1) is None


LARGEST = (0.95, 0.96, 0.94)


@pytest.mark.parametrize(
    ("middle", "failed", "answer"),
    [
        ((0.952, 0.957, 0.941), None, "middle is enough, as far as this can tell: it is not told "),
        ((0.91, 0.921, 0.90), None, "large, the most, may not be enough: middle is worse."),
        ((0.952, 0.957, 0.941), "middle", "large, the most, may not be enough: middle did not al"),
    ],
)
def test_how_many_are_enough_is_told_beside_the_largest(middle, failed, answer):
    """A network of which a training failed has a wide interval, and is not enough for that."""
    small = (0.1, 0.9, 0.95)
    result = result_of("filters", failed, small=small, middle=middle, large=LARGEST)
    assert result.base.name == "large"
    assert result.verdict(result.variants[0]).startswith("not told apart")
    result = result_of("filters", failed or "small", small=small, middle=middle, large=LARGEST)
    assert result.answer.startswith(answer)
    assert ("Small did not always learn." in result.answer) == answer.startswith("middle")
    assert f"1 of 3 trainings of {failed or 'small'} did not learn." in result.answer


def test_the_room_that_an_interval_leaves_is_stated():
    result = result_of("depth", one=(0.949, 0.96, 0.942), two=LARGEST)
    low, high = mean_interval([-0.001, 0, 0.002])
    assert low < 0 < high
    assert f"leaves room for {-100 * low:.1f} points less." in result.answer
    assert result.answer.startswith("one is enough")
    result = result_of("depth", one=(0.93, 0.98, 0.93), two=LARGEST)
    assert result.answer.startswith("one is not told apart from two, but the interval leaves room")
    assert "more seeds would tell." in result.answer


def test_a_study_trains_runs_that_are_not_repeated(command, tmp_path):
    words = ("study", "activation", "digits", "--seeds", 2, "--epochs", 1, "-o", tmp_path / "out")
    done = command(*words, "--json")
    payload = json.loads(done.stdout)
    assert "4 of 4 trainings" in done.stderr
    assert [each["name"] for each in payload["variants"]] == ["relu", "tanh"]
    runs = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert runs == ["relu-0", "relu-1", "tanh-0", "tanh-1"]
    test = json.loads((tmp_path / "out" / "relu-1" / "test.json").read_text())
    assert payload["variants"][0]["accuracies"][1] == test["top1"]
    again = command(*words)
    assert "trainings" not in again.stderr
    assert "beside relu" in again.stdout
    assert payload["answer"] in again.stdout
    assert payload["beside"] == "relu"
    report = (tmp_path / "out" / "report.html").read_text()
    assert report.count("<svg") == 3
    first = payload["variants"][0]
    assert first["connections"] > first["multiply_adds"]
    assert [len(each["maps"]) for each in first["shifts"]] == [3, 3]  # 0 to 2 pixels of 8
    kept = (tmp_path / "out" / "relu-0.shifts.json").read_text()
    assert json.loads(kept)["answers"] == first["shifts"][0]["answers"]
    assert "tanh" in report
    other = command("study", "activation", "digits", "--seeds", 2, "-o", tmp_path / "out", code=2)
    assert "was trained for 1 epochs, not 5" in other.stderr


def test_connections_are_those_of_the_lectures_arithmetic(tmp_path):
    counts = {}
    for variant in make_variants("sharing", 3, (32, 32)):
        path = tmp_path / "net.toml"
        path.write_text(variant.table)
        net = convscope.create_model(str(path), num_classes=10).eval()
        counts[variant.name] = count_connections(operations(net, torch.zeros(1, 3, 32, 32)))
    tail = (8 * 28 * 28 + 1) * 10
    assert counts["convolution"] == counts["locally-connected"]
    assert counts["convolution"] - tail == 28 * 28 * 8 * (5 * 5 * 3 + 1)
    assert counts["dense"] - tail == 28 * 28 * 8 * (32 * 32 * 3 + 1)
    pool = nn.Sequential(nn.MaxPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(1))
    assert count_connections(operations(pool, torch.zeros(1, 2, 8, 8))) == 2 * 16 * 9 + 2 * 16


def test_maps_of_a_convolution_move_with_the_image_and_those_of_a_dense_layer_do_not():
    """A law: without padding, a convolution commutes with shifts."""
    torch.manual_seed(0)
    images = F.avg_pool2d(torch.randn(12, 1, 16, 16), 3, 1, 1)
    tail = nn.Flatten(), nn.Linear(8 * 12 * 12, 10)
    conv = nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(inplace=True), *tail).eval()
    dense = nn.Sequential(nn.Flatten(), nn.Linear(256, 8 * 12 * 12), nn.ReLU(), tail[1]).eval()
    moved, lost = (measure_shifts(net, images, (8, 12, 12)) for net in (conv, dense))
    assert moved.maps == pytest.approx((1.0,) * 5, abs=1e-9)
    assert max(map(abs, lost.maps[1:])) < 0.1
    pooled = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(196, 3))
    by = measure_shifts(pooled.eval(), images, (1, 1, 1)).maps
    assert by[2] == pytest.approx(1, abs=1e-9) == by[4]
    assert by[1] < 0.98 > by[3]  # between the windows
    constant = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten(), nn.Linear(196, 3)).eval()
    nn.init.zeros_(constant[2].weight)
    assert measure_shifts(constant, images, (1, 1, 1)).answers == (1.0,) * 5


def test_shifts_repeat_the_border_and_interpolate():
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    moved = np.pad(image.numpy()[0, 0], 2, mode="edge")[1:4, 4 - 1 : 8 - 1]
    assert shifted(image, (1, -1))[0, 0].tolist() == moved.tolist()
    half = shifted(image, (0, 0.5))[0, 0, 0]
    assert half.tolist() == [0.0, 0.5, 1.5, 2.5]


def test_a_wrong_request_is_named():
    with pytest.raises(RequestError, match=r"no study 'width'\. Choose one of sharing"):
        convscope.study("width", "digits")
    with pytest.raises(RequestError, match="`seeds` must be from 2 to 10"):
        convscope.study("depth", "digits", seeds=1)
