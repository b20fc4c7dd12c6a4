"""Why, changes and computed pictures of the lab: planted truths, sums, the commands' numbers."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.explanation.loading import preprocess
from convscope.models import OpenedModel
from convscope.webapp.inspect.computations import Computation
from convscope.webapp.inspect.store import LoadedModel, ModelStore
from convscope.webapp.inspect.synthesis import excite, module_of
from tests.attribution.networks import card_for
from tests.webapp.fakes import wait_for

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from starlette.testclient import TestClient

from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.server import make_app

HOST = "127.0.0.1:8600"
SIDE = 16


class Marked(nn.Module):
    """Says "marked" if filter 2 finds a bright square; the other filters find nothing of use."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.fc = nn.Linear(3, 2)
        with torch.no_grad():
            self.conv.weight[2], self.conv.bias[2] = 1 / 9, -0.8
            self.fc.weight[:] = torch.tensor([[0.1, -0.2, 0], [-0.1, 0.2, 200]])
            self.fc.bias[:] = torch.tensor([0.3, 0])

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).mean((2, 3)))


class Gated(nn.Module):
    """Has no ReLU, which some methods change."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        y = self.conv(x)
        return self.fc((y * torch.sigmoid(y)).mean((2, 3)))


class OneLogit(nn.Module):
    """Returns the difference of the two logits of `Marked`, or the sigmoid of that."""

    def __init__(self, two, *, is_probability):
        super().__init__()
        self.conv, self.is_probability = two.conv, is_probability
        self.fc = nn.Linear(3, 1)
        with torch.no_grad():
            self.fc.weight[0] = two.fc.weight[1] - two.fc.weight[0]
            self.fc.bias[0] = two.fc.bias[1] - two.fc.bias[0]

    def forward(self, x):
        one = self.fc(torch.relu(self.conv(x)).mean((2, 3)))
        return one.sigmoid() if self.is_probability else one


@pytest.fixture(scope="module")
def pixels():
    """A dark image, and the same with a bright mark in its upper right corner."""
    plain = np.random.default_rng(0).integers(0, 100, (SIDE, SIDE, 1), dtype=np.uint8)
    marked = plain.copy()
    marked[1:5, 11:15] = 255
    return plain, marked


@pytest.fixture(scope="module")
def store(pixels):
    torch.manual_seed(0)
    filled = ModelStore()
    card = card_for(1, SIDE, ("plain", "marked"))
    cards = {"sigmoid": replace(card, output="probabilities")}
    marked = Marked()
    nets = {
        "marked": marked,
        "gated": Gated(),
        "one": OneLogit(marked, is_probability=False),
        "sigmoid": OneLogit(marked, is_probability=True),
    }
    for name, net in nets.items():
        opened = OpenedModel(name, net.eval(), cards.get(name, card))
        filled.models[name] = LoadedModel(name, opened, "")
        for title, each in zip(("plain", "marked"), pixels, strict=True):
            filled.add(filled.models[name], title, each)
    return filled


@pytest.fixture(scope="module")
def client(store):
    app = make_app(store, TrainingJobs(Path("none")), hosts=frozenset({HOST}))
    with TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False) as found:
        yield found


@pytest.fixture(scope="module")
def images(store):
    return {image.title: image.id for image in store.model("marked").images}


def computed(client, path, body):
    """The last state of a computation that is started so."""
    made = client.post(path, json=body).json()
    path = f"/api/computations/{made['id']}"
    assert wait_for(lambda: client.get(path).json()["state"] not in ("waiting", "running"))
    return client.get(path).json()


def numbers(client, made, name):
    answer = client.get(f"/api/computations/{made['id']}/files/{name}")
    shape = [int(n) for n in answer.headers["x-shape"].split(",")]
    return np.frombuffer(answer.content, "<f4").reshape(shape)


@pytest.mark.parametrize("method", ["grad-cam", "hires-cam", "gradient-x-input", "occlusion"])
def test_a_shortcut_in_a_corner_lights_up_and_leads_to_its_filter(client, images, method):
    path = f"/api/networks/marked/images/{images['marked']}/why"
    made = computed(client, path, {"method": method, "target": 1})
    result, heat = made["result"], numbers(client, made, "map")
    assert (made["state"], result["is_tested"], heat.shape) == ("done", True, (SIDE, SIDE))
    positive = np.maximum(heat, 0)
    assert positive[:7, 9:].sum() > 0.9 * positive.sum()
    assert result["maximum"] == pytest.approx(float(np.abs(heat).max()))
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    cells, channels = result["cells"], numbers(client, made, "channels")
    row, column = (
        np.searchsorted(cells[axis], at, side="right") - 1
        for axis, at in (("rows", y), ("columns", x))
    )
    assert (cells["row"], channels[row, column]) == ("conv", 2)


@pytest.mark.parametrize("method", ["hires-cam", "gradient-x-input", "occlusion", "grad-cam"])
@pytest.mark.parametrize("target", [0, 1])
def test_one_logit_is_the_difference_of_two(client, images, method, target):
    """The network of one number has the maps and terms of that with a logit for each class."""
    asked = {"method": method, "target": target}
    path = "/api/networks/{}/images/" + images["marked"] + "/why"
    both = computed(client, path.format("marked"), {**asked, "instead_of": 1 - target})
    one = computed(client, path.format("one"), asked)
    assert (one["state"], one["result"]["instead_of"]) == ("done", 1 - target)
    scale = both["result"]["maximum"]
    assert np.allclose(numbers(client, one, "map"), numbers(client, both, "map"), atol=1e-4 * scale)
    shares, expected = (each["result"]["shares"] for each in (one, both))
    assert (shares is None) == (expected is None) == (method in ("occlusion", "grad-cam"))
    if shares and expected:
        assert shares.pop("others") == pytest.approx(expected.pop("others"), rel=1e-4)
        assert shares == pytest.approx(expected, rel=1e-4, abs=1e-5)
    terms, expected = one["result"]["terms"], both["result"]["terms"]
    assert terms["operation"] == "fc"
    for name in ("exact_value", "bias"):
        assert terms[name] == pytest.approx(expected[name], rel=1e-5)
    assert [t["product"] for t in terms["terms"]] == pytest.approx(
        [t["product"] for t in expected["terms"]], rel=1e-5
    )


def test_why_of_a_network_that_returns_one_probability(client, images):
    path = "/api/networks/{}/images/" + images["marked"] + "/why"
    asked = {"method": "hires-cam", "target": 1}
    one, probability = (computed(client, path.format(name), asked) for name in ("one", "sigmoid"))
    scale = one["result"]["maximum"]
    found = numbers(client, probability, "map")
    assert np.allclose(found, numbers(client, one, "map"), atol=1e-3 * scale)
    expected = one["result"]["faithfulness"]["without_top"]
    assert probability["result"]["faithfulness"]["without_top"] == pytest.approx(expected, abs=1e-4)


def test_the_numbers_are_the_commands(client, store, images, pixels):
    model, path = store.model("marked"), f"/api/networks/marked/images/{images['marked']}/why"
    asked = {"method": "hires-cam", "target": 1, "instead_of": 0}
    result = computed(client, path, asked)["result"]
    fed = preprocess(pixels[1], model.card)
    expected = convscope.attribute(
        model.copy_opened().net, fed, card=model.card, method="hires-cam", target=1, instead_of=0
    )[0]["hires-cam"]
    for key, value in expected.to_dict().items():
        assert _plain(result[key]) == _plain(value), key
    assert result["facts"] == expected.facts


def _plain(value):
    """Tuples as JSON has them."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def test_the_parts_of_the_score_add_up(client, store, images):
    path = f"/api/networks/marked/images/{images['marked']}/why"
    made = computed(client, path, {"method": "hires-cam", "target": 1, "instead_of": 0})
    result, shares = made["result"], made["result"]["shares"]
    logits = store.model("marked").image(images["marked"]).recording["fc"].value
    assert shares["score"] == pytest.approx(float(logits[1] - logits[0]), rel=1e-5)
    assert sum(one["share"] for one in result["regions"]) == pytest.approx(shares["map"], rel=1e-5)
    total = shares["map"] + sum(shares["others"].values()) + shares["rest"]
    assert total == pytest.approx(shares["score"], rel=1e-9)
    assert abs(shares["rest"]) < 1e-5 * abs(shares["score"])
    terms = result["terms"]
    total = sum(term["product"] for term in terms["terms"]) + terms["remaining"]["sum"]
    assert total + terms["bias"] == pytest.approx(terms["exact_value"], rel=1e-9)
    assert terms["exact_value"] == pytest.approx(shares["score"], rel=1e-5)


