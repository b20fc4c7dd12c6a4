"""Trainings of a lab: listed, shown, started in processes that outlive it, and controlled."""

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w
import torch

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

import itertools

from starlette.testclient import TestClient

from convscope.errors import RequestError
from convscope.runs import index, status
from convscope.runs.folder import Run
from convscope.runs.live_files import Live
from convscope.runs.network import load_network
from convscope.runs.tensor_file import TensorFile
from convscope.training.config import TrainConfig
from convscope.training.folds.folder import Request
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs import jobs as module
from convscope.webapp.jobs import processes
from convscope.webapp.jobs import sources as given
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.zoo import create_model
from tests.forked import FORKS, ForkedPopen
from tests.webapp.fakes import fake_run, lab, line, result_of_test, wait_for, write_status

ENDED = ("done", "failed", "stopped", "interrupted")


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def _forked(monkeypatch):
    """Start trainings by forking a process that has done the imports, which takes seconds less."""
    monkeypatch.setattr(processes.subprocess, "Popen", ForkedPopen)


def client(jobs, store=None):
    return TestClient(lab(jobs, store), raise_server_exceptions=False)


def status_of(jobs, name):
    return jobs.status(name, jobs.path(name))


def state_of(jobs, name):
    return status_of(jobs, name).state


def made_at(run, seconds):
    os.utime(run.path / "config.toml", (seconds, seconds))


def test_on_windows_a_training_has_no_console_whose_ctrl_c_would_end_it(tmp_path, monkeypatch):
    started = []

    class Started:
        def __init__(self, _words, **options):
            started.append(options["creationflags"])

        def wait(self):
            return 0

    monkeypatch.setattr(processes.subprocess, "Popen", Started)
    monkeypatch.setattr(processes.subprocess, "DETACHED_PROCESS", 8, raising=False)
    processes.Processes(tmp_path).start("run", ["train"])
    assert started == [8]


# Listed.


def test_the_runs_of_a_folder_are_listed_the_newest_first(tmp_path):
    old = fake_run(tmp_path / "old", metrics=3, test=(97, 100))
    new = fake_run(tmp_path / "new", now={"state": "training", "step": 5}, model="resnet20_cifar")
    made_at(old, 1_000_000_000)
    made_at(new, 1_500_000_000)
    (tmp_path / "notes").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "config.toml").touch()
    first, second = client(TrainingJobs(tmp_path)).get("/api/runs").json()["runs"]
    assert (first["name"], first["title"]) == ("new", "resnet20_cifar on digits")
    assert (first["state"], first["steps"], first["epochs"]) == ("training", 5, 0)
    assert first["val_top1"] is first["test_top1"] is None
    assert (second["name"], second["state"], second["epochs"], second["steps"]) == (
        *("old", "done", 3, 30),
    )
    assert second["val_top1"] == 0.9  # of the second epoch, the last that was the best
    assert second["test_top1"] == 0.97
    assert second["parameters"] == 61_706  # the lecture's LeNet-5
    assert second["when"].startswith("2001-09-")


def test_a_cross_validation_is_listed_with_its_folds_and_its_summary(tmp_path):
    fake_run(tmp_path / "alone")
    request = Request("digits", TrainConfig(), 3, 1, "digits", 12, "0" * 32)
    folder = tmp_path / "cv"
    first = fake_run(folder / "fold-1", metrics=3, test=(97, 100))
    fake_run(folder / "fold-2", now={"state": "training", "step": 5})
    (folder / "cross-validation.toml").write_text(tomli_w.dumps(request.to_dict()))
    for name in ("predictions.csv", "report.html"):
        first.write(name, "")
    jobs = TrainingJobs(tmp_path)
    answer = client(jobs).get("/api/runs").json()
    assert {run["name"] for run in answer["runs"]} == {"alone", "cv_fold-1", "cv_fold-2"}
    [folds] = answer["folds"]
    assert (folds["title"], folds["finished"], folds["count"]) == ("lenet5 on digits", 1, 3)
    assert folds["runs"] == [
        {"run": "cv_fold-1", "fold": "fold-1"},
        {"run": "cv_fold-2", "fold": "fold-2"},
    ]
    assert folds["summary"] == ""
    (folder / "summary.txt").write_text("fold 1  97%")
    assert jobs.list_folds()[0]["summary"] == ""  # until summary.json is there, which is the last
    (folder / "summary.json").write_text("{}")
    assert jobs.list_folds()[0]["summary"] == "fold 1  97%"
    assert client(jobs).get("/api/runs/cv_fold-1").json()["test"]["top1"] == 0.97
    (folder / "cross-validation.toml").write_text("folds = ")
    answer = client(TrainingJobs(tmp_path)).get("/api/runs").json()
    assert (len(answer["runs"]), answer["folds"]) == (1, [])


