"""What a page is told of a run: everything once, what changed, and the end."""

import asyncio
import http.client
import json
import socket
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi")
pytest.importorskip("httpx")
pytest.importorskip("uvicorn")

import uvicorn
from starlette.testclient import TestClient

from convscope.errors import ConvscopeError
from convscope.lab.jobs import events
from convscope.lab.jobs.events import Listener, Listeners
from convscope.lab.jobs.jobs import TrainingJobs
from convscope.runs.live_files import Live
from convscope.runs.step_table import COLUMNS, steps_of
from convscope.runs.tensor_file import TensorFile
from tests.lab.fakes import fake_run, lab, line, step_history, wait_for, write_status


def losses(count, seed=0):
    return np.random.default_rng(seed).gamma(2.0, 1.0, count).tolist()


class Page:
    """What the page holds after some events, by the rules that its address of events promises."""

    def __init__(self):
        self.width, self.rows, self.held = 0, [], {}

    def hear(self, events):
        for name, told in events:
            if name == "steps":
                kept = self.rows[: told["from"]] if told["width"] == self.width else []
                self.width, self.rows = told["width"], [*kept, *told["rows"]]
            else:
                self.held[name] = told


def column(rows, name):
    return [row[COLUMNS.index(name)] for row in rows]


# Steps.


def test_a_row_tells_of_its_steps_what_a_loop_over_them_finds(tmp_path):
    run = fake_run(tmp_path / "a")
    Live(run.path).folder.mkdir()
    all_losses = losses(100)
    Live(run.path).write_step_history(step_history(all_losses, most=32))
    width, rows = steps_of(run.path)
    assert width == 4
    assert len(rows) == 25
    for place, row in enumerate(rows):
        part = all_losses[4 * place : 4 * place + 4]
        told = dict(zip(COLUMNS, row, strict=True))
        assert (told["first"], told["last"]) == (4 * place + 1, 4 * place + 4)
        assert told["loss"] == pytest.approx(sum(part) / 4, rel=1e-6)
        assert told["loss_low"] == pytest.approx(min(part), rel=1e-6)
        assert told["loss_high"] == pytest.approx(max(part), rel=1e-6)
        assert all_losses[told["low_at"] - 1] == min(part)
        assert all_losses[told["high_at"] - 1] == max(part)
        assert told["top1"] == 0.75
        assert told["lr"] == pytest.approx(0.1 / told["first"], rel=1e-6)
        assert told["images_per_second"] == 8.0


def test_what_is_no_number_is_null(tmp_path):
    run = fake_run(tmp_path / "a")
    Live(run.path).folder.mkdir()
    series = step_history([1.0, 2.0])
    series.add(
        3, loss=1.0, num_correct=0, num_images=2, lr=0.1, seconds=0.0
    )  # a clock that stood still
    Live(run.path).write_step_history(series)
    _, rows = steps_of(run.path)
    assert column(rows, "images_per_second") == [8.0, 8.0, None]
    assert column(rows, "top1") == [0.75, 0.75, 0.0]


@settings(max_examples=25, deadline=None)
@given(
    parts=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    most=st.sampled_from([4, 7, 32]),
    first=st.sampled_from([1, 4, 6]),
)
@example(parts=[4, 1], most=4, first=4)  # the table grows wider and its first row stays
def test_the_page_holds_the_whole_table_whatever_it_heard_before(parts, most, first):
    with TemporaryDirectory() as name:
        folder = Path(name)
        run = fake_run(folder / "a", now={"state": "training"})
        listener, page = Listener(TrainingJobs(folder), "a"), Page()
        all_losses = losses(sum(parts))
        for count in np.cumsum(parts):
            told = step_history(all_losses[:count], most=most, first=first)
            Live(run.path).write_step_history(told)
            page.hear(listener.poll())
            assert (page.width, page.rows) == steps_of(run.path)


def test_only_what_changed_is_told_again(tmp_path):
    run = fake_run(tmp_path / "a", now={"state": "training"}, metrics=1)
    live, all_losses = Live(run.path), losses(31)
    live.write_step_history(step_history(all_losses[:30]))
    listener = Listener(TrainingJobs(tmp_path), "a")
    assert [name for name, _ in listener.poll()] == ["state", "steps", "evaluation"]
    assert listener.poll() == []
    write_status(run.path, {"state": "training"})  # a heart beat says nothing
    assert listener.poll() == []
    live.write_step_history(step_history(all_losses))
    ((name, told),) = listener.poll()
    assert (name, told["from"], len(told["rows"])) == ("steps", 30, 1)
    run.write_metrics([line(1), line(2)])
    ((name, told),) = listener.poll()
    assert name == "evaluation"
    assert [one["epoch"] for one in told["metrics"]] == [1, 2]


# Pictures.


def picture(run, name, tensors, facts):
    live = Live(run.path)
    live.folder.mkdir(exist_ok=True)
    live.write_snapshot(name, TensorFile(tensors, facts))


