"""The events of a run: everything once, then what changed, and the end."""

import asyncio
import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
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
from convscope.runs.live_files import Live
from convscope.runs.step_table import COLUMNS, steps_of
from convscope.webapp.jobs import events
from convscope.webapp.jobs.events import Listener, Listeners
from convscope.webapp.jobs.jobs import TrainingJobs
from tests import snapshots
from tests.webapp.fakes import fake_run, lab, line, step_history, wait_for, write_status


def losses(count, seed=0):
    return np.random.default_rng(seed).gamma(2.0, 1.0, count).tolist()


class Page:
    """What a page has after some events, by the rules of the route of events."""

    def __init__(self):
        self.width, self.rows, self.held = 0, [], {}

    def receive(self, events):
        for name, data in events:
            if name == "steps":
                kept = self.rows[: data["from"]] if data["width"] == self.width else []
                self.width, self.rows = data["width"], [*kept, *data["rows"]]
            else:
                self.held[name] = data


def column(rows, name):
    return [row[COLUMNS.index(name)] for row in rows]


# Steps.


def test_a_row_summarizes_its_steps_as_a_loop_does(tmp_path):
    run = fake_run(tmp_path / "a")
    Live(run.path).folder.mkdir()
    all_losses = losses(100)
    Live(run.path).write_step_history(step_history(all_losses, most=32))
    width, rows = steps_of(run.path)
    assert width == 4
    assert len(rows) == 25
    for place, row in enumerate(rows):
        part = all_losses[4 * place : 4 * place + 4]
        data = dict(zip(COLUMNS, row, strict=True))
        assert (data["first"], data["last"]) == (4 * place + 1, 4 * place + 4)
        assert data["loss"] == pytest.approx(sum(part) / 4, rel=1e-6)
        assert data["loss_low"] == pytest.approx(min(part), rel=1e-6)
        assert data["loss_high"] == pytest.approx(max(part), rel=1e-6)
        assert all_losses[data["low_at"] - 1] == min(part)
        assert all_losses[data["high_at"] - 1] == max(part)
        assert data["top1"] == 0.75
        assert data["lr"] == pytest.approx(0.1 / data["first"], rel=1e-6)
        assert data["images_per_second"] == 8.0


def test_values_that_are_not_finite_are_null(tmp_path):
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


@settings(max_examples=25)
@given(
    parts=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    most=st.sampled_from([4, 7, 32]),
    first=st.sampled_from([1, 4, 6]),
)
@example(parts=[4, 1], most=4, first=4)  # the table grows wider and its first row stays
def test_the_page_has_the_complete_table_after_any_events(parts, most, first):
    with TemporaryDirectory() as name:
        folder = Path(name)
        run = fake_run(folder / "a", now={"state": "training"})
        listener, page = Listener(TrainingJobs(folder), "a"), Page()
        all_losses = losses(sum(parts))
        for count in np.cumsum(parts):
            data = step_history(all_losses[:count], most=most, first=first)
            Live(run.path).write_step_history(data)
            page.receive(listener.poll())
            assert (page.width, page.rows) == steps_of(run.path)


def test_only_changes_are_sent_again(tmp_path):
    run = fake_run(tmp_path / "a", now={"state": "training"}, metrics=1)
    live, all_losses = Live(run.path), losses(31)
    live.write_step_history(step_history(all_losses[:30]))
    listener = Listener(TrainingJobs(tmp_path), "a")
    assert [name for name, _ in listener.poll()] == ["state", "steps", "evaluation"]
    assert listener.poll() == []
    write_status(run.path, {"state": "training"})  # a heart beat says nothing
    assert listener.poll() == []
    live.write_step_history(step_history(all_losses))
    ((name, data),) = listener.poll()
    assert (name, data["from"], len(data["rows"])) == ("steps", 30, 1)
    run.write_metrics([line(1), line(2)])
    ((name, data),) = listener.poll()
    assert name == "evaluation"
    assert [one["epoch"] for one in data["metrics"]] == [1, 2]


# Pictures.


def picture(run, name, stored):
    live = Live(run.path)
    live.folder.mkdir(exist_ok=True)
    live.write_snapshot(name, stored)


@pytest.fixture
def pictured(tmp_path):
    run = fake_run(tmp_path / "a", now={"state": "training"})
    random = torch.Generator().manual_seed(0)
    batch = torch.randint(0, 256, (5, 6, 7, 3), generator=random, dtype=torch.uint8)
    kept = {str(step): torch.randn(4, 3, 5, 2, generator=random) for step in (0, 3, 100)}
    picture(run, "look", snapshots.look(batch, step=9))
    picture(run, "filters", snapshots.filters(kept))
    picture(run, "wrong", snapshots.wrong(batch, step=8))
    return run, batch, kept