def test_a_method_that_refuses_says_why_and_a_blank_map_has_its_reason(client, images):
    path = f"/api/networks/gated/images/{images['plain']}/why"
    refused = computed(client, path, {"method": "guided-backprop"})
    assert (refused["state"], refused["result"]) == ("failed", None)
    assert "ReLU" in refused["message"]
    path = f"/api/networks/marked/images/{images['plain']}/why"
    blank = computed(client, path, {"method": "guided-backprop", "target": 0})["result"]
    assert blank["problem"] or blank["maximum"] > 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"target": 2}, "2 classes"),
        ({"target": 1, "instead_of": 1}, "two different"),
        ({"method": "magic"}, "method"),
    ],
)
def test_a_question_without_sense_is_refused(client, images, body, message):
    answer = client.post(f"/api/networks/marked/images/{images['plain']}/why", json=body)
    assert answer.status_code in (404, 422)
    assert message in answer.json()["message"]


def test_the_methods_say_what_they_answer(client):
    data = client.get("/api/attribution").json()
    assert {one["name"] for one in data["methods"]} == set(convscope.attribution.methods.METHODS)
    assert data["default"] == data["methods"][0]["name"]


# Changes.


def change(client, images, title="marked", about=None, **fields):
    body = {"changes": [{"row": "conv", "map": 2, **fields}], "about": about}
    return client.post(f"/api/networks/marked/images/{images[title]}/changes", json=body)


