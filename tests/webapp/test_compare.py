"""Runs and networks side by side: results, settings that differ, and caveats."""

import copy
import json

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from starlette.testclient import TestClient

from convscope.evaluation.multi_label import MultiLabelMetrics
from convscope.runs.live_files import Live
from convscope.runs.step_table import COLUMNS
from convscope.webapp.jobs.jobs import TrainingJobs
from tests.webapp.fakes import fake_run, lab, step_history


def ask(folder, runs=(), networks=(), **given):
    known = TrainingJobs(folder, **given)
    api = TestClient(lab(known), raise_server_exceptions=False)
    return api.get("/api/compare", params={"runs": list(runs), "networks": list(networks)})


def sentences(folder, *names):
    return ask(folder, names).json()["caveats"]


# Networks.


TABLE = """input = "1x32x32"
layers = '''
layer      filters  size  stride  activation
conv1            6     5       1  tanh
avgpool1         .     2       2  .
conv2           16     5       1  tanh
avgpool2         .     2       2  .
conv3          120     5       1  tanh
fc1             84     .       .  tanh
fc2        CLASSES     .       .  .
'''
"""


def test_a_table_that_the_lab_was_given_is_compared_as_it_is_now(tmp_path):
    path = tmp_path / "small.toml"
    for classes, parameters in ((10, 61_706), (1000, 61_706 + 990 * 85)):
        path.write_text(TABLE.replace("CLASSES", str(classes)))
        answer = ask(tmp_path, networks=["small.toml", "lenet5"], models=[str(path)])
        data = answer.json()["networks"][0]
        assert (data["name"], data["parameters"]) == ("small.toml", parameters)


# Refused.


@pytest.mark.parametrize(
    ("runs", "networks", "message"),
    [
        ([], [], "2 to 8"),
        (["a"], [], "2 to 8"),
        (["a", "a"], [], "2 to 8"),
        ([], [f"vgg{n}" for n in range(9)], "2 to 8"),
        (["a", "gone"], [], "no run 'gone'"),
        (["a", "../a"], [], "no run '../a'"),
        (["a"], ["resnet19"], "Did you mean 'resnet1"),
        (["a"], ["os:system"], "no network 'os:system'"),
        (["a"], ["."], "no network '.'"),
        (["a"], ["RUN"], "no network '/"),
    ],
)
def test_an_invalid_comparison_is_refused_with_a_message(tmp_path, runs, networks, message):
    run = fake_run(tmp_path / "a")
    networks = [name.replace("RUN", str(run.path)) for name in networks]
    answer = ask(tmp_path, runs, networks)
    assert answer.status_code == 404
    assert message in answer.json()["message"]


# Runs.


def test_a_compared_run_of_several_labels_counts_the_images_with_every_label_right(tmp_path):
    run = fake_run(tmp_path / "a", metrics=1, test=(1, 4))
    shares = np.array([[0.9, 0.2], [0.6, 0.7], [0.1, 0.8]])
    metrics = MultiLabelMetrics.of(
        shares,
        np.array([[1, 0], [1, 0], [0, 1]], bool),
        shares >= 0.5,
        classes=("cat", "dog"),
        loss=0.5,
    )
    run.write("test.json", metrics.to_json())
    fake_run(tmp_path / "b")
    data, _ = ask(tmp_path, ["a", "b"]).json()["runs"]
    assert (data["test"]["num_correct"], data["test"]["images"]) == (2, 3)
    assert data["test"]["map"] == pytest.approx(metrics.map)


def test_a_compared_run_has_all_its_results(tmp_path):
    run = fake_run(tmp_path / "a", metrics=4, test=(1, 4), now={"state": "done"})
    Live(run.path).write_step_history(step_history([3.0, 2.0]))
    fake_run(tmp_path / "b")
    data, other = ask(tmp_path, ["a", "b"]).json()["runs"]
    assert (data["parameters"], data["multiply_adds"]) == (61_706, 416_520)
    assert data["is_counted"] is True
    assert (data["epochs"], data["steps"], data["seconds"]) == (4, 40, 8.0)
    assert data["val_top1"] == 0.9
    assert len(data["metrics"]) == 4
    # 4 epochs of equal length at 100, 300, 100 and 300 images per second: twice 400 in 4 + 4/3 s
    assert data["images_per_second"] == pytest.approx(800 / (4 + 4 / 3))
    assert (data["test"]["num_correct"], data["test"]["images"], data["test"]["top1"]) == (
        1,
        4,
        0.25,
    )
    # Wilson, 1927, by hand for one of four
    z2 = 1.959963984540054**2
    center, root = 1 + z2 / 2, (z2 * (z2 / 4 + 4 * 0.25 * 0.75)) ** 0.5
    assert data["test"]["low"] == pytest.approx((center - root) / (4 + z2))
    assert data["test"]["high"] == pytest.approx((center + root) / (4 + z2))
    assert data["series"]["columns"] == list(COLUMNS)
    assert [row[2] for row in data["series"]["rows"]] == [3.0, 2.0]
    assert other["test"] is other["series"] is other["images_per_second"] is None


def test_a_network_that_cannot_be_built_has_no_costs(tmp_path):
    fake_run(tmp_path / "a", model="no_such_module_here:net")
    fake_run(tmp_path / "b")
    answer = ask(tmp_path, ["a", "b"])
    assert answer.status_code == 200
    assert [run["multiply_adds"] for run in answer.json()["runs"]] == [None, 416_520]


