"""What is logged is read back by each program's own reader; no logger harms a training."""

import csv
import json
import os
import shutil
import signal
import sys
import threading
import time
import types
from importlib import import_module

import pytest
import torch

import convscope
from convscope.errors import Interrupted, RequestError
from convscope.runs.folder import Run
from convscope.runs.tensor_file import load_tensors
from convscope.training.callbacks import loggers as logging_callbacks
from convscope.training.callbacks.base import Callback
from convscope.training.loggers import background, choice
from convscope.training.loggers.base import LoggedRun, Logger, Point, read_id, write_id
from tests.training.mlflow_server import tracking_server
from tests.training.small import Act, train

STEPS, EPOCHS = 30, 3


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run, and another that was killed at step 25, whose checkpoint is of step 15, and resumed.

    The folder of the killed one is a copy of the first as it was at that step.
    """
    pytest.importorskip("tensorboard")
    folder = tmp_path_factory.mktemp("logged")
    whole, killed = folder / "whole", folder / "killed"
    saves = Save(15)
    copy = Act((25, lambda: shutil.copytree(whole, killed)))
    train(whole, log="csv, tensorboard", callbacks=[saves, copy], progress=False)
    convscope.resume(killed, trust=True, progress=False)
    return whole, killed


class Save(Callback):
    """Saves a checkpoint after a step."""

    def __init__(self, step):
        self.step = step

    def on_fit_start(self, state, event):
        self.save = event.save_checkpoint

    def on_step_end(self, state, event):
        if event.step == self.step:
            self.save()


def scalars(run):
    events = import_module("tensorboard.backend.event_processing.event_accumulator")
    read = events.EventAccumulator(
        str(run / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0}
    )
    read.Reload()
    found = {tag: [(e.step, e.value) for e in read.Scalars(tag)] for tag in read.Tags()["scalars"]}
    return found, read


@pytest.mark.parametrize("which", [0, 1])
def test_tensorboard_reads_every_step_and_epoch_once(runs, which):
    found, _ = scalars(runs[which])
    assert [step for step, _ in found["step/loss"]] == [*range(1, STEPS + 1)]
    lines = Run(runs[which]).read_metrics()
    for tag, name in {"train/loss": "train_loss", "val/top1": "val_top1", "lr": "lr"}.items():
        expected = [(line["step"], pytest.approx(line[name], rel=1e-6)) for line in lines]
        assert found[tag] == expected
    test = json.loads((runs[which] / "test.json").read_text())
    assert found["test/top1"] == [(STEPS, pytest.approx(test["top1"], rel=1e-6))]


def test_tensorboard_drops_all_of_a_process_that_was_killed_before_it_saved(tmp_path):
    pytest.importorskip("tensorboard")
    for last in (6, 9):
        logger = import_module("convscope.training.loggers.tensorboard").TensorBoard()
        logger.open(LoggedRun(tmp_path, {"lr": 0.1}, "a run", ["val/top1"], 0))
        logger.log([Point(step, time.time(), {"step/loss": 1.0}) for step in range(1, last)])
        logger.close("finished")
    found, _ = scalars(tmp_path)
    assert [step for step, _ in found["step/loss"]] == [*range(1, 9)]


def test_the_mean_of_the_steps_is_the_loss_of_the_epoch(runs):
    found, _ = scalars(runs[0])
    losses = [value for _, value in found["step/loss"]]
    images = 1259  # in batches of 128
    sizes = [128] * 9 + [images - 9 * 128]
    mean = sum(loss * size for loss, size in zip(losses[:10], sizes, strict=True)) / images
    assert mean == pytest.approx(found["train/loss"][0][1], rel=1e-5)


def test_a_resumed_training_logs_what_an_uninterrupted_one_does(runs):
    whole, resumed = (scalars(run)[0] for run in runs)
    timed = {"seconds", "images_per_second"}
    assert whole.keys() == resumed.keys()
    assert all(whole[tag] == resumed[tag] for tag in whole if tag not in timed)


def test_a_run_is_logged_from_its_resume_on_or_no_more(runs, tmp_path, command):
    whole = scalars(runs[0])[0]
    begun = {}
    for name, log in (("plain", None), ("logged", "tensorboard")):
        begun[name] = tmp_path / name
        stop = Act((25, lambda: os.kill(os.getpid(), signal.SIGINT)))
        with pytest.raises(Interrupted):
            train(begun[name], log=log, callbacks=[stop], progress=False)
    with pytest.raises(RequestError, match="`log` takes csv"):
        convscope.resume(begun["plain"], log="tensorbord", progress=False)
    convscope.resume(begun["plain"], log=["tensorboard"], trust=True, progress=False)
    late = scalars(begun["plain"])[0]
    steps = {step for step, _ in late["val/loss"]}
    assert 0 < len(steps) < len(whole["val/loss"])
    assert late["val/loss"] == [(s, v) for s, v in whole["val/loss"] if s in steps]
    assert Run.open(begun["plain"]).read_config()["log"] == "tensorboard"
    before = scalars(begun["logged"])[0]
    command("resume", begun["logged"], "--log", "none", "--trust")
    assert scalars(begun["logged"])[0] == before
    assert convscope.resume(begun["logged"], progress=False).test.top1 > 0


def test_tensorboard_has_the_settings(runs):
    _, read = scalars(runs[0])
    [event] = read.Tensors("settings/text_summary")
    text = event.tensor_proto.string_val[0].decode()
    for row in ("| data | digits |", "| batch_size | 128 |", "| dataset.train | 1259 |"):
        assert row in text
    assert read.summary_metadata["_hparams_/session_start_info"]


@pytest.mark.parametrize("which", [0, 1])
def test_results_csv_is_metrics_jsonl_as_a_table(runs, which):
    with (runs[which] / "results.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    lines = Run(runs[which]).read_metrics()
    assert rows == [{name: str(value) for name, value in line.items()} for line in lines]
    assert len(rows) == EPOCHS


def test_logging_changes_no_bit(runs, undisturbed):
    mine, theirs = (
        load_tensors(run / "model.safetensors").tensors for run in (runs[0], undisturbed)
    )
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_a_results_csv_that_cannot_be_written_is_told_once(tmp_path):
    notes = Act((1, (tmp_path / "run" / "results.csv").mkdir))
    train(tmp_path / "run", log="csv", callbacks=[notes], progress=False)
    assert sum("results.csv" in note for note in notes.notes) == 1
    assert (tmp_path / "run" / "test.json").exists()


def test_an_unknown_logger_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(RequestError, match=r"`log` takes csv.*not 'tensorbord'.*'tensorboard'\?"):
        train(tmp_path / "run", log="csv,tensorbord")


def test_a_missing_library_names_its_extra_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(choice.PACKAGES, "wandb", "no_such_package")
    (tmp_path / "no_such_package").mkdir()
    monkeypatch.syspath_prepend(tmp_path)  # as a folder of that name in the current one
    with pytest.raises(RequestError, match=r'`pip install "convscope\[wandb\]"`'):
        train(tmp_path / "run", log="csv,wandb")
    assert not (tmp_path / "run").exists()


class Kept(Logger):
    """Keeps what it is given, and can fail, or hang, at a step."""

    title = "Kept"

    def __init__(self, *, fails=None, hangs=None):
        super().__init__()
        self.points, self.calls, self.fails, self.hangs = [], [], fails, hangs

    def open(self, run):
        self.calls.append("open")
        return "a list"

    def write(self, points):
        for point in points:
            if point.step == self.fails:
                raise OSError("the server is gone\nin two lines")
            if point.step == self.hangs:
                time.sleep(60)
            self.points.append(point)

    def flush(self):
        self.calls.append("flush")

    def close(self, ending):
        self.calls.append(ending)


@pytest.fixture
def kept(monkeypatch):
    """Put a logger in the place of W&B's."""

    def install(logger):
        monkeypatch.setitem(logging_callbacks._LOGGERS, "wandb", ("Kept", lambda: logger))
        monkeypatch.setitem(choice.PACKAGES, "wandb", "json")
        return logger

    return install


