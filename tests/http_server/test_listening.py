"""Several processes that share a socket keep its whole queue."""

import asyncio
import socket
import threading
import time
from contextlib import ExitStack, closing

import pytest

pytest.importorskip("uvicorn")

from convscope.http_server.connections import LimitedServer


async def app(scope, _receive, send):
    if scope["type"] == "http":
        await asyncio.sleep(0.2)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})


@pytest.mark.parametrize("accepts", [1, 128])
def test_a_crowd_that_comes_at_once_is_answered(accepts):
    listening = socket.create_server(("127.0.0.1", 0))
    address = listening.getsockname()
    server = LimitedServer(app, accepts=accepts)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    with ExitStack() as stack:
        crowd = [
            stack.enter_context(closing(socket.create_connection(address, timeout=10)))
            for _ in range(100)
        ]
        for one in crowd:
            one.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert [one.recv(12) for one in crowd] == [b"HTTP/1.1 200"] * 100
    server.should_exit = True
    thread.join(30)
