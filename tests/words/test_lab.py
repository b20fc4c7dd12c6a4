"""The lab sends names as strict JSON, and finds what the page asks for by them."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from torch import nn

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from starlette.testclient import TestClient

from convscope.card import Card
from convscope.runs.live_files import Live
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.launch import fill
from convscope.webapp.server import make_app
from tests.webapp.fakes import fake_run
from tests.words.hostile import CLASSES, LAYER, ODD, check, linux

pytestmark = linux
HOST = "127.0.0.1:8600"
RUN = f"run\udce9{ODD}"


@pytest.fixture
def client(tmp_path: Path):
    net = nn.Sequential()
    net.add_module(LAYER, nn.Conv2d(1, 2, 3))
    net.add_module(f"flat\udce9{ODD}", nn.Flatten())
    net.add_module(f"fc{ODD}", nn.Linear(2 * 10 * 10, 3))
    vars(net)["card"] = Card(
        classes=CLASSES,
        in_channels=1,
        input_size=(12, 12),
        mean=(0.5,),
        std=(0.5,),
        resize_mode="stretch",
    )
    store = ModelStore()
    fill(store, [net], [])
    run = fake_run(tmp_path / RUN, metrics=2, test=(3, 4), data=f"/data\udcff{ODD}")
    (run.path / "log.txt").write_text(f"a line of a program that others wrote{ODD}\n")
    metrics = (run.path / "metrics.jsonl").read_text().replace("0.5", "1e999")
    (run.path / "metrics.jsonl").write_text(metrics)
    fake_run(tmp_path / "other", test=(2, 4))
    app = make_app(store, TrainingJobs(tmp_path), hosts=frozenset({HOST}))
    with TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False) as client:
        yield client


def get(client, address: str, *names: str):
    """The JSON at an address, with names put into it as the page does; checked."""
    answer = client.get(address.format(*(quote(name, safe="") for name in names)))
    assert answer.status_code == 200, answer.text
    text = answer.content.decode()
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)
    check(text)
    return json.loads(text, parse_constant=pytest.fail)


def test_a_run_is_found_by_the_name_that_the_page_was_sent(client):
    names = {row["name"] for row in get(client, "/api/runs")["runs"]}
    [name] = names - {"other"}
    assert name.startswith(r"run\udce9")
    name.encode()
    details = get(client, "/api/runs/{}", name)
    assert details["name"] == name
    assert details["settings"]["data"].startswith(r"/data\udcff")
    assert len(details["log"]) >= 1
    compared = get(client, "/api/compare?runs={}&runs={}", name, "other")
    assert [row["name"] for row in compared["runs"]] == [name, "other"]
    events = client.get(f"/api/runs/{quote(name, safe='')}/events")
    assert events.status_code == 200
    check(events.content)


def test_a_layer_is_found_by_the_name_that_the_page_was_sent(client):
    [one] = get(client, "/api/networks")["networks"]
    network = get(client, "/api/networks/{}", one["id"])
    assert len(network["classes"]) == 3
    image = network["images"][0]["id"]
    assert len(network["rows"]) == 4  # the image, the two layers, their softmax
    for row in network["rows"]:
        unit = get(
            client, "/api/networks/{}/images/{}/units/{}/0,0,0", one["id"], image, row["name"]
        )
        assert unit
        get(client, "/api/networks/{}/images/{}/scores/{}", one["id"], image, row["name"])
    packed = client.get(f"/api/networks/{one['id']}/images/{image}/thumbnails").content
    size = int.from_bytes(packed[:4], "little")
    header = json.loads(packed[4 : 4 + size].decode())
    assert [row["name"] for row in header] == [row["name"] for row in network["rows"]]


@pytest.mark.parametrize(
    "address", ["/api/networks/{}", "/api/runs/{}", "/api/compare?runs={}&runs=b"]
)
def test_a_refusal_has_no_name_raw(client, address):
    answer = client.get(address.format(quote(ODD, safe="")))
    assert answer.status_code == 404
    check(json.loads(answer.content)["message"])


def test_nan_in_the_files_of_a_run_becomes_null(client, tmp_path):
    live = Live(tmp_path / RUN)
    live.folder.mkdir(exist_ok=True)
    now = '{"state": "done", "updated_at": 1.5, "loss": 1e999, "message": "", "acknowledged": 0}'
    (live.folder / "now.json").write_text(now)
    name = next(row["name"] for row in get(client, "/api/runs")["runs"] if row["name"] != "other")
    get(client, "/api/runs/{}", name)
