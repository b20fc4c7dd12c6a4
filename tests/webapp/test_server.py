"""The lab's API: what it returns, refuses, and drops from memory."""

import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from convscope.errors import RequestError
from convscope.http_server.listening import free_port
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.launch import fill

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from starlette.testclient import TestClient

from convscope.webapp.inspect import store as store_module
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.server import make_app

HOST = "127.0.0.1:8600"


@pytest.fixture(scope="module")
def store():
    filled = ModelStore()
    fill(filled, ["lenet5", "resnet20_cifar"], [])
    return filled


@pytest.fixture
def client(store):
    app = make_app(store, TrainingJobs(Path("none")), hosts=frozenset({HOST}))
    with TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def image(client):
    return client.get("/api/networks/lenet5").json()["images"][0]["id"]


def png(side=40, mode="L"):
    kept = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(kept, "PNG")
    return kept.getvalue()


def test_a_network_has_rows_and_images(client):
    list_runs = client.get("/api/networks").json()
    assert [one["id"] for one in list_runs["networks"]] == ["lenet5", "resnet20_cifar"]
    data = client.get("/api/networks/lenet5").json()
    assert data["classes"] == [str(n) for n in range(10)]
    assert sum(row["parameters"] for row in data["rows"]) == 61_706
    assert data["warning"].startswith("Random weights")
    assert len(data["images"]) == 3
    assert [row["shape"] for row in data["rows"]][-1] == [10, 1, 1]


def test_an_uploaded_image_is_recorded_and_classified(client):
    data = client.post("/api/networks/lenet5/images?title=mine", content=png()).json()
    probabilities = [one["probability"] for one in data["predictions"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)
    assert {"id": data["id"], "title": "mine"} in data["images"]
    again = client.post("/api/networks/lenet5/images?title=other", content=png()).json()
    assert again["id"] == data["id"]  # the same pixels are the same image
    picture = client.get(f"/api/networks/lenet5/images/{data['id']}/image.png")
    assert Image.open(io.BytesIO(picture.content)).size == (32, 32)


def test_volumes_are_the_recordings_numbers(client, store, image):
    recorded = store.model("lenet5").image(image)
    answer = client.get(f"/api/networks/lenet5/images/{image}/volumes/conv2?maps=3,1")
    assert answer.headers["x-shape"] == "2,10,10"
    found = np.frombuffer(answer.content, "<f4").reshape(2, 10, 10)
    expected = recorded.recording["tanh2"].value
    assert torch.equal(torch.tensor(found), expected[[3, 1]])


def test_thumbnails_are_the_strongest_maps(client, store, image):
    data = client.get(f"/api/networks/lenet5/images/{image}/thumbnails").content
    (length,) = struct.unpack("<I", data[:4])
    heads = json.loads(data[4 : 4 + length])
    body = np.frombuffer(data[4 + length :], np.int8)
    recorded = store.model("lenet5").image(image)
    volume = recorded.recording["tanh1"].value.numpy()
    (head,) = [one for one in heads if one["name"] == "conv1"]
    strongest = volume[np.abs(volume).mean((1, 2)).argmax()]
    size = head["height"] * head["width"]
    found = body[head["offset"] : head["offset"] + size].reshape(head["height"], -1)
    assert np.allclose(found * head["scale"], strongest, atol=head["scale"])


@pytest.mark.parametrize("rank", ["strongest", "distance_from_mean", "importance"])
def test_rankings_score_every_map(client, image, rank):
    data = client.get(f"/api/networks/lenet5/images/{image}/scores/conv2?rank={rank}").json()
    assert len(data["scores"]) == 16


def test_importance_is_gradient_times_activation(client, store, image):
    """Without an activation behind the last maps it is the share of each map in the logit."""
    model = store.model("lenet5")
    data = client.get(f"/api/networks/lenet5/images/{image}/scores/fc1?rank=importance").json()
    recorded = model.image(image)
    logits = recorded.recording["fc2"].value
    weight = model.net.get_submodule("fc2").weight[int(logits.argmax())]
    if data["scores"] is not None:
        expected = (weight * recorded.recording["fc1_tanh"].value).tolist()
        assert data["scores"] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_correlated_maps_are_grouped():
    net = nn.Sequential(nn.Conv2d(1, 4, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, -1, 2, 0]).view(4, 1, 1, 1))
        net[0].bias.zero_()
    other = ModelStore()
    model = other.open(net)
    recorded = other.add(model, "noise", np.arange(224 * 224, dtype=np.uint8).reshape(224, 224, 1))
    app = make_app(other, TrainingJobs(Path("none")), hosts=frozenset({HOST}))
    with TestClient(app, base_url=f"http://{HOST}") as own:
        data = own.get(
            f"/api/networks/{model.id}/images/{recorded.id}/scores/0?rank=correlated"
        ).json()
    assert data["groups"] == [[0, 2]]
    assert data["dead"] == [3]