def test_the_event_of_a_new_snapshot_has_only_its_step(tmp_path, pictured):
    run, batch, _ = pictured
    listener = Listener(TrainingJobs(tmp_path), "a")
    data = dict(listener.poll())
    assert data["look"] == {"step": 9}
    assert data["filters"] == {"steps": [0, 3, 100]}
    assert data["wrong"] == {"step": 8}
    picture(run, "look", snapshots.look(batch[:2], step=10))
    assert listener.poll() == [("look", {"step": 10})]


def test_snapshots_are_the_bytes_that_the_training_wrote(tmp_path, pictured):
    run, batch, kept = pictured
    api = TestClient(lab(TrainingJobs(tmp_path)))
    look = api.get("/api/runs/a/look")
    size = {"count": 5, "height": 6, "width": 7, "channels": 3}
    assert look.json()["batch"] == size
    assert look.json()["layers"][0]["gradient"] == 0.5
    assert look.headers["cache-control"] == "no-store"
    wrong = api.get("/api/runs/a/wrong").json()
    assert {name: wrong[name] for name in size} == size
    assert (wrong["epoch"], [image["is"] for image in wrong["images"]]) == (2, ["4"] * 5)
    for name in ("batch.bin", "wrong.bin"):
        answer = api.get(f"/api/runs/a/{name}")
        assert answer.content == batch.numpy().tobytes()
        assert answer.headers["cache-control"] == "no-store"
    data = api.get("/api/runs/a/filters").json()
    assert (data["layer"], data["steps"], data["shape"]) == ("conv1", [0, 3, 100], [4, 3, 5, 2])
    found = np.frombuffer(api.get("/api/runs/a/filters.bin").content, "<f4")
    assert np.array_equal(
        found.reshape(3, 4, 3, 5, 2), np.stack([w.numpy() for w in kept.values()])
    )
    assert data["peak"] == [float(w.abs().max()) for w in kept.values()]
    picture(run, "look", snapshots.look(batch[:2], step=10))
    assert api.get("/api/runs/a/look").json()["batch"]["count"] == 2


def test_a_missing_snapshot_is_a_404_with_a_message(tmp_path):
    run = fake_run(tmp_path / "a", now={"state": "training"})
    api = TestClient(lab(TrainingJobs(tmp_path)))
    for name in ("look", "batch.bin", "wrong", "wrong.bin", "filters", "filters.bin"):
        answer = api.get(f"/api/runs/a/{name}")
        assert answer.status_code == 404
        assert answer.json()["message"].endswith(".")
    (run.path / "live" / "look.safetensors").write_bytes(b"half a file")
    assert api.get("/api/runs/a/look").status_code == 404


# Who looks, and the end.


def test_a_listener_marks_an_active_run_as_watched(tmp_path, monkeypatch):
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
def test_an_ended_run_sends_everything_and_then_the_end(tmp_path, word):
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

    # In a thread of its own, for Playwright keeps an event loop in the one that runs the tests.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, gather()).result()


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


def test_a_comment_keeps_an_idle_stream_open(tmp_path, monkeypatch):
    fake_run(tmp_path / "a", now={"state": "training"})
    monkeypatch.setattr(events, "_KEEPALIVE_SECONDS", 0.0)
    monkeypatch.setattr(events, "_POLL_SECONDS", 0.0)
    listener = Listener(TrainingJobs(tmp_path), "a")
    found = run_stream(Listeners(), listener, most=3)
    assert found[1].startswith(":")
    assert found[1].endswith("\n\n")


def test_too_many_listeners_are_refused(tmp_path):
    fake_run(tmp_path / "a", now={"state": "training"})
    listeners = Listeners(limit=1)
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


def test_a_page_receives_events_as_the_training_proceeds(tmp_path):
    run = fake_run(tmp_path / "a", now={"state": "training", "step": 1})
    with served(lab(TrainingJobs(tmp_path))) as port, listening_to(port, "a") as answer:
        assert answer.status == 200
        name, data = next_event(answer)
        assert (name, data["now"]["step"]) == ("state", 1)
        Live(run.path).write_step_history(step_history([1.0, 2.0]))
        name, data = next_event(answer)
        assert (name, column(data["rows"], "loss")) == ("steps", [1.0, 2.0])
        write_status(run.path, {"state": "paused", "step": 2, "message": "Waits."})
        name, data = next_event(answer)
        assert (data["state"], data["message"]) == ("paused", "Waits.")
        write_status(run.path, {"state": "done", "step": 3})
        assert next_event(answer)[1]["state"] == "done"
        assert next_event(answer) == ("end", {})
        assert next_event(answer) is None


def test_streams_end_with_the_server(tmp_path):
    fake_run(tmp_path / "a", now={"state": "training"})
    with served(lab(TrainingJobs(tmp_path))) as port, listening_to(port, "a") as answer:
        assert next_event(answer)[0] == "state"
    # served() has asserted that the server's thread is gone though the page was still there


def test_a_page_that_leaves_frees_its_listener(tmp_path, monkeypatch):
    monkeypatch.setattr(Listeners.__init__, "__kwdefaults__", {"limit": 2})
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
