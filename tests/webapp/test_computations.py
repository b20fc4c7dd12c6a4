"""Work in the background: its order, its bounds, how it ends."""

import threading

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from fastapi import FastAPI
from starlette.testclient import TestClient

from convscope.errors import RequestError
from convscope.webapp.api.computations import add_computations, started
from convscope.webapp.inspect import computations as module
from convscope.webapp.inspect.computations import Computations, File, TooManyWaiting
from convscope.webapp.server import add_error_handlers
from tests.webapp.fakes import wait_for


@pytest.fixture
def computations():
    made = Computations()
    yield made
    made.close()


class Gate:
    """Work that waits until it may go on, and says what it did."""

    def __init__(self, name="a", log=None):
        self.name, self.log = name, log if log is not None else []
        self.is_running, self.may_go = threading.Event(), threading.Event()

    def __call__(self, computation):
        self.is_running.set()
        while not self.may_go.wait(0.01):
            computation.report("waiting", 1, 2)
        self.log.append(self.name)
        computation.publish({"name": self.name}, {"bytes": File(b"abc")})


def ended(computation):
    return wait_for(lambda: computation.has_ended)


def test_a_result_is_there_in_parts_and_sent_once(computations):
    first, second = threading.Event(), threading.Event()

    def work(computation):
        computation.publish({"part": 1})
        first.set()
        second.wait(10)
        computation.publish({"part": 2})

    found = computations.start("a", work)
    assert first.wait(10)
    assert found.to_dict()["result"] == {"part": 1}
    assert found.to_dict(since=1)["result"] is None
    second.set()
    assert ended(found)
    assert found.to_dict(since=1)["result"] == {"part": 2}
    assert found.state == "done"


def test_the_same_key_is_computed_once(computations):
    gate = Gate()
    found = computations.start(("why", 3), gate)
    gate.may_go.set()
    assert ended(found)
    assert computations.start(("why", 3), gate) is found
    assert computations.start(("why", 4), gate) is not found


def test_work_stops_when_the_last_page_leaves(computations):
    gate = Gate()
    found = computations.start("a", gate)
    assert computations.start("a", gate) is found  # a second page
    assert gate.is_running.wait(10)
    computations.leave(found.id)
    assert found.is_wanted
    computations.leave(found.id)
    assert ended(found)
    assert (found.state, gate.log) == ("stopped", [])
    again = computations.start("a", Gate())
    assert again is not found


def test_work_that_no_page_asks_about_stops(computations, monkeypatch):
    gate = Gate()
    found = computations.start("a", gate)
    assert gate.is_running.wait(10)
    monkeypatch.setattr(module, "_ABANDONED_SECONDS", -1.0)
    assert ended(found)
    assert found.state == "stopped"


def test_lanes_do_not_wait_for_each_other_and_one_keeps_its_order(computations):
    log = []
    slow, second, other = Gate("slow", log), Gate("second", log), Gate("other", log)
    running = computations.start("slow", slow, lane="data")
    behind = computations.start("second", second, lane="data")
    beside = computations.start("other", other)
    second.may_go.set()
    other.may_go.set()
    assert ended(beside)
    assert behind.state == "waiting"
    slow.may_go.set()
    assert ended(behind)
    assert running.state == "done"
    assert log == ["other", "slow", "second"]


def test_a_full_lane_refuses(computations, monkeypatch):
    monkeypatch.setattr(module, "MAX_WAITING", 1)
    gate = Gate()
    computations.start("a", gate)
    assert gate.is_running.wait(10)
    computations.start("b", gate)
    with pytest.raises(TooManyWaiting, match="1 other computations wait"):
        computations.start("c", gate)


def test_what_work_raises_is_said(computations):
    def refuse(_computation):
        raise RequestError("LRP has no rule for a gate.")

    def fail(_computation):
        raise ValueError("shapes differ\nat line 3")

    found = [computations.start(work, work) for work in (refuse, fail)]
    assert ended(found[1])
    assert [each.state for each in found] == ["failed", "failed"]
    assert found[0].message == "LRP has no rule for a gate."
    assert found[1].message == "It could not be computed (ValueError: shapes differ)."


def test_what_was_asked_for_least_recently_goes_first(computations, monkeypatch):
    monkeypatch.setattr(module, "_MAX_KEPT", 2)
    found = []
    for name in "abc":
        gate = Gate(name)
        gate.may_go.set()
        found.append(computations.start(name, gate))
        assert ended(found[-1])
        if name == "b":
            computations.get(found[0].id)
    assert wait_for(lambda: not _is_kept(computations, found[1]))
    assert _is_kept(computations, found[0])


def _is_kept(computations, computation):
    try:
        return computations.get(computation.id) is computation
    except RequestError:
        return False


def test_many_bytes_are_not_kept(computations, monkeypatch):
    monkeypatch.setattr(module, "_MAX_BYTES", 4)
    gate = Gate()
    gate.may_go.set()
    first = computations.start("a", gate)
    assert ended(first)
    second = computations.start("b", gate)
    assert ended(second)
    assert wait_for(lambda: not _is_kept(computations, first))
    assert _is_kept(computations, second)  # the newest stays, whatever its size


def test_the_routes_follow_a_computation(computations):
    app = FastAPI()
    add_error_handlers(app)
    add_computations(app, computations)
    gate = Gate()

    @app.post("/start")
    def start():
        return started(lambda: computations.start("a", gate))

    with TestClient(app) as client:
        made = client.post("/start").json()
        assert made["state"] in ("waiting", "running")
        path = f"/api/computations/{made['id']}"
        assert gate.is_running.wait(10)
        assert wait_for(lambda: client.get(path).json()["doing"] == "waiting")
        assert client.get(f"{path}/files/bytes").status_code == 404
        gate.may_go.set()
        assert wait_for(lambda: client.get(path).json()["state"] == "done")
        assert client.get(path).json()["result"] == {"name": "a"}
        assert client.get(f"{path}?since=1").json()["result"] is None
        assert client.get(f"{path}/files/bytes").content == b"abc"
        assert client.delete(path).status_code == 200
        missing = client.get("/api/computations/none")
        assert (missing.status_code, "Start it again" in missing.json()["message"]) == (404, True)
