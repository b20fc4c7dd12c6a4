"""What the page shows of a trained network: planted filters are found, and patches lead back."""

import base64
import io
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.card import Card
from convscope.features.patches import collection as collection_module
from convscope.webapp.inspect.store import ModelStore

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from starlette.testclient import TestClient

from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.learned.filters import frequent_classes
from convscope.webapp.server import make_app
from tests.webapp.fakes import wait_for

HOST = "127.0.0.1:8600"
SIDE = 12
CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.float32)


def planted_network():
    """Filter 0 looks for a bright cross, 1 is dead, 2 is 0 once more, 3 looks for edges."""
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 100, 2))
    torch.manual_seed(0)
    nn.init.normal_(net[3].weight, std=0.01)
    with torch.no_grad():
        cross = torch.from_numpy(2 * CROSS - 1)
        edge = torch.tensor([[1.0, 0, -1]] * 3)
        for index, weight in enumerate((cross, 0 * cross, 1.5 * cross, edge)):
            net[0].weight[index, 0] = weight
        net[0].bias.copy_(torch.tensor([-1.0, -1.0, -1.5, 0.0]))
    net.card = Card(
        classes=("0", "1"),
        input_size=(SIDE, SIDE),
        in_channels=1,
        resize_mode="stretch",
        mean=(0.0,),
        std=(1.0,),
    )
    return net.eval()


def plant_images(folder, count=24):
    """Gray noise: class 1 has a bright cross in each image. Where its center is, by file name."""
    random = np.random.default_rng(1)
    centers = {}
    for label in ("0", "1"):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            pixels = random.integers(40, 80, (SIDE, SIDE), dtype=np.uint8)
            name = f"{label}/{number:02d}.png"
            if label == "1":
                row, column = random.integers(1, SIDE - 1, 2)
                own = pixels[row - 1 : row + 2, column - 1 : column + 2]
                own[:] = np.where(CROSS > 0, 90 + 7 * number, 0)
                centers[name] = [int(row), int(column)]
            Image.fromarray(pixels).save(folder / name)
    return centers


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted") / "crosses"
    return folder, plant_images(folder)


def client_of(subject, data=()):
    store = ModelStore()
    model = store.open(subject)
    store.add(model, "blank", np.zeros((*model.card.input_size, 1), np.uint8))
    jobs = TrainingJobs(Path("none"), data=[str(path) for path in data])
    app = make_app(store, jobs, hosts=frozenset({HOST}))
    return TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False), model


@pytest.fixture(scope="module")
def lab(images):
    client, model = client_of(planted_network(), [images[0]])
    with client:
        yield client, f"/api/networks/{model.id}/learned", model


def start(client, api, **study):
    answer = client.post(f"{api}/studies", json=study)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def finish(client, api, **study):
    """The computation's last state."""
    path = f"/api/computations/{start(client, api, **study)}"
    ended = wait_for(lambda: _ended(client.get(path).json()))
    assert ended, "the study did not end"
    return ended


def _ended(now):
    return now if now["state"] not in ("waiting", "running") else None


@pytest.fixture(scope="module")
def studied(lab):
    client, api, _ = lab
    assert client.get(f"{api}/levels").json() is None
    assert finish(client, api, kind="filters")["state"] == "done"
    return lab


def test_the_patches_of_a_planted_filter_are_the_marks(studied, images):
    client, api, _ = studied
    found = client.get(f"{api}/patches/0/0").json()
    assert found["images"] == 48
    assert found["state"] == ""
    assert found["preferred"] == "1"
    assert {patch["label"] for patch in found["patches"]} == {"1"}
    for patch in found["patches"]:
        row, column = images[1][patch["image"]]
        assert patch["unit"] == [0, row - 1, column - 1]  # a unit sees three rows from its own on
    values = [patch["value"] for patch in found["patches"]]
    assert values == sorted(values, reverse=True)
    assert found["patches"][0]["image"] == "1/23.png"  # its cross is the brightest


