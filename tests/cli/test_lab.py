"""`convscope lab`: opens, tells its address, ends by a signal, and refuses with a sentence."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from convscope.errors import RequestError
from convscope.webapp import launch as verb
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs


def test_it_serves_the_page_on_the_next_free_port_and_ends_by_ctrl_c():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        words = ["lab", "lenet5", "--no-open", "--port", str(port)]
        process = subprocess.Popen(
            [sys.executable, "-m", "convscope", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        try:
            moved, address = (process.stdout.readline() for _ in range(2))
            assert f"Port {port} is taken" in moved
            url = address.split()[4]
            page = read(url)
            assert b"<title>convscope" in page
            assert b'"lenet5"' in read(f"{url}api/networks")
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 130
            assert process.stdout.read() == "convscope: Interrupted by SIGINT.\n"
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def read(url):
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 -- our own
                return answer.read()
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} does not answer")


def test_what_cannot_be_looked_into_is_told(command):
    assert "lenet5" in command("lab", "lenet6", "--no-open", code=2).stderr
    assert "lenet5" in command("lab", "lenet6", "--no-browser", code=2).stderr  # as Jupyter says
    told = command("lab", "lenet5", "--image", "none.png", "--no-open", code=2).stderr
    assert "none.png" in told


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(verb, "find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"convscope\[lab\]"):
        verb.require_extra()


def test_an_address_beyond_this_machine_carries_a_token(tmp_path):
    def address(host):
        store, jobs = ModelStore(), TrainingJobs(tmp_path)
        server = verb.Server(store, jobs, host=host, first_port=18650)
        server.close()
        return server.address

    beyond = address("0.0.0.0")  # noqa: S104
    assert "?token=" in beyond
    assert "0.0.0.0" not in beyond  # noqa: S104 -- no browser can open that
    assert "token" not in address("127.0.0.1")
