"""What the server answers: as `convscope.predict` does with PyTorch, in whatever form."""

import base64
import gzip
import json
import subprocess
import sys
import tracemalloc
import zlib

import pytest

import convscope
from convscope.http_server.access import Refusal
from convscope.serving.bodies import decompress
from tests.serving.servers import JPEG, photograph

CURL = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


def form(*files):
    """The body and headers of a form with (name, content)."""
    parts = [
        b'--xyz\r\nContent-Disposition: form-data; name="image"; filename="'
        + name.encode()
        + b'"\r\nContent-Type: application/octet-stream\r\n\r\n'
        + content
        + b"\r\n"
        for name, content in files
    ]
    return b"".join([*parts, b"--xyz--\r\n"]), {"Content-Type": "multipart/form-data; boundary=xyz"}


@pytest.fixture(scope="module")
def files():
    sizes = [(60, 40), (31, 47), (20, 16), (200, 300)]
    forms = ["JPEG", "PNG", "BMP", "JPEG"]
    return [
        photograph(*size, form=kind, seed=seed)
        for seed, (size, kind) in enumerate(zip(sizes, forms, strict=True))
    ]


@pytest.fixture(scope="module")
def expected(networks, files):
    """What PyTorch says."""
    return [prediction.to_dict() for prediction in convscope.predict(networks[0], files, top=3)]


def agrees(said, expected):
    assert said["label"] == expected["label"]
    assert said["probability"] == pytest.approx(expected["probability"], abs=1e-5)
    assert said["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-5)
    assert list(said["probabilities"]) == list(expected["probabilities"])


def test_the_images_differ_in_their_answers(expected):
    assert len({round(one["probability"], 3) for one in expected}) == len(expected)


def test_a_file_alone(server, files, expected):
    for content, wanted in zip(files, expected, strict=True):
        for headers in (JPEG, {"Content-Type": "application/octet-stream"}, CURL, {}):
            answer = server.predict(content, headers)
            assert answer.status == 200
            (said,) = answer.json["predictions"]
            agrees(said, wanted)


def test_a_form_of_several_files(server, files, expected):
    names = [f"{index}.jpg" for index in range(len(files))]
    answer = server.predict(*form(*zip(names, files, strict=True)))
    assert [said["name"] for said in answer.json["predictions"]] == names
    for said, wanted in zip(answer.json["predictions"], expected, strict=True):
        agrees(said, wanted)


def test_base64(server, files, expected):
    texts = [base64.b64encode(content).decode() for content in files]
    texts[1] = f"data:image/png;base64,{texts[1]}"
    many = server.predict(json.dumps({"images": texts}), JSON)
    for said, wanted in zip(many.json["predictions"], expected, strict=True):
        agrees(said, wanted)
    one = server.predict(json.dumps({"image": texts[0]}), JSON)
    agrees(one.json["predictions"][0], expected[0])


def test_chunked_and_compressed_bodies(server, files, expected):
    chunks = (files[0][start : start + 100] for start in range(0, len(files[0]), 100))
    agrees(server.predict(chunks, JPEG).json["predictions"][0], expected[0])
    for encoding, content in (
        ("gzip", gzip.compress(files[0])),
        ("deflate", zlib.compress(files[0])),
    ):
        answer = server.predict(content, {**JPEG, "Content-Encoding": encoding})
        agrees(answer.json["predictions"][0], expected[0])


def test_top_says_how_many_classes(server, files):
    said = server.ask("POST", "/predict?top=1", files[0], JPEG).json["predictions"][0]
    assert list(said["probabilities"]) == [said["label"]]
    for wrong in ("0", "-1", "x", "1.5", ""):
        assert server.ask("POST", f"/predict?top={wrong}", files[0], JPEG).status == 422


def test_an_unreadable_image_has_its_error_in_its_place(server, files):
    answer = server.predict(*form(("a.jpg", files[0]), ("b.jpg", b"no image"), ("c.jpg", b"")))
    assert answer.status == 200
    first, second, third = answer.json["predictions"]
    assert "label" in first
    assert "error" not in first
    assert "text file" in second["error"]
    assert "empty" in third["error"]
    assert second["name"] == "b.jpg"


def test_where_no_image_can_be_read_the_status_says_so(server):
    answer = server.predict(b"no image")
    assert answer.status == 422
    assert "text file" in answer.json["error"]
    assert answer.json["error"] == answer.json["predictions"][0]["error"]


REFUSED = {
    "nothing": (b"", {}, 400),
    "no image at all": (b"", JPEG, 400),
    "a text": (b"x", {"Content-Type": "text/plain"}, 415),
    "urlencoded": (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 422),
    "a list": (b"[]", JSON, 400),
    "no JSON": (b"{", JSON, 400),
    "NaN": (b'{"images": NaN}', JSON, 400),
    "a key twice": (b'{"image": "", "image": ""}', JSON, 400),
    "deep": (b'{"images": ' + b"[" * 5000 + b"]" * 5000 + b"}", JSON, 400),
    "a number": (b'{"image": 1}', JSON, 400),
    "an object": (b'{"images": [{}]}', JSON, 400),
    "a text for a list": (b'{"images": "aGk="}', JSON, 400),
    "no images": (b'{"images": []}', JSON, 400),
    "unknown key": (b'{"img": "aGk="}', JSON, 400),
    "no base64": (b'{"image": "%%%"}', JSON, 400),
    "a path": (b'{"path": "/etc/passwd"}', JSON, 400),
    "not UTF-8": (b"\xff\xfe", JSON, 400),
    "no boundary": (b"x", {"Content-Type": "multipart/form-data"}, 400),
    "a long boundary": (b"x", {"Content-Type": f"multipart/form-data; boundary={'x' * 300}"}, 400),
    "another boundary": (
        form(("a", b"b"))[0], {"Content-Type": "multipart/form-data; boundary=a"}, 400
    ),
    "cut form": (form(("a", b"b"))[0][:-20], form()[1], 400),
    "no file": (
        b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--xyz--\r\n', form()[1], 400
    ),
    "headers of parts": (b"--xyz\r\n" + b"X: y\r\n" * 50 + b"\r\n1\r\n--xyz--\r\n", form()[1], 400),
    "many parts": (*form(*[("a", b"")] * 33), 413),
    "many parts of nothing": (b"--xyz\r\n\r\n\r\n" * 10_000 + b"--xyz--\r\n", form()[1], 400),
    "many images": (json.dumps({"images": [""] * 33}).encode(), JSON, 413),
    "not gzip": (b"x", {**JPEG, "Content-Encoding": "gzip"}, 400),
    "cut gzip": (gzip.compress(b"x" * 1000)[:-9], {**JPEG, "Content-Encoding": "gzip"}, 400),
    "brotli": (b"x", {**JPEG, "Content-Encoding": "br"}, 415),
    "twice": (b"x", {**JPEG, "Content-Encoding": "gzip, gzip"}, 415),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_request_is_refused(server, kind):
    body, headers, status = REFUSED[kind]
    answer = server.predict(body, headers)
    assert answer.status == status, answer.body
    assert answer.json["error"].endswith((".", "}"))


def test_what_unpacks_to_too_much_is_refused_before_it_is_unpacked(server):
    packed = gzip.compress(bytes(33 << 20))
    answer = server.predict(packed, {**JPEG, "Content-Encoding": "gzip"})
    assert len(packed) < 100_000
    assert answer.status == 413


def test_no_more_is_unpacked_than_is_read():
    """64 MB of zeros, of which one is enough to know that they are too many."""
    packed = gzip.compress(bytes(64 << 20), compresslevel=1)
    tracemalloc.start()
    try:
        with pytest.raises(Refusal, match="up to 1 MB is read here, uncompressed"):
            decompress(packed, "gzip", limit=1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "C:\\x", "a\\..\\b", "%2e", "é\u202e", "x" * 3000],
)
def test_a_files_name_is_only_said_back(server, files, name):
    answer = server.predict(*form((name, files[0])))
    (said,) = answer.json["predictions"]
    assert "label" in said
    assert name.endswith(said["name"].lstrip("\\")) or said["name"] == "x"


@pytest.mark.parametrize(
    "path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/static//etc/passwd",
             "/v2/models/../../etc", "/../../etc/passwd", "/static/..%2fsettings.py"]
)  # fmt: skip
def test_no_path_leads_out(server, path):
    assert server.ask("GET", path).status == 404