def test_a_unit_is_explained(client, image):
    data = client.get(f"/api/networks/lenet5/images/{image}/units/conv2/5,3,7?channels=2").json()
    assert (data["decomposition"], data["count"], len(data["parts"])) == ("sum", 150, 2)
    assert data["steps"][0]["label"] == "Tanh"
    pixel = client.get(f"/api/networks/lenet5/images/{image}/pixels/3,4").json()["channels"][0]
    assert pixel["value"] == pytest.approx(
        (pixel["byte"] / 255 - pixel["mean"]) / pixel["std"], abs=1e-6
    )


WRONG = [
    "/api/networks/vgg",
    "/api/networks/lenet5/images/0",
    "/api/networks/lenet5/images/IMAGE/volumes/conv9",
    "/api/networks/lenet5/images/IMAGE/volumes/conv1?maps=6",
    "/api/networks/lenet5/images/IMAGE/volumes/conv1?maps=x",
    "/api/networks/lenet5/images/IMAGE/scores/conv1?rank=loudest",
    "/api/networks/lenet5/images/IMAGE/units/conv1/9,0,0",
    "/api/networks/lenet5/images/IMAGE/units/conv1/0,0",
    "/api/networks/lenet5/images/IMAGE/units/pool2/5,9,9",
    "/api/networks/lenet5/images/IMAGE/units/pool2/5,-1,0",
    f"/api/networks/lenet5/images/IMAGE/units/fc1/0,{'9' * 30},0",
    f"/api/networks/lenet5/images/IMAGE/volumes/conv1?maps={'9' * 30}",
    f"/api/networks/lenet5/images/IMAGE/filters/conv1/{'9' * 30}",
    f"/api/networks/lenet5/images/IMAGE/pixels/{'9' * 30},0",
    "/api/networks/lenet5/images/IMAGE/changes/conv9",
    f"/api/networks/lenet5/images/IMAGE/sheet.png?convolutions={'9' * 30}",
    "/api/networks/lenet5/images/IMAGE/pixels/99,0",
]


@pytest.mark.parametrize("path", WRONG)
def test_an_unknown_name_is_a_404_with_a_message(client, image, path):
    answer = client.get(path.replace("IMAGE", image))
    assert answer.status_code == 404
    assert answer.json()["message"].endswith((".", "?"))


@pytest.mark.parametrize("body", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"0" * 50])
def test_a_file_that_is_no_image_is_refused(client, body):
    answer = client.post("/api/networks/lenet5/images", content=body)
    assert answer.status_code == 404
    assert "image" in answer.json()["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1:9999"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": f"http://{HOST}"}, 200),
    ],
)
def test_other_names_and_other_pages_are_refused(client, headers, status):
    assert client.get("/api/networks", headers=headers).status_code == status


def test_beyond_this_machine_the_token_is_asked_for(store):
    app = make_app(store, TrainingJobs(Path("none")), hosts=frozenset({HOST}), token="secret")  # noqa: S106 -- a test's own
    with TestClient(app, base_url=f"http://{HOST}") as client:
        assert client.get("/api/networks").status_code == 401
        assert client.get("/api/networks", headers={"X-Token": "wrong"}).status_code == 401
        assert client.get("/api/networks", headers={"X-Token": "secret"}).status_code == 200