def test_settings_that_differ_come_first(tmp_path):
    fake_run(tmp_path / "a", lr=0.1, clip_grad_norm=1.0)
    fake_run(tmp_path / "b", lr=0.2, clip_grad_norm=0.0, seed=3)
    rows = ask(tmp_path, ["a", "b"]).json()["settings"]
    differing = [row for row in rows if row["differs"]]
    assert rows[: len(differing)] == differing
    found = {row["name"]: row["values"] for row in differing}
    assert found == {"lr": [0.1, 0.2], "clip_grad_norm": [1.0, 0.0], "seed": [0, 3]}
    names = [row["name"] for row in rows]
    assert len(names) == len(set(names))
    assert {"data", "momentum", "fingerprint", "threads used", "torch"} <= set(names)
    by_name = {row["name"]: row for row in rows}
    assert by_name["fingerprint"]["values"] == ["abababababab"] * 2
    assert by_name["momentum"]["help"] == "Momentum of SGD and RMSprop."
    assert by_name["early_stopping_patience"]["group"] == "Length"
    assert by_name["steps"]["values"] == [None, None]


def test_a_rate_that_was_set_by_hand_is_a_setting_that_differs(tmp_path):
    said = ["0.05 to 0.01 after step 812", "0.01 to 0.002 after step 900"]
    for name in ("a", "b"):
        fake_run(tmp_path / name, metrics=3)
    path = tmp_path / "b" / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[0]["lr_changes"], lines[2]["lr_changes"] = said
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    [first, *_] = ask(tmp_path, ["a", "b"]).json()["settings"]
    assert first["name"] == "learning rate set by hand"
    assert (first["values"], first["differs"]) == ([None, "; ".join(said)], True)


def test_a_setting_that_an_older_run_does_not_name_is_its_default(tmp_path):
    run = fake_run(tmp_path / "a")
    config = copy.deepcopy(run.read_config())
    del config["momentum"]
    run.write_config(config)
    fake_run(tmp_path / "b", freeze_bn=False)
    rows = {row["name"]: row for row in ask(tmp_path, ["a", "b"]).json()["settings"]}
    assert rows["momentum"]["values"] == [0.9, 0.9]
    assert not rows["momentum"]["differs"]
    assert rows["freeze_bn"]["values"] == [False, False]


# What does not compare.

DONE = {"state": "done"}


def test_comparable_runs_without_tests_have_no_caveats(tmp_path):
    for name in "ab":
        fake_run(tmp_path / name, now=DONE)
    assert sentences(tmp_path, "a", "b") == []


def test_other_data_do_not_compare(tmp_path):
    for name in "ab":
        fake_run(tmp_path / name, now=DONE, test=(9, 10))
    other = {"name": "mnist", "fingerprint": "cd" * 16}
    fake_run(tmp_path / "c", now=DONE, test=(1, 100), dataset=other)
    said = sentences(tmp_path, "a", "b", "c")
    assert said[0].startswith("The data differ (a and b: digits; c: mnist)")
    assert said[1:] == ["The intervals overlap: these tests do not show a difference."]
    assert sentences(tmp_path, "a", "c")[1:] == []


def test_other_test_images_of_the_same_data_do_not_compare(tmp_path):
    fake_run(tmp_path / "a", now=DONE, test=(9, 10))
    fake_run(tmp_path / "b", now=DONE, test=(9, 10), test_image="e")
    (said,) = sentences(tmp_path, "a", "b")
    assert "tested on different images" in said


def test_other_measures_of_the_best_do_not_compare(tmp_path):
    fake_run(tmp_path / "a", now=DONE)
    fake_run(tmp_path / "b", now=DONE, metric="loss")
    (said,) = sentences(tmp_path, "a", "b")
    assert "(a: top1; b: loss)" in said


def test_a_run_that_is_not_at_its_end_is_named(tmp_path):
    fake_run(tmp_path / "a", now={"state": "training"}, metrics=2)
    fake_run(tmp_path / "b", now={"state": "stopped"}, metrics=3)
    fake_run(tmp_path / "c", now={"state": "failed"}, metrics=1)
    assert sentences(tmp_path, "a", "b", "c") == [
        "a has not finished: its results will change.",
        "b was stopped after epoch 3 and was not tested.",
        "c failed after epoch 1 and was not tested.",
    ]


def test_overlapping_intervals_show_no_difference(tmp_path):
    # 95% intervals: 97 of 100 is 91.5 to 99.0, 85 of 100 is 76.7 to 90.7, 92 of 100 is 85.0 to 95.9
    for name, hits in (("high", 97), ("low", 85), ("middle", 92)):
        fake_run(tmp_path / name, now=DONE, test=(hits, 100))
    apart = "The intervals do not overlap: the results differ significantly."
    close = "The intervals overlap: these tests do not show a difference."
    assert sentences(tmp_path, "high", "low") == [apart]
    assert sentences(tmp_path, "high", "middle") == [close]
    assert sentences(tmp_path, "low", "middle") == [close]
    (said,) = sentences(tmp_path, "high", "low", "middle")
    assert "high and middle; low and middle." in said
    assert "high and low" not in said
