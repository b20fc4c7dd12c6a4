"""The boxes that the lab draws: those that `explain_boxes` has, each number at its unit."""

import numpy as np
import pytest

import convscope
from tests.conversion.test_boxes import network
from tests.explanation.test_boxes import anchored

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from starlette.testclient import TestClient

from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.server import make_app

HOST = "127.0.0.1:8600"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    store = ModelStore()
    model = store.open(network(anchored))
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 1), np.uint8)
    image = store.add(model, "noise", pixels)
    app = make_app(store, TrainingJobs(tmp_path_factory.mktemp("runs")), hosts=frozenset({HOST}))
    return TestClient(app, base_url=f"http://{HOST}"), model, image


def get(lab, path=""):
    client, model, image = lab
    return client.get(f"/api/networks/{model.id}/images/{image.id}/boxes{path}")


def test_it_draws_the_boxes_that_are_explained(lab):
    _, model, image = lab
    found = get(lab).json()
    expected = convscope.explain_boxes(model.net, image.recording["image"].tensor, card=model.card)
    kept = [box for box in found["boxes"] if box["is_kept"]]
    assert kept
    for box in kept:
        other = expected[box["name"]]
        assert box["class"] == other.label
        assert box["score"] == other.score >= 0.05
        assert tuple(box[edge] for edge in ("left", "top", "right", "bottom")) == other.edges
    assert len(found["boxes"]) + found["others"] == len(expected.numbers)
    assert get(lab, "").json() == found
    client = lab[0]
    assert client.get(f"/api/networks/{model.id}").json()["finds_boxes"] is True


def test_numbers_lead_to_the_units_that_hold_them(lab):
    client, model, image = lab
    name = get(lab).json()["boxes"][0]["name"]
    box = get(lab, f"/{name}").json()
    units = {step["name"]: step["unit"] for step in box["steps"] if step["unit"]}
    assert units.keys() == {"x", "y", "u", "v", f"class {box['class']}", "o"}
    row, column, _ = box["cell"]
    for step in box["steps"]:
        if (unit := step["unit"]) is None:
            continue
        assert (unit["row"], unit["y"], unit["x"]) == ("boxes", row, column)
        at = f"{unit['map']},{unit['y']},{unit['x']}"
        path = f"/api/networks/{model.id}/images/{image.id}/units/{unit['row']}/{at}"
        assert client.get(path).json()["value"] == step["value"]


def test_the_comparisons_are_those_of_suppression(lab):
    found = get(lab).json()["boxes"]
    gone = next((box["name"] for box in found if not box["is_kept"]), None)
    assert gone
    (lost,) = [one for one in get(lab, f"/{gone}").json()["comparisons"] if one["suppressed"]]
    assert lost["boxes"] == [gone.partition(".")[0], gone]
    assert lost["iou"] > lost["max_overlap"] == 0.5


def test_an_unknown_box_is_refused_by_name(lab):
    answer = get(lab, "/box99")
    assert answer.status_code == 404
    assert "box99" in answer.json()["message"]