def test_a_dead_filter_is_said_to_be_dead(studied):
    client, api, _ = studied
    assert client.get(f"{api}/patches/0").json()["dead"] == [1]
    found = client.get(f"{api}/patches/0/1").json()
    assert (found["state"], found["patches"]) == ("dead", [])


def test_a_patch_opens_its_image_at_the_unit_with_its_value(studied):
    client, api, model = studied
    patch = client.get(f"{api}/patches/0/0").json()["patches"][2]
    image = client.post(f"{api}/images", json={"key": patch["image"]}).json()["image"]
    titles = {one["id"]: one["title"] for one in client.get(api[:-8]).json()["images"]}
    assert titles[image] == f"1: {patch['image']}"
    unit = ",".join(map(str, patch["unit"]))
    shown = client.get(f"/api/networks/{model.id}/images/{image}/units/0/{unit}").json()
    assert shown["value"] == pytest.approx(patch["value"], rel=1e-5)


def test_the_strip_has_the_pixels_of_each_patch(studied, images):
    client, api, _ = studied
    patches = client.get(f"{api}/patches/0/0").json()["patches"]
    answer = client.get(f"{api}/patches/0/0/strip.png")
    strip = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert strip.shape == (3, 3 * len(patches), 4)
    for place, patch in enumerate(patches):
        row, column = images[1][patch["image"]]
        whole = np.asarray(Image.open(images[0] / patch["image"]))
        own = strip[:, 3 * place : 3 * place + 3]
        assert (own[..., 0] == whole[row - 1 : row + 2, column - 1 : column + 2]).all()
        assert (own[..., 3] == 255).all()


def test_levels_say_what_a_class_is_made_of(studied):
    client, api, model = studied
    first, classes = client.get(f"{api}/levels").json()["levels"]
    assert (first["layer"], first["row"], classes["is_classes"]) == ("0", "0", True)
    assert first["dead"] == [1]
    assert {one["filter"] for one in first["filters"]} == {0, 2, 3}
    made = next(one for one in classes["filters"] if one["name"] == "1")["parts"]
    total = sum(part["added"] for part in [*made["strongest"], made["others"], made["bias"]])
    assert total + made["rest"]["added"] == pytest.approx(made["value"], rel=1e-5)
    bias = float(model.net[3].bias[1].detach())
    assert made["bias"]["added"] == pytest.approx(bias, rel=1e-5)


def test_twins_are_of_the_data_set_and_say_how_sure(lab, images):
    client, api, model = lab
    assert finish(client, api, kind="redundancy")["state"] == "done"
    found = client.get(f"{api}/redundancy").json()
    [layer] = found["layers"]
    assert found["images"] == 48
    assert (layer["row"], layer["dead"], layer["groups"]) == ("0", [1], [[0, 2]])
    [pair] = layer["pairs"]
    assert (pair["first"], pair["second"], pair["is_sure"]) == (0, 2, True)
    assert pair["correlation"] == pytest.approx(1)
    every = client.get(f"{api}/similarity/0").json()
    assert every["order"] == [0, 2, 3, 1]  # twins side by side, the dead one last
    values = np.frombuffer(base64.b64decode(every["percent"]), np.int8).reshape(4, 4)
    expected = convscope.redundancy(model.net, images[0])["0"]
    at = np.ix_(every["order"], every["order"])
    assert np.tril(values) == pytest.approx(100 * np.tril(expected.correlation[at]), abs=0.51)
    assert np.triu(values, 1) == pytest.approx(100 * np.triu(expected.alignment[at], 1), abs=0.51)
    assert client.get(f"{api}/similarity/3").json() is None


