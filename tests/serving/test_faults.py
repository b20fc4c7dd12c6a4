"""Clients that ask too much, too slowly, or for what is not there, on real connections."""

import json
import random
import re
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.repetition import first_fast
from tests.serving.servers import JPEG, photograph, served, wait_for

HEAD = b"POST /predict HTTP/1.1\r\nHost: HOST\r\nContent-Type: image/jpeg\r\n"


def memory(server, what="VmRSS"):
    """Megabytes of a server's process."""
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(rf"{what}:\s+(\d+) kB", text)[1]) / 1024


def received(connection):
    """Everything that comes until the connection is closed."""
    data = b""
    with connection:
        while True:
            try:
                part = connection.recv(1 << 16)
            except ConnectionError:
                return data
            if not part:
                return data
            data += part


def statuses(connection):
    return [int(code) for code in re.findall(rb"HTTP/1.1 (\d+)", received(connection))]


def is_closed(connection):
    connection.settimeout(0)
    try:
        return connection.recv(1 << 16) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_two_hundred_clients_are_answered_or_refused_and_none_is_lost(exports):
    image = photograph(1600, 1200)
    options = ("--threads", 1, "--queue-size", 32, "--max-images", 8)
    with served(exports / "first", *options) as server:
        assert server.predict(image).status == 200
        before, gate = memory(server), threading.Barrier(200)

        def client(_number):
            gate.wait(60)
            answers = [server.predict(image) for _ in range(3)]
            for answer in answers:
                if answer.status == 503:
                    assert 1 <= int(answer.headers["retry-after"]) < 60
                    assert "32 images wait at most" in answer.json["error"]
                else:
                    assert len(answer.json["predictions"]) == 1
            return [answer.status for answer in answers]

        with ThreadPoolExecutor(200) as threads:
            found = [status for three in threads.map(client, range(200)) for status in three]
        assert len(found) == 600
        assert set(found) == {200, 503}
        assert found.count(200) >= 33
        assert memory(server, "VmHWM") - before < 200 + 200 * len(image) / 2**20
        assert server.predict(image).status == 200
        assert wait_for(lambda: len(server.events("request")) >= 602)
        assert server.metric("convscope_queue_images") == 0


def test_an_answer_that_takes_too_long_is_refused_in_time(exports):
    image = photograph(2000, 1500)
    options = ("--threads", 1, "--timeout", 0.2, "--queue-size", 1000)
    with served(exports / "first", *options) as server, ThreadPoolExecutor(60) as threads:
        begin = time.monotonic()
        answers = list(threads.map(lambda _: server.predict(image), range(60)))
        found = [answer.status for answer in answers]
        assert set(found) <= {200, 504}
        assert 504 in found
        assert time.monotonic() - begin < 20
        late = next(answer for answer in answers if answer.status == 504)
        assert late.json["error"].startswith("The answer takes more than 0.2 s.")
        assert wait_for(lambda: server.metric("convscope_queue_images") == 0)


def test_slow_clients_are_disconnected_and_fast_ones_answered_meanwhile(exports):
    kinds = {
        "silent": (b"", []),
        "half a header": (HEAD[:60], [408]),
        "no body": (HEAD + b"Content-Length: 9\r\n\r\n", [408]),
        "half a body": (HEAD + b"Content-Length: 999\r\n\r\n" + b"x" * 99, [408]),
        "half a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nx", [408]),
    }
    with served(exports / "first", "--threads", 1) as server, ExitStack() as stack:
        slow = {
            kind: stack.enter_context(closing(server.connect(data)))
            for kind, (data, _) in kinds.items()
        }
        others = [
            stack.enter_context(closing(server.connect(data))) for data, _ in [*kinds.values()] * 39
        ]
        begin = time.monotonic()
        assert [server.predict(photograph()).status for _ in range(50)] == [200] * 50
        assert time.monotonic() - begin < 10
        found = {kind: statuses(connection) for kind, connection in slow.items()}
        assert found == {kind: wanted for kind, (_, wanted) in kinds.items()}
        assert time.monotonic() - begin < 25  # the deadlines are of 10 seconds
        assert wait_for(lambda: all(map(is_closed, others)))


def test_a_client_that_leaves_in_the_middle_is_forgotten(exports):
    with served(exports / "first", "--threads", 1) as server:
        for data in (
            HEAD + b"Content-Length: 999\r\n\r\nx",
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nx",
            HEAD + b"Content-Length: %d\r\n\r\n" % len(photograph()) + photograph(),
        ):
            for linger in (struct.pack("ii", 1, 0), None):  # reset, and closed
                connection = server.connect(data)
                if linger:
                    connection.setsockopt(1, 13, linger)  # SOL_SOCKET, SO_LINGER
                connection.close()
        assert server.predict(photograph()).status == 200
        assert wait_for(lambda: server.metric("convscope_queue_images") == 0)
        counts = server.ask("GET", "/metrics").body.decode()
        assert 'outcome="predicted"' in counts
        assert 'outcome="unreadable"' not in counts  # the beginning of a file is no image
    assert "Traceback" not in "".join(server.errors)