@pytest.fixture
def pictured(tmp_path):
    run = fake_run(tmp_path / "a", now={"state": "training"})
    random = torch.Generator().manual_seed(0)
    batch = torch.randint(0, 256, (5, 6, 7, 3), generator=random, dtype=torch.uint8)
    kept = {str(step): torch.randn(4, 3, 5, 2, generator=random) for step in (0, 3, 100)}
    layer = {"name": "conv1", "gradient": 0.5}
    picture(run, "look", {"batch": batch}, {"step": 9, "layers": [layer], "history": []})
    picture(run, "filters", kept, {"layer": "conv1", "steps": [0, 3, 100]})
    picture(run, "wrong", {"pixels": batch}, {"step": 8, "epoch": 2, "images": [{"is": "4"}]})
    return run, batch, kept


def test_a_new_picture_is_told_with_its_step_alone(tmp_path, pictured):
    run, batch, _ = pictured
    listener = Listener(TrainingJobs(tmp_path), "a")
    told = dict(listener.poll())
    assert told["look"] == {"step": 9}
    assert told["filters"] == {"steps": [0, 3, 100]}
    assert told["wrong"] == {"step": 8}
    picture(run, "look", {"batch": batch[:2]}, {"step": 10})
    assert listener.poll() == [("look", {"step": 10})]


def test_pictures_come_as_the_bytes_that_the_training_wrote(tmp_path, pictured):
    run, batch, kept = pictured
    asked = TestClient(lab(TrainingJobs(tmp_path)))
    look = asked.get("/api/runs/a/look")
    size = {"count": 5, "height": 6, "width": 7, "channels": 3}
    assert look.json()["batch"] == size
    assert look.json()["layers"][0]["gradient"] == 0.5
    assert look.headers["cache-control"] == "no-store"
    wrong = asked.get("/api/runs/a/wrong").json()
    assert {name: wrong[name] for name in size} == size
    assert (wrong["epoch"], wrong["images"]) == (2, [{"is": "4"}])
    for name in ("batch.bin", "wrong.bin"):
        answer = asked.get(f"/api/runs/a/{name}")
        assert answer.content == batch.numpy().tobytes()
        assert answer.headers["cache-control"] == "no-store"
    told = asked.get("/api/runs/a/filters").json()
    assert (told["layer"], told["steps"], told["shape"]) == ("conv1", [0, 3, 100], [4, 3, 5, 2])
    found = np.frombuffer(asked.get("/api/runs/a/filters.bin").content, "<f4")
    assert np.array_equal(
        found.reshape(3, 4, 3, 5, 2), np.stack([w.numpy() for w in kept.values()])
    )
    assert told["peak"] == [float(w.abs().max()) for w in kept.values()]
    picture(run, "look", {"batch": batch[:2]}, {"step": 10})
    assert asked.get("/api/runs/a/look").json()["batch"]["count"] == 2


def test_a_picture_that_is_not_there_yet_is_said_so(tmp_path):
    run = fake_run(tmp_path / "a", now={"state": "training"})
    asked = TestClient(lab(TrainingJobs(tmp_path)))
    for name in ("look", "batch.bin", "wrong", "wrong.bin", "filters", "filters.bin"):
        answer = asked.get(f"/api/runs/a/{name}")
        assert answer.status_code == 404
        assert answer.json()["message"].endswith(".")
    (run.path / "live" / "look.safetensors").write_bytes(b"half a file")
    assert asked.get("/api/runs/a/look").status_code == 404


# Who looks, and the end.


def test_the_training_hears_that_somebody_looks_while_it_lives(tmp_path, monkeypatch):
    run = fake_run(tmp_path / "a", now={"state": "training"})
    live, listener = Live(run.path), Listener(TrainingJobs(tmp_path), "a")
    assert not live.is_watched()
    listener.poll()
    assert live.is_watched()
    (live.folder / "watched").unlink()
    listener.poll()
    assert not live.is_watched()  # a second has not passed
    now = time.monotonic()
    monkeypatch.setattr(events.time, "monotonic", lambda: now + 1.1)
    listener.poll()
    assert live.is_watched()
    (live.folder / "watched").unlink()
    write_status(run.path, {"state": "done"})
    monkeypatch.setattr(events.time, "monotonic", lambda: now + 9)
    listener.poll()
    assert not live.is_watched()


