"""Every operation of the API, with requests that Schemathesis generates from its schema.

`FUZZ_EXAMPLES=2000 scripts/test --slow tests/webapp/test_fuzz.py -s` searches for longer, and
prints what was asked.
"""

import io
import os
import sys
import threading
import traceback
from collections import Counter
from importlib import import_module

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("schemathesis")

import requests
import schemathesis
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from convscope.http_server.connections import LimitedServer
from convscope.http_server.listening import free_port
from convscope.lessons.course import LESSONS
from convscope.runs.live_files import Live
from convscope.training.config import TrainConfig
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.server import make_app
from tests import snapshots
from tests.webapp.fakes import fake_run, step_history, wait_for

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "60"))
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**19), 10**19) | FLOATS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A lab with a network and three runs that have ended, and processes that never start."""
    folder = tmp_path_factory.mktemp("runs")
    for name, state in (("a", "done"), ("b", "stopped"), ("c", "failed")):
        run = fake_run(folder / name, now={"state": state}, age=99, metrics=3, test=(9, 10))
        live = Live(run.path)
        live.write_step_history(step_history([1.0, 0.5]))
        if name == "a":
            plant_snapshots(live)
    fake_run(folder / "active", now={"state": "training"}, age=-3600)
    store, jobs = ModelStore(), TrainingJobs(folder)
    model = store.open("lenet5")
    image = store.add(model, "noise", np.arange(1024, dtype=np.uint8).reshape(32, 32, 1))
    jobs.processes.start = lambda _name, _arguments: None
    listening, port = free_port("127.0.0.1", 18800)
    app = make_app(store, jobs, hosts=frozenset({f"127.0.0.1:{port}"}))
    server = LimitedServer(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    assert wait_for(lambda: server.started)
    rows = [row.name for row in model.rows]
    yield f"http://127.0.0.1:{port}", known_values(model.id, image.id, rows), app.openapi()
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


def plant_snapshots(live):
    batch = torch.zeros(2, 4, 5, 1, dtype=torch.uint8)
    weights = {"0": torch.ones(2, 1, 3, 3), "7": torch.zeros(2, 1, 3, 3)}
    live.write_snapshot("look", snapshots.look(batch, step=9))
    live.write_snapshot("filters", snapshots.filters(weights))
    live.write_snapshot("wrong", snapshots.wrong(batch, step=8))


def known_values(net, image, rows):
    """Parameters that exist, most of which Schemathesis would never find."""
    lessons = [lesson.name for lesson in LESSONS]
    at = ["0,0,0", "1,2,3", "5,9,9", "83,0,0", "-1,0,0"]
    return {
        "net": [net], "image": [image], "row": rows, "run": ["a", "b", "c"], "at": at,
        "x": [0, 31, -1], "y": [0, 31, 32], "index": [0, 3, 9999, -1], "number": ["1", "12"],
        "lesson": [*lessons, "all"], "name": lessons, "maps": ["0", "3,1", "5,5", ",", "99"],
        "rank": ["strongest", "distance_from_mean", "importance", "correlated"],
        "runs": [["a", "b"], ["a", "a"], ["a", "none"], list("abc")],
        "networks": [["lenet5", "vgg11"], ["lenet5"], ["none"]],
        "convolutions": ["1", "1,2", "0", "-1", "1" + ",1" * 100], "seed": ["7", "-3", "x"],
        "kernel": [1, 3, 64], "stride": [1, 64], "padding": [0, 64], "dilation": [1, 64],
        "computation": ["none"],
    }  # fmt: skip


def images():
    kept = io.BytesIO()
    Image.fromarray(np.eye(40, dtype=np.uint8) * 255).save(kept, "PNG")
    whole = kept.getvalue()
    return st.integers(0, len(whole)).map(lambda end: whole[:end]) | st.just(whole)


def states(name):
    """A lesson's state as the page sends it, with some of its values replaced."""
    known = name in {lesson.name for lesson in LESSONS}
    start = import_module(f"tests.lessons.test_{name}").START if known else {}
    changes = st.dictionaries(st.sampled_from(sorted(start) or ["at"]), VALUES, max_size=2)
    return changes.map(lambda change: {**start, **change})


def start_bodies():
    names = st.sampled_from(list(TrainConfig().to_dict()))
    return st.fixed_dictionaries(
        {"data": st.sampled_from(["digits", "mnist"]) | VALUES},
        optional={"settings": st.dictionaries(names, VALUES, max_size=2), "name": st.text()},
    )


def bodies(case):
    """Bodies that get further than most of those that the schema alone allows."""
    match case.operation.label:
        case "POST /api/networks/{net}/images":
            return images()
        case "POST /api/lessons/{name}":
            return states(case.path_parameters["name"])
        case "POST /api/runs":
            return start_bodies()
        case "POST /api/runs/{run}/commands":
            commands = st.sampled_from(["pause", "resume", "save", "stop"])
            return st.fixed_dictionaries({"command": commands})
    return None


def fuzz(operation, base, known, statuses):
    """Send generated requests; raises the simplest failure."""
    session = requests.Session()
    checks = schemathesis.checks.CHECKS.get_by_names(CHECKS)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def ask(data):
        case = data.draw(operation.as_strategy())
        for place in (case.path_parameters, case.query):
            for name in place or {}:
                if name in known and data.draw(st.integers(0, 4)):
                    place[name] = data.draw(st.sampled_from(known[name]))
        if case.operation.label.endswith("/commands") and data.draw(st.booleans()):
            case.path_parameters["run"] = "active"
        better = bodies(case)
        if better is not None and data.draw(st.integers(0, 3)):
            case.body = data.draw(better)
        response = case.call(base_url=base, session=session, timeout=60)
        statuses[response.status_code] += 1
        case.validate_response(response, checks=checks)

    ask()


@pytest.mark.slow  # a minute with the default number of examples
def test_no_operation_fails_or_answers_otherwise_than_it_says(served):
    base, known, schema = served
    schemathesis.checks.load_all_checks()
    counts, failures = {}, {}
    for found in schemathesis.openapi.from_dict(schema).get_all_operations():
        operation = found.ok()
        counts[operation.label] = Counter()
        try:
            fuzz(operation, base, known, counts[operation.label])
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 -- all are told at once
            failures[operation.label] = traceback.format_exception(error, limit=0)
    asked = sum(map(Counter.total, counts.values()))
    sys.stdout.write(f"{len(counts)} operations, {asked} requests\n")
    sys.stdout.writelines(f"{label}: {dict(one)}\n" for label, one in counts.items())
    for label, lines in failures.items():
        sys.stdout.write("\n".join([f"\n{label}", *lines]))
    assert set(failures) == set()
    assert all(counts.values())