def test_the_other_routes(server):
    health = server.ask("GET", "/health").json
    assert (health["live"], health["ready"], health["engine"]) == (True, True, "onnxruntime")
    assert server.ask("GET", "/health/live").status == 200
    card = server.ask("GET", "/card").json
    assert card["classes"] == ["cat", "dog", "owl"]
    assert server.ask("GET", "/none").json == {"error": "There is nothing for GET /none."}
    assert server.ask("DELETE", "/predict").status == 405


def test_metrics_are_for_prometheus_and_have_each_series_once(server, files):
    before = server.metric("convscope_images_total")
    server.predict(files[0])
    assert server.metric("convscope_images_total") == before + 1
    plain = server.ask("GET", "/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"_created" not in plain.body
    scraper = "application/openmetrics-text; version=1.0.0"
    assert (
        server.ask("GET", "/metrics", headers={"Accept": scraper})
        .headers["content-type"]
        .startswith("application/openmetrics-text; version=1.0.0")
    )
    server.ask("GET", "/some/path/that/a/scanner/tries")
    assert b"scanner" not in server.ask("GET", "/metrics").body


def test_each_request_is_a_line_of_json_without_its_body(server):
    secret = "c2VjcmV0" * 4
    server.predict(json.dumps({"image": secret}), {**JSON, "Authorization": "Bearer 123456"})
    requests = server.events("request")
    assert requests[-1].keys() >= {"time", "method", "path", "status", "ms", "bytes"}
    assert secret not in "".join(server.lines)
    assert "123456" not in "".join(server.lines)


def test_pytorch_is_never_imported(exports):
    code = f"""
import sys
import convscope.cli.serve, convscope.serving.worker, convscope.serving.supervisor
from convscope.serving.worker import Worker
from convscope.serving.settings import ServeSettings
from pathlib import Path
worker = Worker(Path({str(exports / "first")!r}), ServeSettings(threads=1), hosts=None, token=None)
print(sorted(name for name in sys.modules if name.split(".")[0] in ("torch", "fastapi", "scipy")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