def test_a_logger_is_opened_flushed_and_closed(kept, tmp_path):
    logger = kept(Kept())
    train(tmp_path / "run", log="wandb", epochs=1, progress=False)
    assert [logger.calls[0], logger.calls[-1]] == ["open", "finished"]
    assert "flush" in logger.calls
    assert [point.step for point in logger.points[:10]] == [*range(1, 11)]
    assert logger.points[-1].values.keys() == {"test/loss", "test/top1", "test/f1", "test/balanced"}


def test_a_failing_logger_is_told_once_and_training_goes_on(kept, tmp_path):
    logger, user = kept(Kept(fails=5)), Act()
    train(tmp_path / "run", log="wandb", callbacks=[user], progress=False)
    told = [note for note in user.notes if note.startswith("Kept")]
    assert told == [
        "Kept logs to a list.",
        "Kept logs no more of this training, which goes on: OSError: the server is gone.",
    ]
    assert len(Run(tmp_path / "run").read_metrics()) == EPOCHS
    assert all(point.step < 5 for point in logger.points)


def test_a_logger_that_hangs_holds_nobody_up(kept, tmp_path, monkeypatch):
    monkeypatch.setitem(background._CLOSING, "finished", 0.1)
    logger, user = kept(Kept(hangs=1)), Act()
    began = time.monotonic()
    train(tmp_path / "run", log="wandb", epochs=1, callbacks=[user], progress=False)
    assert time.monotonic() - began < 50  # of the 60 seconds that it hangs
    assert logger.points == []
    assert "it was not ready 0.1 s after the end" in user.notes[-1]


