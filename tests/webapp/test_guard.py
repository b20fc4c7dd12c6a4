"""What is refused before anything is computed: foreign requests, and bodies out of bounds."""

import asyncio
import functools
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from fastapi import Request
from starlette.middleware import Middleware

from convscope.http_server.guard import HEADERS, Guard
from convscope.http_server.limits import Limits
from convscope.webapp.api.inspect import takes_file
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.server import make_app
from tests.webapp.asgi import HOST, Parts, answer_of, ask

OWN = ("host", HOST)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
IMAGES = "/api/networks/lenet5/images"


class Counter:
    """Middleware behind the guard: counts what gets through."""

    calls = 0

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            Counter.calls += 1
        await self._app(scope, receive, send)


@functools.cache
def app_with(token):
    app = make_app(ModelStore(), TrainingJobs(Path("none")), hosts=frozenset({HOST}), token=token)
    app.user_middleware.append(Middleware(Counter))
    return app


@pytest.fixture
def make():
    """The lab with or without a token, and a counter of what gets through."""
    Counter.calls = 0
    return lambda token=None: app_with(token)


def echo(body_of=None):
    """An application that answers with what it received."""

    async def app(scope, receive, send):
        body = await Request(scope, receive).body()
        if body_of is not None:
            body_of.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(len(body)).encode()})

    return app


# Every route.


def paths(app):
    """An address for every route."""
    known = {
        "net": "lenet5", "image": "0" * 16, "row": "conv1", "at": "0,0,0", "y": "1", "x": "1",
        "index": "0", "run": "a", "lesson": "conv2d", "name": "conv2d", "number": "1",
        "place": "a/b", "box": "box1", "layer": "conv1", "path": "app.js", "computation": "none",
    }  # fmt: skip
    for route in app.routes:
        path = route.path if hasattr(route, "methods") else f"{route.path}/{{path}}"
        for name, value in known.items():
            path = path.replace(f"{{{name}}}", value).replace(f"{{{name}:path}}", value)
        assert "{" not in path
        yield path


FOREIGN = [
    ([("host", "evil.example")], 421),
    ([("host", "127.0.0.1:1")], 421),
    ([("host", "")], 421),
    ([], 400),
    ([OWN, OWN], 400),
    ([OWN, ("origin", "http://evil.example")], 403),
    ([OWN, ("origin", "null")], 403),
    ([OWN, ("sec-fetch-site", "cross-site")], 403),
    ([OWN], 401),
    ([OWN, ("x-token", "wrong")], 401),
]


def test_no_route_answers_a_foreign_request_by_any_method(make):
    app, asked = make(token="secret"), 0  # noqa: S106 -- a test's own

    async def ask_all():
        nonlocal asked
        for path in paths(app):
            for method in METHODS:
                for headers, status in FOREIGN:
                    if status == 401 and not path.startswith("/api"):
                        continue  # the page itself, which asks for the token
                    answer = await answer_of(app, method, path, headers=headers)
                    assert (answer.status, method, path) == (status, method, path)
                    asked += 1

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, ask_all()).result()
    assert Counter.calls == 0
    assert asked > 2000


def test_every_route_is_reached_by_its_own_page(make):
    app = make(token="secret")  # noqa: S106 -- a test's own
    own = [OWN, ("origin", f"http://{HOST}"), ("x-token", "secret")]
    addresses = list(paths(app))
    answers = [ask(app, "OPTIONS", path, headers=own) for path in addresses]
    assert [answer.status for answer in answers] == [405] * len(addresses)
    assert Counter.calls == len(addresses)
    for answer in answers:
        assert answer.message.endswith("is not possible here.")


# Host, Origin, token.


@pytest.mark.parametrize(
    "origin",
    [
        "", "null", "http://[", "http://[::1", "http://127.0.0.1", "http://127.0.0.1:08600",
        "http://127.0.0.1:8600.", "http://127.0.0.1.:8600", "http://127.0.0.1:8600/",
        "http://me@127.0.0.1:8600", "HTTP://127.0.0.1:8600", "http:///127.0.0.1:8600",
        "//127.0.0.1:8600", "127.0.0.1:8600", "file://127.0.0.1:8600", "http://127.0.0.1:8600:8600",
        "http://127.0.0.1:8600 http://evil.example", "http://evil.example#127.0.0.1:8600", "\xff",
        "http://127.0.0.1:99999999999999999999",
    ],
)  # fmt: skip
@pytest.mark.parametrize("hosts", [frozenset({HOST}), None])
def test_an_origin_is_the_lab_itself_or_refused(hosts, origin):
    app = Guard(echo(), hosts=hosts)
    assert ask(app, "GET", "/api", headers=[OWN, ("origin", origin)]).status == 403


