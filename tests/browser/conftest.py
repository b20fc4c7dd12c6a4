"""A lab in a process of its own, and a browser that looks at it."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from convscope.card import Card
from convscope.explanation.loading import preprocess, read_pixels
from convscope.models import open_model

ROOT = Path(__file__).resolve().parents[2]
_NEEDED = ("playwright", "fastapi", "uvicorn")
_SIZE = {"width": 1440, "height": 900}
_NOTHING = "/static/style/frame.css"
"""A file of the lab that does nothing: where the page stays between two tests."""
_BINARIES = ("chromium", "chromium-browser", "google-chrome")

# The server ends when the pipe to this process does, also where this process is killed.
_SERVE = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from convscope.cli import main
main()
"""

# Every kind of calculation that the page shows, on few units.
_ODD = """
import torch
from torch import nn


class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 7, stride=8, padding=3)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.wide = nn.Conv2d(4, 8, 3, padding=2, dilation=2, groups=2)
        self.norm = nn.GroupNorm(2, 8)
        self.narrow = nn.Conv2d(8, 4, 1)
        self.mean = nn.AvgPool2d(2)
        self.many = nn.Conv2d(12, 20, 1)
        self.last = nn.Conv2d(20, 3, 3)
        self.answer = nn.Linear(3, 5)

    def forward(self, x):
        y = self.pool(torch.relu(self.stem(x)))
        z = self.norm(self.wide(y))
        y = y + self.narrow(z)
        y = y * torch.sigmoid(y)
        y = torch.cat([y, z], 1)
        y = self.last(self.many(self.mean(y)))
        y = torch.cumsum(y, 1)
        return torch.softmax(self.answer(torch.log(y).nan_to_num().mean((2, 3))), 1)


torch.manual_seed(3)
net = Odd().eval()
with torch.no_grad():
    net.stem.bias.fill_(0.1)
    net.stem.weight[2], net.stem.bias[2] = 0, -1  # the one map that is dead on every image
"""


class Subject(NamedTuple):
    """A network of the lab, as the tests have it without the lab."""

    net: nn.Module
    card: Card
    read: Tensor  # what it is shown, (1, c, h, w)

    def values(self) -> dict[str, Tensor]:
        """The result of every module, by its name, without the batch axis."""
        found: dict[str, Tensor] = {}
        handles = [
            module.register_forward_hook(
                lambda _module, _inputs, out, name=name: found.update({name: out.detach()[0]})
            )
            for name, module in self.net.named_modules()
            if name
        ]
        with torch.no_grad():
            self.net(self.read)
        for handle in handles:
            handle.remove()
        return found


class Lab(NamedTuple):
    """Where the lab is, and what it was given."""

    address: str
    bytes: np.ndarray
    digits: Subject
    odd: Subject
    runs: Path  # where its trainings lie