@pytest.mark.parametrize(("task", "metric"), [("multi-label", "map"), ("ordinal", "kappa")])
def test_a_run_is_listed_by_the_metric_of_its_task(tmp_path, task, metric):
    run = fake_run(tmp_path / "run", metrics=2, test=(97, 100))
    run.write("card.json", replace(run.read_card(), task=task).to_json())
    run.write_metrics([{**line(epoch), f"val_{metric}": epoch / 4} for epoch in (1, 2)])
    if task == "ordinal":
        run.write("test.json", json.dumps({**result_of_test(97, 100), "task": task, "kappa": 0.6}))
    [row] = client(TrainingJobs(tmp_path)).get("/api/runs").json()["runs"]
    assert (row["task"], row["metric"], row["val_value"]) == (task, metric, 0.5)
    assert row["test_value"] == (0.6 if task == "ordinal" else None)
    shown = client(TrainingJobs(tmp_path)).get("/api/runs/run").json()
    assert (shown["task"], shown["metric"]) == (task, metric)


def test_parameters_are_those_of_the_networks_own_size(tmp_path):
    fake_run(tmp_path / "a", model="resnet20_cifar")
    net = create_model("resnet20_cifar", num_classes=10, in_channels=1, input_size=(32, 32))
    expected = sum(weight.numel() for weight in net.parameters())
    assert index.count_parameters(tmp_path / "a") == expected


