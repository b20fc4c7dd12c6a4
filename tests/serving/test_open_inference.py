"""The Open Inference Protocol, spoken by Triton's own client."""

import json

import numpy as np
import pytest

import convscope
from tests.serving.servers import photograph, served

http = pytest.importorskip("tritonclient.http")
utils = pytest.importorskip("tritonclient.utils")

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 31, 47, 3), np.uint8)
TOKEN = "a-token-of-a-test"  # noqa: S105 -- a test's own


@pytest.fixture(scope="module")
def server(exports):
    with served(exports / "first", "--threads", 1, "--name", "net") as running:
        yield running


@pytest.fixture
def client(server):
    client = http.InferenceServerClient(f"127.0.0.1:{server.port}")
    yield client
    client.close()


@pytest.fixture(scope="module")
def expected(networks):
    """What PyTorch says of PIXELS, in the order of the classes."""
    predictions = convscope.predict(networks[0], list(PIXELS), top=3)
    return np.array(
        [[dict(one.top_k)[name] for name in ("cat", "dog", "owl")] for one in predictions]
    )


def tensor(pixels=PIXELS, *, binary=True):
    given = http.InferInput("images", list(pixels.shape), "UINT8")
    return given.set_data_from_numpy(pixels, binary_data=binary)


def test_health_and_metadata(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("net")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["name"] == "convscope"
    metadata = client.get_model_metadata("net")
    assert metadata["name"] == "net"
    assert metadata["inputs"] == [{"name": "images", "datatype": "UINT8", "shape": [-1, -1, -1, 3]}]
    assert client.is_model_ready("net", metadata["versions"][0])
    assert client.get_model_metadata("net", metadata["versions"][0]) == metadata


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_pixels(client, expected, binary, compression):
    result = client.infer(
        "net", [tensor(binary=binary)], request_id="7", request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )  # fmt: skip
    np.testing.assert_allclose(result.as_numpy("probabilities"), expected, atol=1e-5)
    names = np.array([b"cat", b"dog", b"owl"])
    assert list(result.as_numpy("label")) == list(names[expected.argmax(1)])
    assert result.get_response()["id"] == "7"


@pytest.mark.parametrize("binary", [True, False])
def test_chosen_outputs(client, expected, binary):
    wanted = [http.InferRequestedOutput("probabilities", binary_data=binary)]
    result = client.infer("net", [tensor()], outputs=wanted)
    np.testing.assert_allclose(result.as_numpy("probabilities"), expected, atol=1e-5)
    assert result.as_numpy("label") is None
    ranked = [http.InferRequestedOutput("probabilities", binary_data=binary, class_count=2)]
    texts = client.infer("net", [tensor()], outputs=ranked).as_numpy("probabilities")
    assert texts.shape == (3, 2)
    value, index, name = texts[0, 0].decode().split(":") if binary else texts[0, 0].split(":")
    assert float(value) == pytest.approx(expected[0].max(), abs=1e-5)
    assert ("cat", "dog", "owl")[int(index)] == name


def test_image_files(client, networks):
    files = [photograph(seed=seed) for seed in range(2)]
    given = http.InferInput("images", [2], "BYTES")
    given.set_data_from_numpy(np.array(files, dtype=np.object_))
    labels = client.infer("net", [given]).as_numpy("label")
    assert [label.decode() for label in labels] == convscope.predict(networks[0], files).labels


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("other", tensor(), "no such network"),
        ("net", tensor(PIXELS[..., :1]), "UINT8 .n, height, width, 3"),
        ("net", tensor(PIXELS[0]), "UINT8 .n, height, width, 3"),
        ("net", tensor(np.zeros((33, 1, 1, 3), np.uint8)), "up to 32 images"),
        ("net", http.InferInput("other", [1], "FP32").set_data_from_numpy(np.zeros(1, np.float32)),
         "no input 'other'"),
        ("net", http.InferInput("images", [1], "BYTES").set_data_from_numpy(
            np.array([b"no image"], dtype=np.object_)), "Image 0 is a text file"),
    ],
)  # fmt: skip
def test_errors_are_texts_that_the_client_reads(client, name, given, words):
    with pytest.raises(utils.InferenceServerException, match=words):
        client.infer(name, [given])