def test_a_machine_of_many_names_answers_under_each_and_to_no_other_page(store):
    app = make_app(store, TrainingJobs(Path("none")), hosts=None, token="secret")  # noqa: S106
    with TestClient(app, base_url="http://lab.example:8600") as client:
        headers = {"X-Token": "secret", "Origin": "http://lab.example:8600"}
        assert client.get("/api/networks", headers=headers).status_code == 200
        headers["Origin"] = "http://evil.example"
        assert client.get("/api/networks", headers=headers).status_code == 403


def test_the_page_runs_only_its_own_scripts(client):
    policy = client.get("/api/networks").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert client.get("/static/../server.py").status_code == 404
    assert client.get("/static/%2e%2e/server.py").status_code == 404


def test_the_api_has_a_schema(client):
    paths = client.get("/api/openapi.json").json()["paths"]
    assert "/api/networks/{net}/images/{image}/units/{row}/{at}" in paths


def test_the_oldest_images_are_dropped_with_a_message(monkeypatch):
    monkeypatch.setattr(store_module, "_MAX_IMAGES", 3)
    small = ModelStore()
    model = small.open("lenet5")
    images = [small.add(model, str(n), np.full((32, 32, 1), n, np.uint8)) for n in range(5)]
    assert list(model.recorded) == [image.id for image in images[2:]]
    app = make_app(small, TrainingJobs(Path("none")), hosts=frozenset({HOST}))
    with TestClient(app, base_url=f"http://{HOST}") as client:
        answer = client.get(f"/api/networks/lenet5/images/{images[0].id}")
        assert "gone from the lab's memory" in answer.json()["message"]


def asked(net, images, max_memory):
    """What the lab answers to everything that reads recordings, of two networks in turn."""
    several = ModelStore(max_memory)
    models = [several.open(net), several.open(net)]
    ids = [several.add(models[n % 2], str(n), pixels).id for n, pixels in enumerate(images)]
    said = []
    app = make_app(several, TrainingJobs(Path("none")), hosts=frozenset({HOST}))
    with TestClient(app, base_url=f"http://{HOST}") as own:
        for n, image in enumerate([*ids, *ids[:2]]):
            model = models[n % 2]
            path = f"/api/networks/{model.id}/images/{image}"
            rows = [row.name for row in model.rows]
            gets = ["", "/thumbnails", "/pixels/3,4", f"/units/{model.answer_row}/1,0,0"]
            gets += [f"/volumes/{name}" for name in rows[::-3]]
            gets += [f"/units/{name}/0,0,0" for name in rows[:6]]
            gets += [
                f"/scores/{rows[5]}?rank={rank}" for rank in ("strongest", "distance_from_mean")
            ]
            said += [own.get(path + get) for get in gets]
            other = {"weights": ["conv1.weight[0,0,1,1]=0.5"], "pixels": [], "settings": []}
            said.append(own.post(f"{path}/what-if", json=other))
            change = {"row": rows[3], "map": 1, "action": "scale", "value": 2}
            said.append(own.post(f"{path}/changes", json={"changes": [change]}))
    assert {answer.status_code for answer in said} == {200}
    return [answer.content for answer in said], several, models


def test_everything_answers_the_same_where_memory_is_short(store):
    net = store.model("resnet20_cifar").net
    images = [np.random.default_rng(n).integers(0, 256, (32, 32, 3), np.uint8) for n in range(4)]
    whole, roomy, _ = asked(net, images, None)
    small, tight, models = asked(net, images, 300_000)
    assert small == whole
    held = [image.is_held for model in models for image in model.images]
    assert (held.count(True), len(held)) == (1, 4)
    assert all(image.is_held for model in roomy.models.values() for image in model.images)
    assert tight.recordings.limit == 300_000


def test_an_image_whose_network_was_changed_is_not_recorded_again():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(4 * 222 * 222, 3))
    several = ModelStore(1)
    model = several.open(net)
    first, _ = (several.add(model, str(n), np.full((224, 224, 1), n, np.uint8)) for n in (0, 9))
    with torch.no_grad():
        net[2].bias.add_(1)
    with pytest.raises(RequestError, match="answers otherwise than when 0 was opened"):
        _ = first.recording


def test_a_second_lab_finds_the_next_port():
    first, port = free_port("127.0.0.1", 18600)
    first.listen()
    second, other = free_port("127.0.0.1", port)
    assert other > port
    first.close()
    second.close()