def test_a_list_of_runs_imports_no_user_code(tmp_path, monkeypatch):
    (tmp_path / "trap_of_a_stranger.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    fake_run(tmp_path / "a", model="trap_of_a_stranger:net")
    api = client(TrainingJobs(tmp_path))
    assert api.get("/api/runs").json()["runs"][0]["parameters"] is None
    assert api.get("/api/runs/a").status_code == 200
    assert "trap_of_a_stranger" not in sys.modules


def test_a_run_given_by_hand_keeps_its_name_or_gets_a_number(tmp_path):
    inside = fake_run(tmp_path / "runs" / "a")
    outside = fake_run(tmp_path / "other" / "a", epochs=7)
    found = TrainingJobs(tmp_path / "runs", runs=[outside.path, inside.path]).paths()
    assert found == {"a": inside.path, "a-2": outside.path}


def test_a_path_that_is_no_run_cannot_be_given(tmp_path):
    with pytest.raises(RequestError, match="not a run folder"):
        TrainingJobs(tmp_path, runs=[tmp_path])


def test_a_damaged_run_is_listed_with_what_can_be_read(tmp_path):
    run = fake_run(tmp_path / "a", metrics=2, test=(3, 4))
    run.write("metrics.jsonl", "{ no JSON")
    run.write("test.json", '{"top1": 1.0}')
    run.write("card.json", "[]")
    (data,) = client(TrainingJobs(tmp_path)).get("/api/runs").json()["runs"]
    assert (data["state"], data["val_top1"], data["parameters"]) == ("stopped", None, None)
    assert client(TrainingJobs(tmp_path)).get("/api/runs/a").status_code == 200


def test_a_file_that_changed_is_read_again(tmp_path):
    run = fake_run(tmp_path / "a", metrics=1)
    assert len(index.read_metrics(run.path)) == 1
    run.write_metrics([line(epoch) for epoch in range(1, 4)])
    assert len(index.read_metrics(run.path)) == 3


def test_many_evaluations_are_thinned_to_the_best_and_the_last():
    lines = [{"epoch": n, "best": n == 77} for n in range(5000)]
    kept = [one["epoch"] for one in index.thin_metrics(lines, max_lines=100)]
    assert len(kept) <= 100
    assert {0, 77, 4999} <= set(kept)
    assert kept == sorted(kept)
    assert max(b - a for a, b in itertools.pairwise(kept)) <= 52


def test_details_show_the_last_lines_of_the_log(tmp_path):
    run = fake_run(tmp_path / "a")
    run.write("log.txt", "".join(f"line {n}\n\n" for n in range(9000)))
    log = TrainingJobs(tmp_path).details("a")["log"]
    assert log == [f"line {n}" for n in range(8980, 9000)]


# Status.


def test_a_run_without_a_status_is_done_if_it_was_tested(tmp_path):
    fake_run(tmp_path / "a", test=(3, 4))
    fake_run(tmp_path / "b", metrics=1)
    jobs = TrainingJobs(tmp_path)
    assert [state_of(jobs, name) for name in "ab"] == ["done", "stopped"]


@pytest.mark.parametrize("word", ["training", "paused", "evaluating", "testing"])
def test_a_silent_run_is_interrupted_only_if_it_is_not_locked(tmp_path, word):
    run = fake_run(tmp_path / "a", now={"state": word, "saved_step": 1200}, age=60)
    with run.locked():
        assert state_of(TrainingJobs(tmp_path), "a") == word
    jobs = TrainingJobs(tmp_path)
    found = status_of(jobs, "a")
    assert found.state == "interrupted"
    assert "1,200" in found.message
    with run.locked():  # who looked holds nothing
        write_status(run.path, {"state": word})
        assert state_of(jobs, "a") == word


@pytest.mark.parametrize("word", ["done", "stopped", "failed"])
def test_a_final_state_stays(tmp_path, word):
    fake_run(tmp_path / "a", now={"state": word, "message": "So it is."}, age=9999)
    assert status_of(TrainingJobs(tmp_path), "a")[:2] == (word, "So it is.")


def test_a_locked_run_without_a_status_is_starting(tmp_path):
    run = fake_run(tmp_path / "a")
    with run.locked():
        assert state_of(TrainingJobs(tmp_path), "a") == "starting"


def test_numbers_that_are_not_finite_are_null_in_the_api(tmp_path):
    run = fake_run(tmp_path / "a", now={})
    Live(run.path).write_now({"state": "failed", "loss": float("nan")})
    run.write_metrics([{**line(1), "train_loss": float("inf")}])
    data = client(TrainingJobs(tmp_path)).get("/api/runs/a").json()
    assert data["now"]["loss"] is None
    assert data["metrics"][0]["train_loss"] is None
    assert data["settings"]["epochs"] == 30
    assert "machine" not in data["settings"]


# Refused.


@pytest.mark.parametrize(
    "name", ["gone", "..", "%2e%2e", "..%2fother%2fa", "a%2flive", "%00", "a%5c.."]
)
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    fake_run(tmp_path / "runs" / "a")
    fake_run(tmp_path / "other" / "a", test=(3, 4))
    api = client(TrainingJobs(tmp_path / "runs"))
    for way in ("", "/events", "/look", "/batch.bin", "/filters"):
        answer = api.get(f"/api/runs/{name}{way}")
        assert answer.status_code == 404
        assert "top1" not in answer.text
    for way in ("/commands", "/resume", "/open"):
        assert api.post(f"/api/runs/{name}{way}", json={"command": "stop"}).status_code == 404


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"settings": {"epoch": 3}}, "Did you mean 'epochs'"),
        ({"settings": {"lr": -1}}, "lr must be above 0"),
        ({"settings": {"epochs": "many"}}, "epochs must be an integer"),
        ({"settings": {"epochs": 10**400}}, "epochs must be"),
        ({"settings": {"optimizer": "adm"}}, "'sgd' or 'adamw'"),
        ({"settings": {"arch": "os:system"}}, "Unknown setting 'arch'"),
        ({"settings": {"data_path": "/etc"}}, "Unknown setting 'data_path'"),
        ({"settings": {"steps": 3, "max_minutes": 1}}, "choose one"),
        ({"settings": {"model": "/etc/net.toml"}}, "no network '/etc/net.toml'"),
        ({"settings": {"model": "os:system"}}, "no network 'os:system'"),
        ({"settings": {"model": "lenet"}}, "Did you mean 'lenet5'"),
        ({"settings": {"weights": "/etc/passwd"}}, "no run '/etc/passwd'"),
        ({"settings": {"weights": "http://example.org/a.pt"}}, "no run 'http"),
        ({"settings": {"data_dir": "/etc"}}, "data_dir cannot be set from the page"),
        ({"settings": {"freeze": "\ud800"}}, "surrogates not allowed"),
        ({"data": "/etc"}, "no data '/etc'"),
        ({"data": "."}, "no data '.'"),
        ({"data": "digit"}, "Did you mean 'digits'"),
        ({"name": "../a"}, "is not a valid name"),
        ({"name": ""}, "is not a valid name"),
        ({"name": "a b"}, "is not a valid name"),
        ({"name": "taken"}, "There is already a run taken"),
        ({"name": "plain"}, "There is already a run plain"),
        ({"out": "here"}, "not permitted"),
        ({"settings": []}, "valid dictionary"),
    ],
)
def test_an_invalid_request_is_refused_before_a_process_starts(tmp_path, body, message):
    fake_run(tmp_path / "taken")
    (tmp_path / "plain").mkdir()
    jobs = TrainingJobs(tmp_path)
    text = json.dumps({"data": "digits", **body})
    json_type = {"content-type": "application/json"}
    answer = client(jobs).post("/api/runs", content=text, headers=json_type)
    assert answer.status_code == 422
    assert message in answer.json()["message"]
    assert not jobs.processes._own
    assert jobs.processes.pending() == []