def test_a_logger_that_cannot_keep_up_is_dropped(monkeypatch):
    monkeypatch.setattr(background, "_WAITING", 3)
    entered = threading.Event()

    class Slow(Kept):
        def write(self, points):
            entered.set()
            time.sleep(60)

    thread = background.Background("Slow", Slow)
    thread.open(LoggedRun(None, {}, "", [], 0))
    thread.log(Point(0, 0.0, {"a": 1.0}))
    assert entered.wait(10)
    for step in range(1, 10):
        thread.log(Point(step, 0.0, {"a": 1.0}))
    assert [text for text in thread.news() if "3 points wait for it" in text]


def test_what_is_not_finite_or_logged_already_is_left_out():
    logger = Kept()
    logger.last = {"a": 3}
    nan, infinity = float("nan"), float("inf")
    logger.log([Point(3, 0.0, {"a": 1.0}), Point(3, 0.0, {"b": 1.0, "c": nan, "d": infinity})])
    logger.log([Point(3, 0.0, {"b": 2.0}), Point(4, 0.0, {"a": 4.0, "b": 4.0})])
    assert [point.values for point in logger.points] == [{"b": 1.0}, {"a": 4.0, "b": 4.0}]


def test_an_id_is_remembered_and_a_damaged_file_refused(tmp_path):
    path = tmp_path / "wandb.json"
    assert read_id(path) == ("", {})
    write_id(path, "abc", {"train/loss": 7})
    assert read_id(path) == ("abc", {"train/loss": 7})
    path.write_text('{"id": 3}')
    with pytest.raises(RequestError, match=r"wandb\.json"):
        read_id(path)


class FakeRun:
    def __init__(self, rows, **words):
        self.id, self.words, self.rows, self.url = words["id"], words, rows, "https://w/r"

    def log(self, values, step):
        self.rows.append((step, values))

    def finish(self, exit_code):
        self.exit_code = exit_code


@pytest.fixture
def wandb(monkeypatch, tmp_path):
    """A stand-in for the package, which is large; and no key."""
    fake = types.ModuleType("wandb")
    fake.runs, fake.rows = [], []

    def init(**words):
        fake.runs.append(FakeRun(fake.rows, **words))
        return fake.runs[-1]

    fake.init, fake.Settings = init, dict
    monkeypatch.setitem(sys.modules, "wandb", fake)
    monkeypatch.setitem(choice.PACKAGES, "wandb", "json")
    monkeypatch.delitem(sys.modules, "convscope.training.loggers.wandb", raising=False)
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT", "WANDB_RUN_ID", "WANDB_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    yield fake
    sys.modules.pop("convscope.training.loggers.wandb", None)


def wandb_logger():
    return import_module("convscope.training.loggers.wandb").WandB()


def test_wandb_without_a_key_is_offline_and_asks_nobody(wandb, tmp_path):
    user = Act()
    train(tmp_path / "run", log="wandb", epochs=1, callbacks=[user], progress=False)
    [run] = wandb.runs
    assert run.words["mode"] == "offline"
    assert run.words["config"]["batch_size"] == 128
    assert run.exit_code == 0
    assert any("wandb sync" in note for note in user.notes)
    assert json.loads((tmp_path / "run" / "wandb.json").read_text())["id"] == run.id


@pytest.mark.parametrize("how", ["key", "netrc", "mode"])
def test_wandb_is_online_where_it_can_log_in_or_is_told_to(wandb, tmp_path, monkeypatch, how):
    if how == "key":
        monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    elif how == "netrc":
        (tmp_path / "netrc").write_text("machine api.wandb.ai login user password key\n")
    else:
        monkeypatch.setenv("WANDB_MODE", "online")
    assert wandb_logger().open(LoggedRun(tmp_path, {}, "", [], 0)) == "https://w/r"
    assert wandb.runs[0].words["mode"] == "online"


