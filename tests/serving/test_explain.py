"""`convscope serve RUN --explain`: the heat map and the largest terms."""

import base64
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.http_server.access import Refusal
from convscope.serving.explaining import Explainer
from convscope.serving.models import load_model
from tests.serving.servers import JPEG, photograph, served


@pytest.fixture(scope="module")
def explaining(digits_run, tmp_path_factory):
    run = shutil.copytree(digits_run, tmp_path_factory.mktemp("served") / "digits")
    convscope.export(run, run / "exported", engine="onnxruntime", threads=1)
    with served(run, "--threads", 1, "--explain") as running:
        yield run, running


def test_the_answer_is_the_map_of_attribute_and_the_terms_of_explain(explaining, tmp_path):
    run, server = explaining
    image = photograph()
    (tmp_path / "photo.jpg").write_bytes(image)
    (same,) = convscope.attribute(
        run, tmp_path / "photo.jpg", random_orders=0, random_weights=False
    )
    (predicted,) = server.predict(image, JPEG).json["predictions"]
    answer = server.ask("POST", "/explain", image, JPEG, 200)
    assert answer.status == 200
    said = answer.json
    assert said["target"] == same.target.name == predicted["label"]
    assert said["probability"] == pytest.approx(max(same.probabilities))
    assert said["probability"] == pytest.approx(predicted["probability"], abs=0.01)  # Pillow scales
    assert said["layer"] == same["grad-cam"].layer
    assert said["scale"]["maximum"] == pytest.approx(same["grad-cam"].maximum)
    picture = Image.open(io.BytesIO(base64.b64decode(said["heat_map"])))
    assert np.asarray(picture).shape == same.photo.pixels.shape
    explanation = convscope.explain(run, tmp_path / "photo.jpg")
    first = explanation.terms[explanation.top_terms[0]]
    assert said["terms"][0]["unit"] == str(first.location)
    assert said["terms"][0]["contribution"] == pytest.approx(first.product)
    sizes = [abs(term["contribution"]) for term in said["terms"]]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("class=eleven", "There is no class 'eleven'"),
        ("method=gradcam", "There is no method 'gradcam'"),
    ],
)
def test_a_wrong_request_is_refused_by_name(explaining, query, message):
    answer = explaining[1].ask("POST", f"/explain?{query}", photograph(), JPEG, 200)
    assert answer.status == 422
    assert message in answer.json["error"]


def test_an_image_of_too_many_pixels_is_not_decoded(explaining):
    run, _ = explaining
    model = load_model(run / "exported", name=None, engine="onnxruntime", threads=1, batch_size=1)
    explain = Explainer(run, max_pixels=1000)
    assert explain(photograph(20, 20), model, None, "grad-cam")["heat_map"]
    with pytest.raises(Refusal, match="2,400 pixels; more than 1,000") as refused:
        explain(photograph(60, 40), model, None, "grad-cam")
    assert refused.value.status == 422


def test_a_class_is_explained_by_name(explaining):
    answer = explaining[1].ask("POST", "/explain?class=3&method=occlusion", photograph(), JPEG, 200)
    assert (answer.json["target"], answer.json["method"]) == ("3", "occlusion")
    described = explaining[1].ask("GET", "/openapi.json").json
    assert "post" in described["paths"]["/explain"]


def test_without_the_flag_there_is_no_explanation(server):
    answer = server.ask("POST", "/explain", photograph(), JPEG, 200)
    assert answer.status == 404
    assert "--explain" in answer.json["error"]
    assert "/explain" not in json.dumps(server.ask("GET", "/openapi.json").json["paths"])


def test_an_exported_network_alone_is_refused(exports, command):
    said = command("serve", exports / "first", "--explain", code=2).stderr
    assert "--explain needs the run itself" in said
