"""A network that finds objects, served."""

import io

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
    assert not any(path.endswith("/infer") for path in described["paths"])


@pytest.mark.parametrize("wrong", ["2", "-1", "much", "1e-3"])
def test_an_impossible_score_is_refused(server, file, wrong):
    answer = server.ask("POST", f"/predict?min_score={wrong}", file, PNG)
    assert answer.status == 422
    assert "`min_score`" in answer.json["error"]


def test_the_other_protocol_says_where_boxes_are(server):
    name = server.ask("GET", "/health").json["model"]
    answer = server.ask(
        "POST", f"/v2/models/{name}/infer", b"{}", {"Content-Type": "application/json"}
    )
    assert answer.status == 400
    assert "/predict" in answer.json["error"]
    assert server.ask("GET", f"/v2/models/{name}").status == 400


def test_an_unreadable_image_has_its_error(server):
    answer = server.ask("POST", "/predict", b"no image", PNG)
    assert answer.status == 422
    assert "error" in answer.json["predictions"][0]