def test_too_many_trainings_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_RUNNING", 2)
    for name in "ab":
        fake_run(tmp_path / name, now={"state": "training"})
    with pytest.raises(RequestError, match="2 trainings are running"):
        TrainingJobs(tmp_path).start("digits", {})


@pytest.mark.parametrize("word", ["done", "stopped", "failed"])
def test_an_ended_run_takes_no_commands(tmp_path, word):
    fake_run(tmp_path / "a", now={"state": word})
    answer = client(TrainingJobs(tmp_path)).post("/api/runs/a/commands", json={"command": "pause"})
    assert answer.status_code == 404
    assert f"a is {word}" in answer.json()["message"]


def test_a_command_is_written_with_its_id(tmp_path):
    fake_run(tmp_path / "a", now={"state": "training"})
    api = client(TrainingJobs(tmp_path))
    number = api.post("/api/runs/a/commands", json={"command": "resume"}).json()["id"]
    wish = json.loads((tmp_path / "a" / "live" / "command.json").read_text())
    assert wish == {"id": number, "command": "resume"}
    assert api.post("/api/runs/a/commands", json={"command": "explode"}).status_code == 422


@pytest.mark.parametrize("word", ["done", "training", "paused"])
def test_only_a_stopped_run_can_be_resumed(tmp_path, word):
    fake_run(tmp_path / "a", now={"state": word})
    jobs = TrainingJobs(tmp_path)
    with pytest.raises(RequestError, match=f"a is {word}"):
        jobs.resume("a")
    assert not jobs.processes._own


# What may be trained on, and what it is called.


def test_data_are_called_by_their_last_part(tmp_path, image_folder):
    other = tmp_path / "there" / "fruit"
    other.mkdir(parents=True)
    (tmp_path / "mnist").mkdir()
    run = fake_run(tmp_path / "runs" / "a", data=str(other))
    places = [str(image_folder), str(tmp_path / "mnist"), str(image_folder)]
    jobs = TrainingJobs(tmp_path / "runs", data=places)
    assert jobs.sources.local_data([run.path]) == {
        "fruit": str(image_folder),
        "mnist-2": str(tmp_path / "mnist"),
        "fruit-2": str(other),
    }
    data = client(jobs).get("/api/training/form").json()["local_data"]
    assert [one["name"] for one in data] == ["fruit", "mnist-2", "fruit-2"]
    assert data[2]["description"] == "The folder fruit in there"


def test_networks_that_the_lab_was_given_are_called_without_their_folder(tmp_path):
    path = tmp_path / "net.toml"
    offer = given.DataSources([], ["resnet18", str(path), "mine.nets:build"])
    assert offer.models == {"mine.nets:build": "mine.nets:build", "net.toml": str(path)}
    words = offer.checked_settings({"model": "net.toml", "epochs": 3, "lr": None}, Path)
    assert words == {"model": str(path), "epochs": 3}


def test_weights_may_be_those_of_a_run(tmp_path):
    run = fake_run(tmp_path / "a")
    jobs = TrainingJobs(tmp_path)
    assert jobs.sources.checked_settings({"weights": "a"}, jobs.path) == {"weights": str(run.path)}
    hub = {"weights": "torchvision:resnet18"}
    assert jobs.sources.checked_settings(hub, jobs.path) == hub


def test_a_new_run_has_the_name_that_train_would_give_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    by_verb = Run.create(None, name="lenet5_digits").path.name
    jobs = TrainingJobs(tmp_path / "runs")
    (tmp_path / "runs" / by_verb).rmdir()
    assert jobs._name(None, "lenet5", "digits") == (by_verb, False)
    fake_run(tmp_path / "runs" / by_verb)
    assert jobs._name(None, "lenet5", "digits") == (f"{by_verb}-2", False)
    folder = tmp_path / "my fruit"
    folder.mkdir()
    name, _ = jobs._name(None, str(tmp_path / "small.toml"), str(folder))
    assert name.endswith("_small_my-fruit")


