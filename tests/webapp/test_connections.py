"""Slow, silent and leaving clients over real connections; the fast ones are answered meanwhile."""

import asyncio
import errno
import http.client
import json
import logging
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

from convscope.http_server.connections import LimitedServer
from convscope.http_server.guard import HEADERS
from convscope.http_server.limits import LIMITS, Limits
from convscope.http_server.listening import free_port
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.server import make_app
from tests.webapp.fakes import wait_for

SHORT = Limits(
    header_seconds=0.4, body_seconds=0.4, body_rate=1000, read_seconds=0.4, linger_seconds=0.2
)
IMAGES = "/api/networks/none/images"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@contextmanager
def serving(app, limits):
    """The port of a server with these limits, and the server."""
    listening, port = free_port("127.0.0.1", 18900)
    server = LimitedServer(app, limits=limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        assert wait_for(lambda: server.started)
        yield port, server
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@contextmanager
def served(folder, limits=SHORT):
    """The same for a lab, which answers on any port."""
    app = make_app(ModelStore(), TrainingJobs(folder), hosts=None, limits=limits)
    with serving(app, limits) as (port, server):
        yield port, server


@pytest.fixture(scope="module")
def lab(folder):
    with served(folder) as (port, _):
        yield port


def connect(port, data=b""):
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(data.replace(b"HOST", f"127.0.0.1:{port}".encode()))
    return connection


def received(connection):
    """Everything that comes until the connection is closed."""
    data = b""
    with closing(connection), connection:
        while True:
            try:
                part = connection.recv(1 << 16)
            except ConnectionError:
                return data
            if not part:
                return data
            data += part


def is_closed(connection):
    connection.settimeout(0)
    try:
        return connection.recv(1 << 16) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def status(port, path="/api/lessons", method="GET", body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with closing(connection):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        return answer.status


HEAD = b"POST /api/lessons/size HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n"
SLOW = {
    "silent": b"",
    "half a header": b"GET /api/lessons HTTP/1.1\r\nHost: HOST\r\nX-",
    "half a second header": b"GET /api/lessons HTTP/1.1\r\nHost: HOST\r\n\r\nGET /api",
    "idle": b"GET /api/lessons HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "half a body": HEAD + b"Content-Length: 9\r\n\r\n{",
    "half a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    "no body": HEAD + b"Content-Length: 9\r\n\r\n",
    "no promised body": HEAD + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n",
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_slow_client_is_disconnected(lab, kind):
    answer = received(connect(lab, SLOW[kind]))
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == {
        "silent": [],
        "half a header": [b"408"],
        "half a second header": [b"200", b"408"],
        "idle": [b"200"],
        "no promised body": [b"100", b"408"],
    }.get(kind, [b"408"])


def test_a_header_that_keeps_coming_has_the_same_deadline(lab):
    def send_on(connection):
        for _ in range(200):
            connection.sendall(b"x")
            time.sleep(0.05)

    with closing(connect(lab, SLOW["half a header"])) as connection, pytest.raises(ConnectionError):
        send_on(connection)


def test_a_client_that_does_not_read_is_disconnected():
    async def app(scope, _receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": bytes(32 << 20)})

    with serving(app, SHORT) as (port, server), closing(connect(port, SLOW["idle"])) as connection:
        assert connection.recv(12) == b"HTTP/1.1 200"
        assert wait_for(lambda: not server.server_state.connections, seconds=20)


def test_a_fast_client_is_answered_while_two_hundred_slow_ones_are_there(folder):
    limits = Limits(connections=50)  # and deadlines that are far away
    with served(folder, limits) as (port, server), ExitStack() as stack:
        kinds = [data for kind, data in SLOW.items() if kind != "idle"]
        slow = [
            stack.enter_context(closing(connect(port, kinds[count % len(kinds)])))
            for count in range(200)
        ]
        assert [status(port) for _ in range(50)] == [200] * 50
        assert len(server.server_state.connections) <= limits.connections
        assert wait_for(lambda: sum(map(is_closed, slow)) >= 150)


def test_uploads_are_kept_where_idle_connections_can_go(folder):
    limits = Limits(connections=4, header_seconds=30, body_seconds=30)
    body = b"Content-Length: 9\r\n\r\n{"
    with served(folder, limits) as (port, server), ExitStack() as stack:
        uploads = [stack.enter_context(closing(connect(port, HEAD + body))) for _ in range(3)]
        assert wait_for(lambda: len(server.server_state.connections) == 3)
        idle = stack.enter_context(closing(connect(port)))
        for _ in range(10):
            assert status(port) == 200
        assert wait_for(lambda: is_closed(idle))
        for upload in uploads:
            upload.sendall(b'"at": 1}')
        assert [upload.recv(12) for upload in uploads] == [b"HTTP/1.1 404"] * 3


def test_where_every_connection_waits_for_its_answer_another_is_refused():
    arrived, release = [], threading.Event()

    async def app(scope, _receive, send):
        if scope["type"] == "http":
            arrived.append(scope["path"])
            await asyncio.to_thread(release.wait)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"here"})

    with serving(app, Limits(connections=4)) as (port, _), ThreadPoolExecutor(4) as threads:
        waiting = [threads.submit(status, port) for _ in range(4)]
        assert wait_for(lambda: len(arrived) == 4)
        assert status(port) == 503
        release.set()
        assert [one.result() for one in waiting] == [200] * 4


RAW = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "no Host, HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n12",
    "bad chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "long address": b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "long header": b"GET / HTTP/1.1\r\nHost: HOST\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: HOST\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    "unknown method": b"BREW /api/lessons HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n",
    "a proxy's address": b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "upgrade": b"GET /api/lessons HTTP/1.1\r\nHost: HOST\r\nConnection: upgrade\r\n"
    b"Upgrade: websocket\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", RAW)
def test_what_is_no_request_is_answered_with_the_security_headers(lab, kind, capfd):
    answer = received(connect(lab, RAW[kind]))
    head, _, body = answer.partition(b"\r\n\r\n")
    code = int(head.split()[1])
    assert code == 200 if kind == "upgrade" else 400 <= code < 500
    if kind != "upgrade":
        assert json.loads(body)["message"].endswith(".")
    for name, value in HEADERS.items():
        assert f"{name}: {value}".lower().encode() in head.lower()
    assert capfd.readouterr().err == ""


@settings(max_examples=60, derandomize=True, database=None)
@given(
    kind=st.sampled_from(sorted(RAW | SLOW)),
    edits=st.lists(st.tuples(st.integers(0, 150), st.binary(max_size=4)), min_size=1, max_size=4),
)
def test_any_bytes_are_answered_with_a_refusal_an_answer_or_nothing(lab, kind, edits):
    data = (RAW | SLOW)[kind][:2000].replace(b"HOST", f"127.0.0.1:{lab}".encode())
    for place, inserted in edits:
        data = data[:place] + inserted + data[place + 1 :]
    connection = connect(lab, data)
    connection.shutdown(socket.SHUT_WR)
    for code in re.findall(rb"HTTP/1.1 (\d+)", received(connection)):
        assert int(code) < 500


def test_an_upload_that_is_aborted_leaves_no_traceback(lab, capfd, caplog):
    for data in (
        HEAD + b"Content-Length: 9\r\n\r\n{",
        HEAD.replace(b"/lessons/size", IMAGES[4:].encode()) + b"Content-Length: 99999\r\n\r\n1234",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
        HEAD + b'Content-Type: multipart/form-data; boundary="x"\r\nContent-Length: 99\r\n\r\n--x',
        SLOW["half a header"],
    ):
        for how in (b"\x01\0\0\0\0\0\0\0", b"\0" * 8):  # reset, and closed
            connection = connect(lab, data)
            time.sleep(0.02)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, how)
            connection.close()
    assert status(lab) == 200
    time.sleep(0.1)
    assert capfd.readouterr().err == ""
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_who_sends_too_much_reads_that_it_is_too_much(folder):
    limits = Limits(json_bytes=1000)
    with served(folder, limits) as (port, _):
        for headers in ({}, {"Transfer-Encoding": "chunked"}):
            body = iter([b"x" * 50_000] * 40) if headers else b"x" * 2_000_000
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            with closing(connection):
                connection.request(
                    "POST", "/api/lessons/size", body, headers, encode_chunked=bool(headers)
                )
                answer = connection.getresponse()
                assert answer.status == 413
                assert "up to 1000 bytes" in json.loads(answer.read())["message"]


def test_the_lab_ends_though_clients_are_slow(folder):
    with served(folder, LIMITS) as (port, server):
        slow = [connect(port, data) for data in SLOW.values()]
        assert wait_for(lambda: len(server.server_state.connections) == len(SLOW))
        begin = time.monotonic()
        server.should_exit = True
        assert wait_for(lambda: not server.server_state.connections, seconds=9)
        assert time.monotonic() - begin < LIMITS.body_seconds  # not by a deadline
        for connection in slow:
            connection.close()


FEW = """
import resource, socket, sys, time, threading
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
import convscope.http_server.connections as module
from convscope.http_server.connections import LimitedServer
from convscope.http_server.limits import Limits
module._room = lambda connections: connections  # as if nobody had looked
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})
listening = socket.create_server(("127.0.0.1", 0), backlog=128)
print(listening.getsockname()[1], flush=True)
server = LimitedServer(app, limits=Limits(header_seconds=1.5))
threading.Thread(target=lambda: (sys.stdin.read(), setattr(server, "should_exit", True))).start()
begin = time.process_time()
server.run(sockets=[listening])
print(time.process_time() - begin)
"""


def test_a_lab_without_file_descriptors_goes_on_and_does_not_spin():
    with subprocess.Popen(
        [sys.executable, "-c", FEW], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        port = int(process.stdout.readline())
        with ExitStack() as stack:
            for _ in range(100):
                stack.enter_context(closing(connect(port)))
            assert status(port) == 200
            time.sleep(1)
        out, err = process.communicate("", timeout=60)
    assert err.count("cannot open more connections") == 1
    assert "Traceback" not in err
    assert float(out) < 2  # seconds of the processor


def test_connections_leave_half_of_the_file_descriptors(monkeypatch):
    from convscope.http_server.connections import _room  # noqa: PLC0415

    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 100))
    assert (_room(256), _room(20)) == (50, 20)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert _room(256) == 256


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "no address of this"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), "no address of this"),
        (UnicodeError("label too long"), "no address of this machine .label too long"),
        (PermissionError(errno.EACCES, "Permission denied"), "needs the rights of an admin"),
        (
            OSError(errno.EADDRINUSE, "Address already in use"),
            "No port from 65530 to 65535 is free",
        ),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_told_why(monkeypatch, error, words):
    from convscope.errors import RequestError  # noqa: PLC0415

    def bind(_self, _address):
        raise error

    monkeypatch.setattr(socket, "socket", type("Socket", (socket.socket,), {"bind": bind}))
    with pytest.raises(RequestError, match=words):
        free_port("lab.example", 65530)
