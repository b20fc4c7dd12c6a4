"""What Ray Serve and KServe's server would run of docs/deployment, without either.

Both libraries are replaced by the few names that the files use, so this tests what is the files'
own: which answers and which errors they give.
"""

import asyncio
import base64
import io
import json
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.requests import Request

from convscope.exported.pixels import network_input

FILES = Path(__file__).resolve().parents[2] / "docs" / "deployment"


class InvalidInput(Exception):
    """KServe's server answers it with status 400."""


class Model:
    def __init__(self, name):
        self.name = name


def module(name, **contents):
    found = ModuleType(name)
    vars(found).update(contents)
    return found


def batch(**_):
    """Each call is a batch of its own."""

    def wrap(function):
        async def one(self, image):
            (answer,) = await function(self, [image])
            return answer

        return one

    return wrap


def deployment(**_):
    def wrap(cls):
        cls.bind = classmethod(lambda cls, *given: cls(*given))
        return cls

    return wrap


def png(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def expected(net, file):
    """PyTorch's answer."""
    with torch.inference_mode():
        shares = net(torch.from_numpy(network_input(file, net.card))).softmax(1)[0]
    return pytest.approx(dict(zip(net.card.classes, shares.tolist(), strict=True)), abs=1e-5)


@pytest.fixture
def kserve_model(exports, monkeypatch):
    names = {"Model": Model, "ModelServer": None, "model_server": None}
    monkeypatch.setitem(sys.modules, "kserve", module("kserve", **names))
    errors = module("kserve.errors", InvalidInput=InvalidInput)
    monkeypatch.setitem(sys.modules, "kserve.errors", errors)
    network = runpy.run_path(str(FILES / "kserve_model.py"))["Network"]
    return network("colors", str(exports / "first"))


def test_kserve_s_model_answers_as_pytorch_does(kserve_model, networks):
    files = [png(seed) for seed in range(3)]
    payload = {"instances": [base64.b64encode(file).decode() for file in files]}
    answers = json.loads(json.dumps(kserve_model.predict(payload)))["predictions"]
    assert answers == [expected(networks[0], file) for file in files]
    assert (kserve_model.name, kserve_model.ready) == ("colors", True)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({}, "must be a list of image files in base64"),
        ({"instances": []}, "must be a list of image files in base64"),
        ({"instances": [[1, 2]]}, "must be a list of image files in base64"),
        ({"instances": ["no base64!"]}, "is not valid base64"),
        ({"instances": ["é"]}, "is not valid base64"),
        ({"instances": [base64.b64encode(b"text").decode()]}, "An image is"),
        ({"instances": [base64.b64encode(png(0)[:200]).decode()]}, "An image is"),
    ],
)
def test_kserve_s_model_refuses_what_is_no_image(kserve_model, payload, message):
    with pytest.raises(InvalidInput, match=message):
        kserve_model.predict(payload)


@pytest.fixture
def ray_network(exports, monkeypatch):
    serve = SimpleNamespace(batch=batch, deployment=deployment, Application=object)
    monkeypatch.setitem(sys.modules, "ray", module("ray", serve=serve))
    app = runpy.run_path(str(FILES / "ray_serve.py"))["app"]
    return app({"folder": str(exports / "first")})


def posted(network, body):
    async def receive():
        return {"type": "http.request", "body": body}

    response = asyncio.run(network(Request({"type": "http", "method": "POST"}, receive)))
    return response.status_code, json.loads(response.body)


def test_ray_s_deployment_answers_as_pytorch_does(ray_network, networks):
    for seed in range(3):
        assert posted(ray_network, png(seed)) == (200, expected(networks[0], png(seed)))


@pytest.mark.parametrize("body", [b"", b"text", png(0)[:200]])
def test_ray_s_deployment_refuses_what_is_no_image(ray_network, body):
    status, answer = posted(ray_network, body)
    assert status == 422
    assert answer["error"].startswith("The image ")