@pytest.mark.parametrize("is_declared", first_fast(1, [True, False]))
def test_a_body_that_is_too_long_is_refused_before_it_is_read(exports, is_declared):
    with served(exports / "first", "--threads", 1, "--max-body", 1) as server:
        before = memory(server)
        if is_declared:
            connection = server.connect(HEAD + b"Content-Length: 999999999999\r\n\r\n")
            assert statuses(connection) == [413]
        else:
            chunks = (b"x" * 65536 for _ in range(640))
            answer = server.predict(chunks, JPEG)
            assert (answer.status, "up to 1 MB" in answer.json["error"]) == (413, True)
        assert memory(server, "VmHWM") - before < 20


def png_of(width, height):
    """A PNG of a few bytes whose header states a size."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9))
        + chunk(b"IEND", b"")
    )  # fmt: skip


@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (10_001, 10_000)])
def test_an_image_that_states_too_many_pixels_is_refused_by_its_header(server, size):
    before = memory(server, "VmHWM")
    begin = time.monotonic()
    answer = server.predict(png_of(*size))
    assert time.monotonic() - begin < 1
    assert answer.status == 422
    assert "pixels" in answer.json["error"]
    assert memory(server, "VmHWM") - before < 20


def test_a_smaller_limit_holds_for_every_kind_of_image(exports):
    with served(exports / "first", "--threads", 1, "--max-pixels", 2400) as server:
        for form in ("JPEG", "PNG", "BMP", "TIFF", "GIF", "WEBP"):
            assert server.predict(photograph(60, 40, form=form)).status == 200, form
            answer = server.predict(photograph(61, 40, form=form))
            assert answer.status == 422, form
            assert "2,440 pixels; more than 2,400 are refused" in answer.json["error"]
        for height, status in ((40, 200), (41, 400)):
            shape = [1, height, 60, 3]
            tensor = {"name": "images", "datatype": "UINT8", "shape": shape}
            body = {"inputs": [{**tensor, "data": [0] * (height * 180)}]}
            path = "/v2/models/Sequential/infer"
            answer = server.ask(
                "POST", path, json.dumps(body), {"Content-Type": "application/json"}
            )
            assert answer.status == status, answer.body
        assert "2,460 pixels; more than 2,400" in answer.json["error"]
        assert "of up to 2,400 pixels" in server.ask("GET", "/openapi.json").body.decode()


FOREIGN = [
    ({"Host": "evil.example"}, 421),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"X": "a" * 40_000}, 431),
]


@pytest.mark.parametrize(("headers", "status"), FOREIGN)
@pytest.mark.parametrize("path", ["/predict", "/v2/models/net/infer", "/metrics", "/health"])
def test_foreign_requests_are_refused_on_every_path(server, headers, status, path):
    answer = server.ask("POST", path, b"", headers)
    assert answer.status == status
    assert answer.json.keys() == {"error"}


def test_every_answer_has_the_security_headers(server):
    for answer in (server.ask("GET", "/"), server.ask("GET", "/none"), server.predict(b"")):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_what_is_no_request_has_an_error_as_json(server):
    data = received(server.connect(b"\x16\x03\x01\r\n\r\n"))
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body) == {"error": "This is not a valid HTTP request."}


PARTS = [
    b"--x\r\n",
    b"--x--\r\n",
    b"Content-Disposition: form-data; filename=a\r\n\r\n",
    b"\r\n",
    b"\0",
]


def test_any_bytes_are_answered_with_less_than_500(server):
    dice = random.Random(0)
    kinds = [
        "image/png",
        "application/json",
        "multipart/form-data; boundary=x",
        "a",
        "\xff",
        "x;;=",
    ]
    good = [photograph(form="PNG"), b'{"images": ["aGk="]}', b"".join(PARTS)]
    for _ in range(300):
        body = bytearray(dice.choice(good))
        for _ in range(dice.randint(0, 4)):
            at = dice.randrange(len(body) + 1)
            body[at : at + dice.randint(0, 3)] = dice.choice([*PARTS, dice.randbytes(3)])
        headers = {"Content-Type": dice.choice(kinds).encode("latin-1")}
        if dice.random() < 0.2:
            headers["Content-Encoding"] = dice.choice(["gzip", "deflate", "br"])
        path = dice.choice(["/predict", "/predict", "/v2/models/Sequential/infer"])
        assert server.ask("POST", path, bytes(body), headers).status < 500