def shares_of(answer, name):
    return [one[name] for one in answer["classes"]]


def test_silencing_the_filter_of_the_shortcut_takes_the_answer_away(client, images):
    answer = change(client, images).json()
    assert (np.argmax(shares_of(answer, "before")), np.argmax(shares_of(answer, "after"))) == (1, 0)
    assert answer["edits"] == ["relu[2]=0"]
    assert [row["row"] for row in answer["rows"]] == ["conv", "mean", "fc", "softmax"]
    assert change(client, images, map=0).json()["about"] in (0, 1)
    unused = change(client, images, title="plain").json()
    assert not unused["is_changed"]  # the mark's map is 0 already


def test_the_arithmetic_of_a_change_adds_up(client, images):
    terms = change(client, images, action="scale", value=0.5, about=1).json()["terms"]
    assert terms["operation"] == "fc"
    assert terms["sum_of_changes"] == pytest.approx(terms["after"] - terms["before"], rel=1e-5)
    [term] = terms["terms"]
    assert term["location"] == {"row": "mean", "map": 2, "y": 0, "x": 0}
    assert term["change"] == pytest.approx(200 * (term["after"] - term["before"]), rel=1e-6)


@pytest.mark.parametrize(
    ("fields", "edit"),
    [
        ({"at": [2, 12], "action": "set", "value": 3.0}, "relu[2,2,12]=3"),
        ({"part": "filter"}, "conv.weight[2]=0"),
        ({"action": "add", "value": -0.25}, "relu[2]+=-0.25"),
        ({"action": "mean"}, "relu[2]=mean"),
    ],
)
def test_every_change_is_what_the_command_does(client, store, images, pixels, fields, edit):
    answer = change(client, images, **fields).json()
    model = store.model("marked")
    expected = convscope.intervene(
        model.copy_opened().net, preprocess(pixels[1], model.card)[0], set=edit, card=model.card
    )
    assert answer["edits"] == [edit]
    before, after = expected.probabilities()
    assert shares_of(answer, "before") == pytest.approx(before.tolist())
    assert shares_of(answer, "after") == pytest.approx(after.tolist())