def test_the_map_has_each_image_with_its_class_and_prediction(lab, images):
    client, api, model = lab
    assert finish(client, api, kind="map", row="0")["state"] == "done"
    found = client.get(f"{api}/map/0").json()
    assert len(found["names"]) == len(found["x"]) == 48
    assert all(
        name.startswith(f"{label}/")
        for name, label in zip(found["names"], found["labels"], strict=True)
    )
    sheet = Image.open(io.BytesIO(client.get(f"{api}/map/0/sheet.png").content))
    assert sheet.size == (found["columns"] * found["side"],) * 2
    pixels = np.stack([np.asarray(Image.open(images[0] / name)) for name in found["names"]])
    with torch.no_grad():
        logits = model.net(torch.from_numpy(pixels)[:, None] / 255)
    assert found["predicted"] == logits.argmax(1).tolist()


def test_probes_need_two_splits_and_say_so(lab):
    client, api, _ = lab
    ended = finish(client, api, kind="probes")
    assert ended["state"] == "failed"
    assert "has no train split" in ended["message"]
    assert client.get(f"{api}/probes").json() is None


def test_what_does_not_fit_is_refused_in_words(lab):
    client, api, _ = lab

    def message(answer, status=404):
        assert answer.status_code == status
        return answer.json()["message"]

    assert client.get(f"{api}/map/3").json() is None
    assert message(client.get(f"{api}/map/3/sheet.png")) == "The map at 3 was not drawn yet."
    said = message(client.post(f"{api}/images", json={"key": "../secret"}))
    assert said == "There is no image '../secret' in all of crosses."
    assert "no layer 'nine'" in message(
        client.post(f"{api}/studies", json={"kind": "row", "row": "nine"})
    )
    assert "no data 'other'" in message(client.get(api, params={"data": "other"}))
    message(client.post(f"{api}/studies", json={"kind": "all"}), 422)


def test_a_network_without_images_says_what_to_do():
    client, model = client_of(planted_network())
    api = f"/api/networks/{model.id}/learned"
    reason = client.get(api).json()["images"]["reason"]
    assert reason.startswith("No images are known for")
    assert "convscope lab RUN" in reason
    assert client.post(f"{api}/studies", json={"kind": "filters"}).json()["message"] == reason


def test_images_with_names_and_outputs_with_numbers_say_how_to_start(images, tmp_path):
    folder = tmp_path / "named"
    shutil.copytree(images[0], folder)
    (folder / "0").rename(folder / "noise")
    (folder / "1").rename(folder / "cross")
    client, model = client_of(planted_network(), [folder])
    reason = client.get(f"/api/networks/{model.id}/learned").json()["images"]["reason"]
    assert reason.startswith("named has the classes 'cross', 'noise', and the outputs of ")
    assert "`convscope lab NETWORK --data FOLDER --class-names FIRST,SECOND,...`" in reason
    assert "`class_names`" not in reason


def test_a_run_keeps_its_results_while_it_has_their_weights(digits_run, tmp_path):
    run = tmp_path / "digits"
    shutil.copytree(digits_run, run)
    client, model = client_of(run)
    with client:
        api = f"/api/networks/{model.id}/learned"
        assert finish(client, api, kind="row", row="conv1")["state"] == "done"
        first = client.get(f"{api}/patches/conv1/0").json()
        shutil.rmtree(run / "learned")
        refused = client.get(f"{api}/patches/conv1/0/strip.png")
        assert refused.status_code == 404
        assert refused.json()["message"] == "The patches of conv1 were not looked for yet."
        assert client.get(f"{api}/patches/conv1/0").json() is None
        assert finish(client, api, kind="row", row="conv1")["state"] == "done"
        assert client.get(f"{api}/patches/conv1/0").json() == first
    assert [path.suffix for path in (run / "learned").iterdir()] == [".json"]
    client, _ = client_of(run)
    assert client.get(f"{api}/patches/conv1/0").json() == first
    client, model = client_of(run)
    with torch.no_grad():
        model.net.conv1.bias += 1
    assert client.get(f"{api}/patches/conv1/0").json() is None