def test_an_unknown_output(client):
    with pytest.raises(utils.InferenceServerException, match="no output 'other'"):
        client.infer("net", [tensor()], outputs=[http.InferRequestedOutput("other")])


GOOD = {"name": "images", "datatype": "UINT8", "shape": [1, 1, 1, 3], "data": [1, 2, 3]}
MALFORMED = {
    "no object": [],
    "no inputs": {},
    "two inputs": {"inputs": [GOOD, GOOD]},
    "no tensor": {"inputs": [1]},
    "no shape": {"inputs": [{**GOOD, "shape": None}]},
    "a shape of texts": {"inputs": [{**GOOD, "shape": ["1"]}]},
    "a huge shape": {"inputs": [{**GOOD, "shape": [1, 1 << 40, 1 << 40, 3]}]},
    "a negative shape": {"inputs": [{**GOOD, "shape": [-1, -1, 1, 3]}]},
    "true in a shape": {"inputs": [{**GOOD, "shape": [True, 1, 1, 3]}]},
    "too few numbers": {"inputs": [{**GOOD, "data": [1, 2]}]},
    "numbers that are no bytes": {"inputs": [{**GOOD, "data": [1, 2, 300]}]},
    "negative numbers": {"inputs": [{**GOOD, "data": [1, 2, -3]}]},
    "floats": {"inputs": [{**GOOD, "data": [1.5, 2, 3]}]},
    "ragged": {"inputs": [{**GOOD, "data": [[1], [2, 3]]}]},
    "empty": {"inputs": [{**GOOD, "data": []}]},
    "texts": {"inputs": [{**GOOD, "data": ["1", "2", "3"]}]},
    "no data": {"inputs": [{name: GOOD[name] for name in ("name", "datatype", "shape")}]},
    "binary that did not come": {"inputs": [{**GOOD, "parameters": {"binary_data_size": 3}}]},
    "no base64": {"inputs": [{**GOOD, "datatype": "BYTES", "shape": [1], "data": ["%"]}]},
    "a number of bytes": {"inputs": [{**GOOD, "datatype": "BYTES", "shape": [1], "data": [1]}]},
    "fewer files": {"inputs": [{**GOOD, "datatype": "BYTES", "shape": [2], "data": ["aGk="]}]},
    "an id": {"inputs": [GOOD], "id": 1},
    "outputs": {"inputs": [GOOD], "outputs": 1},
    "an output": {"inputs": [GOOD], "outputs": [1]},
    "a classification": {"inputs": [GOOD], "outputs": [
        {"name": "probabilities", "parameters": {"classification": "x"}}]},
    "parameters": {"inputs": [GOOD], "parameters": 1},
}  # fmt: skip


@pytest.mark.parametrize("kind", MALFORMED)
def test_what_does_not_fit_the_protocol_is_refused(server, kind):
    answer = server.ask("POST", "/v2/models/net/infer", json.dumps(MALFORMED[kind]))
    assert answer.status == 400, answer.body
    assert answer.json["error"]


@pytest.mark.parametrize("length", ["x", "-1", "9" * 30, "1000000", "²"])
def test_a_wrong_length_of_the_header_is_refused(server, length):
    headers = {"Inference-Header-Content-Length": length.encode()}
    assert server.ask("POST", "/v2/models/net/infer", json.dumps({}), headers).status == 400


def test_a_binary_tensor_that_ends_within_an_element(server):
    head = json.dumps({"inputs": [{"name": "images", "datatype": "BYTES", "shape": [1],
                                   "parameters": {"binary_data_size": 6}}]}).encode()  # fmt: skip
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = server.ask("POST", "/v2/models/net/infer", head + b"\xff\0\0\0hi", headers)
    assert (answer.status, "ends within" in answer.json["error"]) == (400, True)


def test_the_token(exports):
    environment = {"CONVSCOPE_TOKEN": TOKEN}
    with served(exports / "first", "--name", "net", environment=environment) as server:
        client = http.InferenceServerClient(f"127.0.0.1:{server.port}")
        assert client.is_server_ready()
        with pytest.raises(utils.InferenceServerException, match="Send the token"):
            client.infer("net", [tensor()])
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert client.infer("net", [tensor()], headers=bearer).as_numpy("label").shape == (3,)
        client.close()
