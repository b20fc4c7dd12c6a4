"""What layers hold for an image, over the API: of a finished run, epoch by epoch."""

import io
import json
import shutil
import struct

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

import torch
from PIL import Image
from starlette.testclient import TestClient

from convscope.explanation.loading import preprocess
from convscope.runs.folder import Run
from convscope.runs.live_files import Live
from convscope.runs.network import load_state, rebuild
from convscope.training.epoch_weights import EpochWeights
from convscope.webapp.jobs.jobs import TrainingJobs
from tests.webapp.fakes import fake_run, lab


@pytest.fixture(scope="module")
def run(digits_run, tmp_path_factory):
    """A run of one's own, in a folder with one that was never trained."""
    folder = tmp_path_factory.mktemp("runs")
    fake_run(folder / "empty")
    return shutil.copytree(digits_run, folder / "run")


@pytest.fixture(scope="module")
def api(run):
    with TestClient(lab(TrainingJobs(run.parent))) as client:
        yield client


@pytest.fixture
def address(run):
    return f"/api/runs/{run.name}"


def unpacked(body):
    """The header, and each tensor as numbers."""
    (length,) = struct.unpack("<I", body[:4])
    header = json.loads(body[4 : 4 + length])
    tensors = {}
    for tensor in header["tensors"]:
        kind = np.uint8 if tensor["name"] == "pixels" else np.int8
        count = int(np.prod(tensor["shape"]))
        flat = np.frombuffer(body, kind, count, 4 + length + tensor["offset"])
        tensors[tensor["name"]] = flat.reshape(tensor["shape"])
    return header, tensors


def network_after(run, step):
    run = Run.open(run)
    card = run.read_card()
    net, _ = rebuild(run, run.read_config(), card)
    load_state(net, EpochWeights(run.path).read(step).tensors, where="", card=card)
    return net.eval(), card


def test_the_maps_of_an_epoch_are_those_of_its_weights(api, address, run):
    examples = api.get(f"{address}/examples").json()
    pixels = np.frombuffer(api.get(f"{address}/examples.bin").content, np.uint8)
    pixels = pixels.reshape(*(examples[side] for side in ("count", "height", "width", "channels")))
    assert [image["truth"] for image in examples["images"]] == [str(digit) for digit in range(10)]
    steps = [epoch["step"] for epoch in examples["epochs"]]
    assert examples["epochs"][0] == {"step": 0, "epoch": 0}
    assert len(steps) > 1
    assert api.post(f"{address}/examples/7").json()["truth"] == "7"
    for step in (steps[0], steps[-1]):
        answer = api.get(f"{address}/layers.bin", params={"step": step})
        header, tensors = unpacked(answer.content)
        net, card = network_after(run, step)
        with torch.no_grad():
            images = preprocess(pixels[7], card)
            maps, logits = net.conv1(images)[0].numpy(), net(images)[0]
        assert header["step"] == step
        assert header["example"]["truth"] == "7"
        assert np.array_equal(tensors["pixels"][0], pixels[7])
        peak = header["layers"][0]["parts"]["activation"]["peak"]
        assert peak == pytest.approx(np.abs(maps).max(), rel=1e-6)
        assert np.abs(tensors["0/activation"][:, 0] * peak / 127 - maps).max() <= 0.51 * peak / 127
        assert header["answers"][0][0] == card.classes[int(logits.argmax())]
        loss = torch.nn.functional.cross_entropy(logits[None], torch.tensor([7]))
        assert header["loss"] == pytest.approx(loss.item(), rel=1e-4)
        assert "0/weight_gradient" not in tensors, "nothing is trained here"


def test_a_drawing_is_shown_without_a_class(api, address):
    kept = io.BytesIO()
    drawn = np.zeros((56, 56), np.uint8)
    drawn[8:48, 24:32] = 255
    Image.fromarray(drawn).save(kept, "PNG")
    told = api.post(f"{address}/example", params={"title": "a drawing"}, content=kept.getvalue())
    assert told.json() == {"name": "a drawing", "label": None, "truth": ""}
    step = api.get(f"{address}/examples").json()["epochs"][-1]["step"]
    header, tensors = unpacked(api.get(f"{address}/layers.bin", params={"step": step}).content)
    assert header["example"]["name"] == "a drawing"
    assert header["target"] == int(header["answers"][0][0])
    assert tensors["pixels"].shape == (1, 32, 32, 1)
    assert tensors["pixels"].max() > 200
    assert api.get(f"{address}/layers.bin").status_code == 404, "nobody looked while it trained"


def test_what_is_not_there_is_refused_in_a_sentence(api, address):
    wrong = [
        api.get(f"{address}/layers.bin", params={"step": 1}),
        api.post(f"{address}/examples/10"),
        api.post(f"{address}/example", content=b"no image"),
        api.get("/api/runs/empty/confusion"),
        api.get("/api/runs/empty/layers.bin"),
    ]
    for answer in wrong:
        assert answer.status_code in (404, 422)
        assert answer.json()["message"].endswith(".")
    assert api.get("/api/runs/empty/examples").json()["images"] == []
    assert api.get("/api/runs/empty/examples.bin").content == b""


def test_the_confusion_matrix_is_that_of_the_last_validation(api, address, run):
    told = api.get(f"{address}/confusion").json()
    counts = np.array(told["counts"])
    metrics = Run(run).read_metrics()
    last = next(line for line in metrics if line["step"] == told["step"])
    assert last is metrics[-1]
    assert np.trace(counts) / counts.sum() == pytest.approx(last["val_top1"])
    assert told["classes"] == [str(digit) for digit in range(10)]


def test_to_look_is_what_the_training_sees(api, address, run):
    live = Live(run)
    assert not live.is_watched("watched_layers")
    assert api.post(f"{address}/layers/watch").json() == {}
    assert live.is_watched("watched_layers")
    (live.folder / "watched_layers").unlink()


@pytest.mark.parametrize("body", [{"command": "lr"}, {"command": "pause", "lr": 0.1}])
def test_a_learning_rate_goes_with_its_command_alone(api, address, body):
    answer = api.post(f"{address}/commands", json=body)
    assert (
        answer.json()["message"] == "The command lr goes with a learning rate, and only that one."
    )


@pytest.mark.parametrize("lr", [0, -1, 1e9])
def test_a_learning_rate_is_checked_as_the_setting_is(api, address, lr):
    answer = api.post(f"{address}/commands", json={"command": "lr", "lr": lr})
    assert answer.status_code == 404
    assert "lr must be" in answer.json()["message"]
