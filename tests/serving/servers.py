"""Starts `convscope serve` as a process, as a user would, and asks it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

JPEG = {"Content-Type": "image/jpeg"}


def photograph(width=60, height=40, *, form="JPEG", seed=0):
    """An image file whose content depends on the seed."""
    image = Image.radial_gradient("L").rotate(seed * 37).resize((width, height))
    channels = [image, image.rotate(90).resize((width, height)), image.point(lambda v: 255 - v)]
    file = BytesIO()
    Image.merge("RGB", channels).save(file, form)
    return file.getvalue()


def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return listening.getsockname()[1]


@dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Served:
    """A running server."""

    def __init__(self, process, port):
        self.process, self.port = process, port
        self.lines = []
        self.errors = []
        self._readers = [
            threading.Thread(target=_read, args=reading, daemon=True)
            for reading in ((process.stdout, self.lines), (process.stderr, self.errors))
        ]
        for reader in self._readers:
            reader.start()

    def ask(self, method, path, body=None, headers=None, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with closing(connection):
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())

    def predict(self, body, headers=None):
        return self.ask("POST", "/predict", body, JPEG if headers is None else headers)

    def connect(self, data=b""):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sendall(data.replace(b"HOST", f"127.0.0.1:{self.port}".encode()))
        return connection

    def events(self, name):
        return [one for one in map(json.loads, list(self.lines)) if one["event"] == name]

    def metric(self, name):
        """The sum of a metric over its labels."""
        text = self.ask("GET", "/metrics").body.decode()
        lines = [line for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def workers(self):
        """The processes that answer, where there are several."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return list(map(int, path.read_text().split()))

    def end(self, number=signal.SIGTERM, timeout=30):
        """The exit status after a signal."""
        self.process.send_signal(number)
        return self.process.wait(timeout)

    def close(self):
        """Once its process has ended: wait for its last lines."""
        for reader in self._readers:
            reader.join(10)

    def wait_until_ready(self):
        """Until every process that answers is ready."""
        assert wait_for(lambda: self.process.poll() is not None or self._is_ready(), 120)
        assert self.process.poll() is None, "".join(self.errors)

    def _is_ready(self):
        return any("Serving" in line for line in list(self.errors))


def _read(stream, kept):
    with stream:
        kept.extend(stream)


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def start(folder, *options, port=None, environment=None):
    """A server that may not be ready yet."""
    port = port or free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "convscope", "serve", str(folder), "--port", str(port),
         *map(str, options)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    return Served(process, port)


@contextmanager
def served(folder, *options, environment=None):
    """A server that is ready, and ends with the block."""
    server = start(folder, *options, environment=environment)
    try:
        server.wait_until_ready()
        yield server
    finally:
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGTERM)
            try:
                server.process.wait(30)
            except subprocess.TimeoutExpired:
                server.process.kill()
        server.process.wait(30)
        server.close()