def test_two_origins_are_refused_and_its_own_is_not():
    app, own = Guard(echo(), hosts=frozenset({HOST})), ("origin", f"http://{HOST}")
    assert ask(app, "GET", "/", headers=[OWN, own, own]).status == 403
    assert ask(app, "GET", "/", headers=[OWN, own]).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "a b",
        "a/b",
        "me@lab:8600",
        "lab:",
        "lab:x",
        "[::1",
        "::1",
        "http://lab",
        "\xe9",
        "lab:8600:1",
    ],
)
def test_a_malformed_host_is_refused_where_every_name_is_answered(host):
    app = Guard(echo(), hosts=None)
    assert ask(app, "GET", "/", headers=[("host", host)]).status == 400


@pytest.mark.parametrize("host", ["lab.example", "LAB:8600", "[fe80::1]:8600", "10.0.0.7:80"])
def test_every_name_is_answered_where_any_is_allowed(host):
    assert ask(Guard(echo(), hosts=None), "GET", "/", headers=[("host", host)]).status == 200


def test_a_link_from_elsewhere_opens_the_page_and_nothing_of_the_api(make):
    link = [
        OWN,
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ]
    app = make()
    assert ask(app, "GET", "/learn", headers=link).status == 200
    assert ask(app, "GET", "/api/networks", headers=link).status == 403
    assert ask(app, "POST", "/learn", headers=link).status == 403
    assert (
        ask(app, "GET", "/learn", headers=[*link[:3], ("sec-fetch-dest", "iframe")]).status == 403
    )


def test_websockets_are_refused():
    sent = []

    async def connect():
        async def send(message):
            sent.append(message)

        await Guard(echo(), hosts=None)({"type": "websocket"}, Parts([]), send)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, connect()).result()
    assert sent == [{"type": "websocket.close", "code": 1008}]


# Headers of answers.


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("HEAD", "/train", 200),
        ("GET", "/static/none.js", 404),
        ("GET", "/api/none", 404),
        ("GET", "/api/networks/none", 404),
        ("DELETE", "/api/networks", 405),
        ("POST", "/api/runs", 422),
    ],
)
def test_every_answer_has_the_security_headers(make, method, path, status):
    answer = ask(make(), method, path)
    assert answer.status == status
    for name, value in HEADERS.items():
        assert answer.headers[name.lower()] == value
    if status >= 400:
        assert answer.message.endswith((".", "?"))


def test_an_error_of_the_lab_itself_is_answered_and_logged_but_not_told(caplog):
    async def app(_scope, _receive, _send):
        raise KeyError("/home/me/secret")

    with caplog.at_level(logging.ERROR):
        answer = ask(Guard(app, hosts=None), "GET", "/api/networks")
    assert answer.status == 500
    assert "KeyError" in answer.message
    assert "secret" not in answer.message
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "/home/me/secret" in caplog.text


def test_a_range_is_ignored(make):
    whole = ask(make(), "GET", "/static/index.html")
    part = ask(make(), "GET", "/static/index.html", headers=[OWN, ("range", "bytes=0-9")])
    assert (part.status, part.body) == (200, whole.body)


# Bodies.

SMALL = Limits(json_bytes=10, file_bytes=20, held_bytes=25, linger_seconds=0.01)


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [("POST", "/api/runs", 10), ("GET", "/", 10), ("POST", IMAGES, 20), ("PUT", IMAGES, 10)],
)
@pytest.mark.parametrize("declared", [True, False])
def test_a_body_is_bounded_whether_it_declares_its_length_or_not(method, path, limit, declared):
    received = []
    app = Guard(echo(received), hosts=None, takes_file=takes_file, limits=SMALL)

    def send(size):
        header = ("content-length", str(size)) if declared else ("transfer-encoding", "chunked")
        parts = Parts([b"x"] * size)
        return ask(app, method, path, headers=[OWN, header], parts=parts), parts

    answer, _ = send(limit)
    assert (answer.status, answer.body) == (200, str(limit).encode())
    answer, parts = send(limit + 5)
    assert answer.status == 413
    assert answer.headers["connection"] == "close"
    assert received == [b"x" * limit]
    assert parts.taken == limit + 5  # the rest was read, so that the refusal is


def test_a_body_that_declares_too_much_is_refused_unread():
    app = Guard(echo(), hosts=None, limits=SMALL)
    parts = Parts([b"x"] * 9)
    headers = [OWN, ("content-length", "9" * 5000), ("expect", "100-continue")]
    assert ask(app, "POST", "/", headers=headers, parts=parts).status == 413
    assert parts.taken == 0


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([("content-length", "x")], 400),
        ([("content-length", "-1")], 400),
        ([("content-length", "1"), ("content-length", "2")], 400),
        ([("content-length", "1"), ("transfer-encoding", "chunked")], 400),
        ([("content-encoding", "gzip")], 415),
        ([("content-encoding", "identity"), ("content-encoding", "br")], 415),
        ([("content-encoding", "identity")], 200),
        ([("x-padding", "x" * (33 << 10))], 431),
    ],
)
def test_unclear_and_encoded_bodies_are_refused(fields, status):
    app = Guard(echo(), hosts=None, limits=Limits(linger_seconds=0.01))
    assert ask(app, "POST", "/", headers=[OWN, *fields], parts=Parts([b"x"])).status == status


