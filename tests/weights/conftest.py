"""A library's weights on a server on this machine."""

import hashlib
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from torchvision import models

from convscope.data import download
from convscope.weights import torchvision_releases as released


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


@pytest.fixture
def squeezenet(library: Library, monkeypatch: pytest.MonkeyPatch) -> Iterator[models.SqueezeNet]:
    """torchvision's SqueezeNet, random, as if torchvision had released it on this server."""
    torch.manual_seed(0)
    theirs = models.squeezenet1_1().eval()
    file = io.BytesIO()
    torch.save(theirs.state_dict(), file)
    name = f"squeezenet1_1-{hashlib.sha256(file.getvalue()).hexdigest()[:8]}.pth"
    table = released.TABLE.replace(released.release("squeezenet1_1").file, name)
    monkeypatch.setattr(released, "HOST", library.url())
    monkeypatch.setattr(released, "TABLE", table)
    library.files[name] = file.getvalue()
    released.releases.cache_clear()
    yield theirs
    released.releases.cache_clear()