# Started.


def test_a_training_from_the_page_equals_one_from_the_command_line(tmp_path, command):
    jobs = TrainingJobs(tmp_path / "runs")
    api = client(jobs)
    settings = {"steps": 2, "lr": 0.01, "engine": "torch"}  # auto may choose two in two runs
    body = {"data": "digits", "settings": settings, "name": "page"}
    assert api.post("/api/runs", json=body).json() == {"run": "page", "message": ""}
    pid = jobs.processes._own["page"].pid
    assert api.get("/api/runs/page").json()["state"] == "starting"
    second = api.post("/api/runs", json={**body, "name": "other"}).json()
    assert second["message"] == "page is running too: they slow each other down."
    assert api.post("/api/runs", json=body).status_code == 422  # the name is taken at once
    assert wait_for(lambda: all(state_of(jobs, n) == "done" for n in ("page", "other")))
    data = api.get("/api/runs/page").json()
    assert (data["settings"]["steps"], data["settings"]["lr"]) == (2, 0.01)
    assert data["title"] == "lenet5 on digits"
    assert data["metrics"][-1]["step"] == 2
    assert any(text.startswith("Test accuracy") for text in data["log"])
    assert wait_for(lambda: jobs.processes._own["page"].returncode == 0)
    with pytest.raises(ChildProcessError):  # no zombie waits
        os.waitpid(pid, os.WNOHANG)
    out = tmp_path / "by_hand"
    command("train", "digits", "--steps", 2, "--lr", 0.01, "--engine", "torch", "--out", out)
    one, two = (Run(path).read_weights().tensors for path in (tmp_path / "runs" / "page", out))
    assert all(one[name].equal(two[name]) for name in two)


def run_lab(folder, started):
    os.setsid()
    TrainingJobs(folder).start("digits", {"model": "lenet5", "steps": 40}, name="alone")
    started.set()
    time.sleep(600)


def test_a_training_outlives_the_lab_that_started_it(tmp_path):
    started = FORKS.Event()
    first_lab = FORKS.Process(target=run_lab, args=(tmp_path, started), daemon=True)
    first_lab.start()
    assert started.wait(120)
    os.killpg(first_lab.pid, signal.SIGKILL)  # as when its terminal is closed
    first_lab.join()
    jobs = TrainingJobs(tmp_path)
    assert state_of(jobs, "alone") not in ENDED
    assert jobs.details("alone")["title"] == "lenet5 on digits"
    assert wait_for(lambda: state_of(jobs, "alone") in ENDED)
    assert state_of(jobs, "alone") == "done"