def test_wandb_goes_on_with_the_same_run_and_logs_no_step_twice(wandb, tmp_path):
    for first, steps in ((0, range(1, 8)), (5, range(5, 11))):
        logger = wandb_logger()
        logger.open(LoggedRun(tmp_path, {}, "", [], first))
        logger.log([Point(step, 0.0, {"step/loss": 1.0}) for step in steps])
    assert wandb.runs[0].id == wandb.runs[1].id
    assert [step for step, _ in wandb.rows] == [*range(1, 11)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own, of what it uses
def test_mlflow_reads_every_step_once_also_after_a_kill(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/m.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/m.db")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    acts = Act(
        (1, lambda: wait_for(whole / "mlflow.json")), (25, lambda: shutil.copytree(whole, killed))
    )
    train(whole, log="mlflow", callbacks=[Save(15), acts], progress=False)
    client = mlflow.MlflowClient()
    run_id = read_id(whole / "mlflow.json")[0]

    def steps(name):
        return [metric.step for metric in client.get_metric_history(run_id, name)]

    assert steps("step/loss") == [*range(1, STEPS + 1)]
    found = client.get_run(run_id)
    assert found.info.status == "FINISHED"
    assert found.data.params["batch_size"] == "128"
    assert found.data.metrics["test/top1"] == json.loads((whole / "test.json").read_text())["top1"]
    assert client.get_experiment(found.info.experiment_id).name == "convscope"
    convscope.resume(killed, trust=True, progress=False)  # goes on with the same run
    assert sorted(steps("step/loss")) == [*range(1, STEPS + 1)]
    assert steps("val/loss") == [10, 20, 30]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own, of what it uses
def test_mlflow_logs_to_a_server_and_a_resume_sends_no_step_twice(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    with tracking_server() as (store, address):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        mlflow.set_tracking_uri(address)
        acts = Act(
            (1, lambda: wait_for(tmp_path / "run" / "mlflow.json")),
            (15, lambda: os.kill(os.getpid(), signal.SIGINT)),
        )
        with pytest.raises(Interrupted):
            train(tmp_path / "run", log="mlflow", callbacks=[acts], progress=False)
        assert store.run["status"] == "KILLED"
        convscope.resume(tmp_path / "run", trust=True, progress=False)
        mlflow.set_tracking_uri(None)
    assert store.run["status"] == "FINISHED"
    assert store.experiments == {"convscope": "7"}
    assert store.requests.count("runs/create") == 1
    assert store.params["batch_size"] == "128"
    for name in ("step/loss", "val/loss", "test/loss"):
        steps = [one["step"] for one in store.metrics if one["key"] == name]
        assert steps == sorted({*steps})
        assert steps
    lines = Run.open(tmp_path / "run").read_metrics()
    sent = [one["value"] for one in store.metrics if one["key"] == "val/loss"]
    assert sent == pytest.approx([line["val_loss"] for line in lines])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own, of what it uses
def test_a_server_of_mlflow_that_is_gone_harms_no_training(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    with tracking_server() as (_, address):
        pass
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow.set_tracking_uri(address)
    notes = Act()
    result = train(tmp_path / "run", log="mlflow", callbacks=[notes], progress=False)
    mlflow.set_tracking_uri(None)
    assert result.test.top1 > 0
    assert sum("MLflow" in note for note in notes.notes) == 1


def wait_for(path):
    while not path.exists():
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # W&B's own
def test_wandb_itself_keeps_every_step_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb.proto.wandb_internal_pb2")
    monkeypatch.setenv("WANDB_MODE", "offline")
    train(tmp_path / "run", log="wandb", epochs=1, progress=False)
    [file] = (tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb")
    rows = [row for row in history(file.read_bytes()) if "step/loss" in row]
    assert [int(row["_step"]) for row in rows] == [*range(1, 11)]


def history(content):
    """The rows of a W&B file, whose records are framed as in LevelDB's log."""
    records = import_module("wandb.proto.wandb_internal_pb2")
    at, parts = 7, []
    while at < len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        parts.append(content[at + 7 : at + 7 + length])
        at += 7 + length
        if kind in (1, 4):  # a whole record, or its last part
            record = records.Record.FromString(b"".join(parts))
            parts = []
            yield {
                "/".join([*item.nested_key]) or item.key: item.value_json
                for item in record.history.item
            }