def test_a_map_of_another_image_is_put_in_place_and_no_file_is_read(client, images, tmp_path):
    patched = change(client, images, action="patch", image=images["plain"]).json()
    silenced = change(client, images).json()
    assert shares_of(patched, "after") == shares_of(silenced, "after")  # there the map is 0
    secret = tmp_path / "secret.png"
    Image.new("L", (SIDE, SIDE)).save(secret)
    refused = change(client, images, action="patch", image=str(secret))
    assert (refused.status_code, "gone from" in refused.json()["message"]) == (404, True)
    same = change(client, images, action="patch", image=images["marked"])
    assert "another image" in same.json()["message"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"map": 3}, "has no unit"),
        ({"at": [16, 0]}, "has no unit"),
        ({"row": "mean", "part": "filter"}, "no filters"),
        ({"row": "none"}, "no layer"),
    ],
)
def test_a_change_of_what_is_not_there_is_refused(client, images, fields, message):
    answer = change(client, images, **fields)
    assert (answer.status_code, message in answer.json()["message"]) == (404, True)


def test_a_network_that_is_no_run_says_why_it_has_no_data(client, images):
    body = {"changes": [{"row": "conv", "map": 2}]}
    path = f"/api/networks/marked/images/{images['plain']}/changes"
    assert "is not a run" in client.post(f"{path}/data", json=body).json()["message"]
    possible = client.get(f"{path}/conv").json()
    assert (possible["filter"], possible["module"]) == ("conv.weight", "conv")
    assert client.get(f"{path}/mean").json()["module"] == ""
    refused = client.post(
        f"/api/networks/marked/images/{images['plain']}/synthesis", json={"row": "mean"}
    )
    assert "computed by a function" in refused.json()["message"]


def test_changes_over_the_data_are_the_commands(digits_run):
    store = ModelStore()
    model = store.open(digits_run)
    image = store.add(model, "ramp", np.arange(1024, dtype=np.uint8).reshape(32, 32, 1))
    app = make_app(store, TrainingJobs(Path("none")), hosts=frozenset({HOST}))
    with TestClient(app, base_url=f"http://{HOST}") as own:
        path = f"/api/networks/{model.id}/images/{image.id}/changes/data"
        body = {"changes": [{"row": "conv2", "map": 3}, {"row": "conv1", "map": 1}]}
        result = computed(own, path, body)["result"]
    expected = convscope.intervene_on_data(digits_run, set=["tanh2[3]=0", "tanh1[1]=0"])
    assert _plain(result) == _plain(expected.to_dict())


# Pictures.


def test_the_module_of_a_row_is_the_one_that_returns_it():
    net = convscope.create_model("resnet20_cifar", num_classes=2).eval()
    store = ModelStore()
    model = store.open(net)
    image = store.add(model, "gray", np.full((32, 32, 3), 128, dtype=np.uint8))
    rows = image.units.rows
    found = {name: module_of(image.recording, rows[name]) for name in rows if name != "image"}
    assert found["conv1"] == "conv1"
    assert found["conv2_1.conv1"] == "conv2_1.conv1"
    assert found["fc"] == "fc"
    blocks = [name for name in found if name.endswith(".add")]
    assert blocks
    assert all(found[name] == name.replace(".add", ".relu") for name in blocks)


def worked(work, *arguments):
    """A computation after its work, here and now; and the versions that it had."""
    seen = []
    computation = Computation("key", lambda done: work(done, *arguments))
    publish = computation.publish
    computation.publish = lambda result, files=None: (seen.append(result), publish(result, files))
    computation.run()
    assert computation.state == "done", computation.message
    return computation, seen


def test_a_computed_picture_grows_and_is_the_commands(store):
    model = store.model("marked")
    found, seen = worked(excite, model, "conv", (2,))
    expected = convscope.synthesize(model.copy_opened().net, "conv[2]", card=model.card).pictures[0]
    assert [result["is_final"] for result in seen][:1] == [False]
    assert found.result["value"] == pytest.approx(expected.value)
    shown = np.asarray(Image.open(io.BytesIO(found.files["picture"].data)))
    assert np.array_equal(shown, expected.pixels[..., 0])
    assert not model.net.training
    assert all(parameter.requires_grad for parameter in model.net.parameters())