@pytest.fixture(scope="session")
def lab(digits_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server over a run of LeNet-5 and over a network of odd operations, with two images."""
    _skip_without_parts()
    folder = tmp_path_factory.mktemp("lab")
    (folder / "odd_network.py").write_text(_ODD, encoding="utf-8")
    pixels = _digit()
    Image.fromarray(pixels).save(folder / "one.png")
    Image.fromarray(pixels.T).save(folder / "two.png")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    images = [str(folder / name) for name in ("one.png", "two.png")]
    runs = folder / "runs"
    words = ["lab", str(digits_run), "odd_network:net", "--port", str(port), "--no-open"]
    words += ["--runs", str(runs)]
    path = os.pathsep.join([str(ROOT), str(folder)])
    log = (folder / "log").open("wb")
    with (
        log,
        subprocess.Popen(
            [sys.executable, "-c", _SERVE, *words, "--image", *images],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        ) as server,
    ):
        _wait_for(port, server, folder / "log")
        yield Lab(f"http://127.0.0.1:{port}", pixels, *_subjects(digits_run, folder), runs)
        server.terminate()


def _leave_out(reason: str) -> None:
    """Skip on a stranger's machine; in continuous integration nothing may be left out."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def _skip_without_parts() -> None:
    for name in _NEEDED:
        if importlib.util.find_spec(name) is None:
            _leave_out(f"the page is not looked at: {name} is not installed")


def _digit() -> np.ndarray:
    """A figure of 32x32 bytes that is no digit, but is dark, light and slanted in places."""
    y, x = np.mgrid[:32, :32]
    ring = np.abs(np.hypot(y - 15.0, x - 13.0) - 8) < 3
    levels = np.where(ring, 230 - 3 * x, 8 + (5 * y + 3 * x) % 40)
    return levels.astype(np.uint8)


def _subjects(run: Path, folder: Path) -> tuple[Subject, Subject]:
    scope: dict[str, Any] = {}
    exec(_ODD, scope)  # noqa: S102 -- the text above
    several = []
    for subject in (run, scope["net"]):
        opened = open_model(subject)
        net, card = opened.net, opened.card
        several.append(Subject(net, card, preprocess(read_pixels(folder / "one.png", card), card)))
    return several[0], several[1]


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10):
                return
        except OSError:
            assert server.poll() is None, log.read_text(encoding="utf-8")
            time.sleep(0.1)
    pytest.fail(f"the lab does not answer: {log.read_text(encoding='utf-8')}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser that can reach this machine alone."""
    _skip_without_parts()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- may be absent

    with sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, _BINARIES)), None)
        own = playwright.chromium.executable_path
        if found is None and not Path(own).exists():
            _leave_out("the page is not looked at: there is no Chromium")
        browser = playwright.chromium.launch(
            executable_path=found or own,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--use-fake-device-for-media-stream",  # a camera that shows a test picture
                "--use-fake-ui-for-media-stream",  # and a person who allows it
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def window(chromium: Any, lab: Lab) -> Iterator[Any]:
    """What the pages of all tests have in common: the files of the lab that were read already."""
    context = chromium.new_context(viewport=_SIZE, base_url=lab.address)
    context.set_default_timeout(60_000)  # a busy machine fails no test
    yield context
    context.close()


@pytest.fixture(scope="session")
def tab(window: Any) -> Any:
    """The one page of all tests: to begin a process for each would take longer than the tests."""
    tab = window.new_page()
    tab.goto(_NOTHING)
    return tab


@pytest.fixture
def page(window: Any, tab: Any, lab: Lab) -> Iterator[Any]:
    """A page of 1440x900 that asks nobody but the lab, and that has no error to tell."""
    asked: list[str] = []
    told: list[str] = []
    heard = {
        "request": lambda request: asked.append(request.url),
        "pageerror": lambda error: told.append(str(error)),
        "console": lambda line: told.append(line.text) if is_fault(line) else None,
        "response": lambda answer: told.append(answer.url) if _is_missing(answer) else None,
    }
    for event, hear in heard.items():
        tab.on(event, hear)
    yield tab
    for one in window.pages:
        if one is not tab:
            one.close()
    tab.unroute_all()
    tab.goto(_NOTHING)
    for event, hear in heard.items():
        tab.remove_listener(event, hear)
    tab.evaluate("localStorage.clear()")  # the next test begins without a memory
    tab.emulate_media(media="null", color_scheme="null", reduced_motion="null")
    tab.set_viewport_size(_SIZE)
    hosts = {urlsplit(url).netloc for url in asked if url.startswith("http")}
    assert hosts == {urlsplit(lab.address).netloc}
    assert told == []


def is_fault(line: Any) -> bool:
    """An error, but for the browser's remark on an answer of the API that refuses."""
    return line.type == "error" and "Failed to load resource" not in line.text


def _is_missing(answer: Any) -> bool:
    """A file of the page that is not there; the API may refuse."""
    return answer.status >= 400 and "/api/" not in answer.url