@pytest.mark.parametrize("word", ["done", "stopped", "failed"])
def test_a_run_that_has_ended_is_told_whole_and_then_its_end(tmp_path, word):
    run = fake_run(tmp_path / "a", now={"state": word, "message": "So."}, age=99, metrics=2)
    Live(run.path).write_step_history(step_history(losses(5)))
    answer = TestClient(lab(TrainingJobs(tmp_path))).get("/api/runs/a/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    blocks = [parsed(block) for block in answer.text.split("\n\n") if block]
    assert [name for name, _ in blocks] == ["state", "steps", "evaluation", "end"]
    state = blocks[0][1]
    assert (state["name"], state["state"], state["message"]) == ("a", word, "So.")
    assert not {"metrics", "settings"} & state.keys()


def parsed(block):
    lines = dict(text.split(": ", 1) for text in block.split("\n"))
    return lines["event"], json.loads(lines["data"])


def run_stream(listeners, listener, *, gone=lambda: False, ending=lambda: False, most=1000):
    async def away():
        return gone()

    async def gather():
        found = []
        async for text in listeners.stream(listener, is_gone=away, is_ending=ending):
            found.append(text)
            if len(found) == most:
                break
        return found

    return asyncio.run(gather())


@pytest.mark.parametrize("way", ["gone", "ending"])
def test_a_stream_ends_when_its_page_goes_and_when_the_server_ends(tmp_path, way):
    fake_run(tmp_path / "a", now={"state": "training"})
    listeners, looks = Listeners(), []

    def after_three():
        looks.append(listeners.count)
        return len(looks) > 3

    found = run_stream(listeners, Listener(TrainingJobs(tmp_path), "a"), **{way: after_three})
    assert [text.partition("\n")[0] for text in found] == ["event: state"]
    assert looks == [1, 1, 1, 1]
    assert listeners.count == 0


def test_a_still_stream_is_kept_open_by_a_comment(tmp_path, monkeypatch):
    fake_run(tmp_path / "a", now={"state": "training"})
    monkeypatch.setattr(events, "_KEEPALIVE_SECONDS", 0.0)
    monkeypatch.setattr(events, "_POLL_SECONDS", 0.0)
    listener = Listener(TrainingJobs(tmp_path), "a")
    found = run_stream(Listeners(), listener, most=3)
    assert found[1].startswith(":")
    assert found[1].endswith("\n\n")


def test_more_listeners_than_may_are_refused(tmp_path):
    fake_run(tmp_path / "a", now={"state": "training"})
    listeners = Listeners(most=1)
    listeners.check_capacity()
    listeners.count = 1
    with pytest.raises(ConvscopeError, match="1 pages watch"):
        listeners.check_capacity()
    assert run_stream(listeners, Listener(TrainingJobs(tmp_path), "a")) == []
    assert listeners.count == 1


# Over a real connection.


@contextmanager
def served(app):
    """The port of a server in a thread, which ends with its streams."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
        app.state.ending = lambda: server.should_exit
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            assert wait_for(lambda: server.started)
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(60)
        assert not thread.is_alive()


@contextmanager
def listening_to(port, run):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/api/runs/{run}/events")
    try:
        yield connection.getresponse()
    finally:
        connection.close()


def next_event(answer):
    """The next event of an open stream; None at its end."""
    block = ""
    while raw := answer.readline():
        text = raw.decode()
        if text == "\n" and not block.startswith(":"):
            return parsed(block.rstrip("\n"))
        block = "" if text == "\n" else block + text
    return None


def test_a_page_hears_of_a_training_as_it_goes(tmp_path):
    run = fake_run(tmp_path / "a", now={"state": "training", "step": 1})
    with served(lab(TrainingJobs(tmp_path))) as port, listening_to(port, "a") as answer:
        assert answer.status == 200
        name, told = next_event(answer)
        assert (name, told["now"]["step"]) == ("state", 1)
        Live(run.path).write_step_history(step_history([1.0, 2.0]))
        name, told = next_event(answer)
        assert (name, column(told["rows"], "loss")) == ("steps", [1.0, 2.0])
        write_status(run.path, {"state": "paused", "step": 2, "message": "Waits."})
        name, told = next_event(answer)
        assert (told["state"], told["message"]) == ("paused", "Waits.")
        write_status(run.path, {"state": "done", "step": 3})
        assert next_event(answer)[1]["state"] == "done"
        assert next_event(answer) == ("end", {})
        assert next_event(answer) is None


def test_a_server_that_ends_leaves_no_page_waiting(tmp_path):
    fake_run(tmp_path / "a", now={"state": "training"})
    with served(lab(TrainingJobs(tmp_path))) as port, listening_to(port, "a") as answer:
        assert next_event(answer)[0] == "state"
    # served() has asserted that the server's thread is gone though the page was still there


def test_the_place_of_a_page_that_goes_is_free_again(tmp_path, monkeypatch):
    monkeypatch.setattr(Listeners.__init__, "__kwdefaults__", {"most": 2})
    fake_run(tmp_path / "a", now={"state": "training"})
    with served(lab(TrainingJobs(tmp_path))) as port:
        with listening_to(port, "a") as one, listening_to(port, "a") as two:
            assert next_event(one)
            assert next_event(two)
            with listening_to(port, "a") as three:
                assert three.status == 503
                assert "2 pages watch" in json.loads(three.read())["message"]

        def is_free():
            with listening_to(port, "a") as again:
                return again.status == 200

        assert wait_for(is_free, seconds=30)
