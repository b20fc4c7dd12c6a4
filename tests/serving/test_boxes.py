"""A network that finds objects, served."""

import io
import json

import numpy as np
import pytest

import convscope
from tests.conversion.test_boxes import network, picture
from tests.explanation.test_boxes import anchored
from tests.serving.servers import served

PNG = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "exported"
    return convscope.export(network(anchored), path, engine="onnxruntime", threads=1).path


@pytest.fixture(scope="module")
def server(folder):
    with served(folder, "--threads", 1) as running:
        yield running


@pytest.fixture(scope="module")
def file():
    content = io.BytesIO()
    picture((48, 27)).save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize("min_score", [0.5, 0.05])
def test_the_answer_has_the_boxes_of_predict(server, folder, file, min_score):
    answer = server.ask("POST", f"/predict?min_score={min_score}", file, PNG)
    assert answer.status == 200
    (said,) = answer.json["predictions"]
    expected = convscope.predict(folder, [picture((48, 27))], min_score=min_score)[0].to_dict()
    assert (said["width"], said["height"]) == (48, 27)
    assert [one["label"] for one in said["objects"]] == [
        one["label"] for one in expected["objects"]
    ]
    for one, other in zip(said["objects"], expected["objects"], strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    assert bool(said["objects"]) is (min_score < 0.5 or bool(expected["objects"]))


def test_the_description_fits_the_answer(server, file):
    described = server.ask("GET", "/openapi.json").json
    schema = described["components"]["schemas"]["Prediction"]["properties"]
    (said,) = server.ask("POST", "/predict?min_score=0.05", file, PNG).json["predictions"]
    assert said.keys() <= schema.keys()
    item = schema["objects"]["items"]
    assert said["objects"][0].keys() == item["properties"].keys() == {*item["required"]}
    (parameter,) = described["paths"]["/predict"]["post"]["parameters"]
    assert (parameter["name"], parameter["schema"]["default"]) == ("min_score", 0.5)
    assert "Finds objects" in described["info"]["summary"]
    assert any(path.endswith("/infer") for path in described["paths"])


@pytest.mark.parametrize("wrong", ["2", "-1", "much", "1e-3"])
def test_an_impossible_score_is_refused(server, file, wrong):
    answer = server.ask("POST", f"/predict?min_score={wrong}", file, PNG)
    assert answer.status == 422
    assert "`min_score`" in answer.json["error"]


def infer(server, content, **more):
    name = server.ask("GET", "/health").json["model"]
    body = json.dumps({**content, **more}).encode()
    return server.ask(
        "POST", f"/v2/models/{name}/infer", body, {"Content-Type": "application/json"}
    )


def inputs(*images):
    pixels = np.stack([np.asarray(image) for image in images])
    tensor = {"name": "images", "datatype": "UINT8", "shape": [*pixels.shape]}
    return {"inputs": [{**tensor, "data": pixels.ravel().tolist()}]}


def test_the_other_protocol_has_a_row_for_each_object(server, folder):
    images = [picture((48, 27), seed) for seed in range(3)]
    answer = infer(server, inputs(*images), parameters={"min_score": 0.05})
    assert answer.status == 200
    told = {one["name"]: one for one in answer.json["outputs"]}
    described = server.ask("GET", f"/v2/models/{answer.json['model_name']}").json["outputs"]
    assert [one["name"] for one in described] == [*told]
    for one in described:
        assert told[one["name"]]["datatype"] == one["datatype"]
        assert len(told[one["name"]]["shape"]) == len(one["shape"])
    expected = [
        (index, one)
        for index, image in enumerate(images)
        for one in convscope.predict(folder, [image], min_score=0.05)[0].objects
    ]
    assert len({index for index, _ in expected}) > 1
    assert told["image_index"]["data"] == [index for index, _ in expected]
    assert told["labels"]["data"] == [one.label for _, one in expected]
    assert told["scores"]["data"] == pytest.approx([one.score for _, one in expected], abs=1e-5)
    boxes = np.reshape(told["boxes"]["data"], told["boxes"]["shape"])
    assert boxes == pytest.approx(np.array([one.box for _, one in expected]), abs=1e-3)
    none = infer(server, inputs(images[0]), parameters={"min_score": 1}).json["outputs"]
    assert [one["shape"] for one in none] == [[0, 4], [0], [0], [0]]


def test_binary_tensors_are_those_of_json(server):
    content = inputs(picture((48, 27)))
    plain = infer(server, content, parameters={"min_score": 0.05}).json["outputs"]
    found = infer(
        server, content, parameters={"min_score": 0.05},
        outputs=[{"name": name, "parameters": {"binary_data": True}}
                 for name in ("image_index", "boxes")],
    )  # fmt: skip
    length = {key.lower(): value for key, value in found.headers.items()}
    head = int(length["inference-header-content-length"])
    told = json.loads(found.body[:head])["outputs"]
    first = told[0]["parameters"]["binary_data_size"]
    numbers = np.frombuffer(found.body[head : head + first], "<i8")
    boxes = np.frombuffer(found.body[head + first :], "<f4")
    assert numbers.tolist() == plain[3]["data"]
    assert boxes.tolist() == pytest.approx(plain[0]["data"])


@pytest.mark.parametrize("wrong", [2, -1, "much", True, None])
def test_the_other_protocol_refuses_impossible_scores_and_tensors(server, wrong):
    answer = infer(server, inputs(picture((48, 27))), parameters={"min_score": wrong})
    assert answer.status == 400
    assert "`min_score`" in answer.json["error"]
    unknown = infer(server, inputs(picture((48, 27))), outputs=[{"name": "probabilities"}])
    assert "boxes, scores, labels, image_index" in unknown.json["error"]


def test_an_unreadable_image_has_its_error(server):
    answer = server.ask("POST", "/predict", b"no image", PNG)
    assert answer.status == 422
    assert "error" in answer.json["predictions"][0]
