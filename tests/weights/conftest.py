"""A library's weights on a server on this machine."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from convscope.data import download


class Library(ThreadingHTTPServer):
    """Serves `files` by path; `asked` lists what was asked for, `cut` is sent by half."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.cut = ""
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Library

    def do_GET(self):
        path = self.path.strip("/")
        self.server.asked.append(path)
        body = self.server.files.get(path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if path == self.server.cut else body)

    def log_message(self, *_: object):
        return


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Library]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(download, "PAUSES", (0.0, 0.01, 0.01))
    server = Library()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join(timeout=5)
    server.server_close()