def test_a_long_address_is_refused():
    app = Guard(echo(), hosts=None)
    assert ask(app, "GET", "/api/networks", query="a=1&" * 5000).status == 414
    assert ask(app, "GET", "/api/networks", query="a=1&" * 3000).status == 200


def test_a_body_has_a_deadline_that_its_rate_extends():
    limits = Limits(body_seconds=0.2, body_rate=100, linger_seconds=0.01)
    app = Guard(echo(), hosts=None, limits=limits)
    steady = Parts([part for _ in range(6) for part in (b"x" * 10, 0.05)] + [b"end"])
    assert ask(app, "POST", "/", parts=steady).status == 200  # 0.3 s, and 60 bytes by then
    headers = [OWN, ("transfer-encoding", "chunked")]
    answer = ask(app, "POST", "/", headers=headers, parts=Parts([b"x", 5.0, b"y"]))
    assert answer.status == 408
    assert answer.headers["connection"] == "close"


def test_a_client_that_leaves_within_its_body_is_forgotten(caplog):
    received = []
    app = Guard(echo(received), hosts=None)
    headers = [OWN, ("content-length", "9")]
    answer = ask(app, "POST", "/", headers=headers, parts=Parts([b"x", None]))
    assert (answer.status, received, caplog.records) == (None, [], [])
    assert app._held == 0


def test_bodies_of_several_requests_are_bounded_together():
    app = Guard(echo(), hosts=None, takes_file=takes_file, limits=SMALL)

    async def at_once():
        slow = [Parts([b"x" * 15, 0.2, b"y"]) for _ in range(2)]
        tasks = [answer_of(app, "POST", IMAGES, parts=parts) for parts in slow]
        return await asyncio.gather(*tasks)

    with ThreadPoolExecutor(1) as thread:
        first, second = thread.submit(asyncio.run, at_once()).result()
    assert (first.status, second.status) == (200, 503)
    assert second.headers["retry-after"]
    assert app._held == 0


def test_requests_beyond_the_queue_are_told_to_come_back():
    release = asyncio.Event()

    async def slow(scope, _receive, send):
        if scope["path"] == "/slow":
            await release.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    app = Guard(slow, hosts=None, limits=Limits(requests=2))

    async def at_once():
        waiting = [asyncio.create_task(answer_of(app, "GET", "/slow")) for _ in range(2)]
        await asyncio.sleep(0)
        refused = await answer_of(app, "GET", "/quick")
        release.set()
        done = [(await task).status for task in waiting]
        return refused, done, await answer_of(app, "GET", "/quick")

    with ThreadPoolExecutor(1) as thread:
        refused, done, after = thread.submit(asyncio.run, at_once()).result()
    assert (refused.status, done, after.status) == (503, [200, 200], 200)
    assert refused.headers["retry-after"]


# JSON.


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "nan", "NaN", "[-Infinity]", "1e999", "9" * 10_000, '{"a":1,"a":1}', '"\\ud800"',
        "[" * 22 + "]" * 22, "[" * 100_000, '{"a":' * 22 + "1" + "}" * 22, "\xff",
    ],
)  # fmt: skip
def test_json_that_nothing_can_compute_with_is_refused(make, text):
    headers = [OWN, ("content-type", "application/json")]
    body = Parts([text.encode("latin-1")])
    answer = ask(make(), "POST", "/api/lessons/padding", headers=headers, parts=body)
    assert answer.status == 422
    assert len(answer.message) < 200


def test_a_form_of_many_parts_is_refused_without_being_parsed(make):
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    for kind, body in (
        ("multipart/form-data; boundary=x", part * 15_000 + b"--x--"),
        ("application/x-www-form-urlencoded", b"a=1&" * 200_000),
    ):
        headers = [OWN, ("content-type", kind)]
        answer = ask(make(), "POST", "/api/runs", headers=headers, parts=Parts([body]))
        assert answer.status == 422
        assert len(answer.message) < 200


@pytest.mark.parametrize("data", [{"a": [1, -2.5e300, 2**64 - 1, "\U0001f600", None]}, {}])
def test_other_json_arrives_as_it_was_sent(data):
    received = []
    headers = [OWN, ("content-type", "application/json")]
    body = json.dumps(data).encode()
    ask(Guard(echo(received), hosts=None), "POST", "/", headers=headers, parts=Parts([body]))
    assert received == [body]