@pytest.mark.usefixtures("_forked")
def test_a_training_that_failed_early_says_why_also_in_the_next_lab(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    jobs = TrainingJobs(tmp_path / "runs", data=[str(empty)])
    jobs.start("empty", {}, name="a")
    assert wait_for(lambda: state_of(jobs, "a") == "failed")
    assert not (tmp_path / "runs" / "a").exists()
    for other in (jobs, TrainingJobs(tmp_path / "runs")):
        data = other.details("a")
        assert data["state"] == "failed"
        assert str(empty) in data["message"]
        assert not data["message"].startswith("convscope")
        assert [one["name"] for one in other.list_runs()] == ["a"]
    with pytest.raises(RequestError, match="never started"):
        jobs.resume("a")
    jobs.start("digits", {"steps": 1}, name="a")  # its name is free for another try
    assert wait_for(lambda: state_of(jobs, "a") == "done")


@pytest.mark.usefixtures("_forked")
def test_a_run_that_was_deleted_is_gone(tmp_path):
    jobs = TrainingJobs(tmp_path / "runs")
    jobs.start("digits", {"steps": 1}, name="a")
    assert wait_for(lambda: state_of(jobs, "a") == "done")
    (tmp_path / "runs" / "a").rename(tmp_path / "away")
    assert jobs.list_runs() == []


@pytest.mark.usefixtures("_forked")
def test_a_process_killed_before_any_output_has_failed(tmp_path):
    jobs = TrainingJobs(tmp_path)
    jobs.start("digits", {}, name="a")
    jobs.processes._own["a"].kill()
    jobs.processes._own["a"].wait()
    found = status_of(jobs, "a")
    assert found.state == "failed"
    assert found.message == "Its process ended without a message."


@pytest.mark.usefixtures("_forked")
def test_a_killed_training_can_be_resumed_from_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr(status, "_SILENT_SECONDS", 0.3)
    monkeypatch.setattr(status, "_LOCK_SECONDS", 0.0)
    jobs = TrainingJobs(tmp_path)
    jobs.start("digits", {"epochs": 2000, "checkpoint_seconds": 0.1}, name="a")
    assert wait_for(lambda: state_of(jobs, "a") == "training")
    assert wait_for(lambda: (jobs.details("a")["now"]["saved_step"] or 0) > 0)
    jobs.processes._own["a"].kill()
    assert wait_for(lambda: state_of(jobs, "a") == "interrupted")
    before = jobs.details("a")["now"]["saved_step"]
    jobs.resume("a")
    assert state_of(jobs, "a") == "starting"
    with pytest.raises(RequestError, match="a is starting"):
        jobs.resume("a")
    assert wait_for(lambda: state_of(jobs, "a") == "training")
    number = jobs.request("a", "stop")
    assert wait_for(lambda: state_of(jobs, "a") == "stopped")
    now = jobs.details("a")["now"]
    assert now["step"] >= before
    assert now["acknowledged"] == number
    assert wait_for(lambda: not jobs.processes.is_alive("a"))


@pytest.mark.usefixtures("_forked")
def test_a_resume_that_fails_says_why(tmp_path):
    run = fake_run(tmp_path / "a", now={"state": "stopped", "message": "Before."}, age=99)
    jobs = TrainingJobs(tmp_path)
    with run.locked():
        jobs.resume("a")
        assert wait_for(lambda: state_of(jobs, "a") == "failed")
    assert "written by another process" in status_of(jobs, "a").message
    assert "written by another process" in TrainingJobs(tmp_path).details("a")["message"]
    write_status(run.path, {"state": "done"})  # what it tells later counts again
    assert state_of(jobs, "a") == "done"


# Opened.


@pytest.fixture
def weighted(tmp_path):
    run = fake_run(tmp_path / "runs" / "a")
    put_weights(run, 0)
    return run


def put_weights(run, seed):
    torch.manual_seed(seed)
    net = create_model("lenet5", num_classes=10, in_channels=1, input_size=(32, 32))
    run.write_weights(TensorFile(dict(net.state_dict()), {"step": seed}), run.read_card())


def test_a_run_is_opened_once_and_again_for_better_weights(tmp_path, weighted):
    store = ModelStore()
    api = client(TrainingJobs(tmp_path / "runs"), store)
    assert api.post("/api/runs/a/open").json() == {"network": "a"}
    first = store.model("a")
    images = [recorded.id for recorded in first.images]
    assert len(images) == 3
    assert api.post("/api/runs/a/open").json() == {"network": "a"}
    assert store.model("a") is first
    put_weights(weighted, 1)
    assert api.post("/api/runs/a/open").json() == {"network": "a"}
    newer = store.model("a")
    assert list(store.models) == ["a"]
    assert [recorded.id for recorded in newer.images] == images
    expected, _ = load_network(weighted)
    assert newer.net.conv1.weight.equal(expected.conv1.weight)
    assert not newer.net.conv1.weight.equal(first.net.conv1.weight)


def test_a_run_that_the_lab_was_started_with_is_not_opened_twice(tmp_path, weighted):
    store = ModelStore()
    store.open(weighted.path)
    api = client(TrainingJobs(tmp_path / "runs"), store)
    assert api.post("/api/runs/a/open").json() == {"network": "a"}
    assert list(store.models) == ["a"]


def test_a_run_without_weights_is_not_opened(tmp_path):
    fake_run(tmp_path / "a")
    answer = client(TrainingJobs(tmp_path)).post("/api/runs/a/open")
    assert answer.status_code == 404
    assert "has no weights yet" in answer.json()["message"]


def test_a_lock_is_not_tried_twice_in_a_row(tmp_path, monkeypatch):
    fake_run(tmp_path / "a", now={"state": "training"}, age=60)
    jobs = TrainingJobs(tmp_path)
    taken = []
    monkeypatch.setattr(status.filelock.FileLock, "acquire", lambda *_, **__: taken.append(1))
    (tmp_path / "a" / ".lock").touch()
    for _ in range(5):
        state_of(jobs, "a")
    assert len(taken) <= 1