def test_a_run_shows_the_kernels_of_parts_and_what_probes_read(digits_run, tmp_path):
    run = tmp_path / "digits"
    shutil.copytree(digits_run, run)
    client, model = client_of(run)
    with client:
        api = f"/api/networks/{model.id}/learned"
        assert finish(client, api, kind="filters")["state"] == "done"
        levels = client.get(f"{api}/levels").json()["levels"]
        level = next(level for level in levels if level["layer"] == "conv2")
        for one in level["filters"]:
            for part in one["parts"]["strongest"]:
                weights = model.net.conv2.weight[one["filter"], part["filter"]].detach().flatten()
                red, _, blue = np.array(part["kernel"]["rgb"], int).reshape(-1, 3).T
                is_clear = np.abs(weights.numpy()) > 0.1 * float(weights.abs().max())
                assert (np.sign(blue - red) == np.sign(weights.numpy()))[is_clear].all()
        assert finish(client, api, kind="probes")["state"] == "done"
        probed = client.get(f"{api}/probes").json()
    [found] = probed["labels"]
    names = [level["layer"] for level in levels[:-1]]
    assert [each["layer"] for each in found["layers"]] == names
    expected = convscope.probes(run, layers=names)
    assert [each["accuracy"] for each in found["layers"]] == [e.accuracy for e in expected.layers]
    assert (found["layers"][0]["low"], found["layers"][0]["high"]) == expected.layers[0].interval
    assert found["network"] == convscope.evaluate(run).top1


def test_a_cancelled_pass_goes_on_where_it_was(images, monkeypatch):
    client, model = client_of(planted_network(), [images[0]])
    api = f"/api/networks/{model.id}/learned"
    taken = []
    original = collection_module._take
    with client:

        def take(collection, layers, image_set, batch):
            original(collection, layers, image_set, batch)
            taken.extend(batch.indices.tolist())
            if len(taken) == 16:
                client.delete(f"/api/computations/{identity}")

        monkeypatch.setattr(collection_module, "_take", take)
        monkeypatch.setattr("convscope.features.layer_pass.choose_feeding", lambda *_: (False, 8))
        identity = None
        identity = start(client, api, kind="row", row="0")
        stopped = wait_for(lambda: _ended(client.get(f"/api/computations/{identity}").json()))
        assert stopped["state"] == "stopped"
        assert finish(client, api, kind="row", row="0")["state"] == "done"
        found = client.get(f"{api}/patches/0/0").json()
    assert taken == list(range(48))  # each image once
    assert found["images"] == 48


def test_the_results_are_those_of_evaluate_and_name_every_image(lab, images):
    client, api, model = lab
    assert client.get(f"{api}/results").json() is None
    ended = finish(client, api, kind="results")
    assert ended["state"] == "done", ended
    found = client.get(f"{api}/results").json()
    expected = convscope.evaluate(model.net, images[0], card=model.card)
    assert found["confusion"] == expected.metrics.confusion.tolist()
    assert found["names"] == list(expected.paths)
    assert found["correct"] == expected.outputs.is_correct.tolist()
    accuracy = next(one for one in found["figures"] if one["name"] == "Accuracy")
    assert accuracy["value"] == pytest.approx(expected.top1)
    assert accuracy["interval"][0] < accuracy["value"] < accuracy["interval"][1]
    assert found["confident"] == expected.mistakes.confident.tolist()
    assert any("Few images of '0', '1'" in text for text in found["distrust"])
    picture = client.get(f"{api}/image.png", params={"key": found["names"][0]})
    shown = np.asarray(Image.open(io.BytesIO(picture.content)))
    original = np.asarray(Image.open(images[0] / found["names"][0]))
    assert (shown == original).all()
    assert client.get(f"{api}/image.png", params={"key": "none"}).status_code == 404


@pytest.mark.parametrize(("count", "expected"), [(20, []), (300, [7, 40, 299])])
def test_of_very_many_classes_those_with_most_images_are_levels(count, expected):
    labels = np.array([7, 7, 40, 5, 5, 5, count - 1])
    images = SimpleNamespace(
        loaded=SimpleNamespace(dataset=SimpleNamespace(labels=labels, classes=range(count))),
        indices=np.array([0, 1, 2, 6]),  # of the split, in which class 5 has none
    )
    assert frequent_classes(images) == expected
