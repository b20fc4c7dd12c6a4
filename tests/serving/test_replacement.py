"""A network that is replaced, a server that ends and a process that dies, while clients ask."""

import os
import shutil
import signal
import threading
import time
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.repetition import first_fast
from tests.serving.servers import photograph, served, start, wait_for

IMAGE = photograph()


class Load:
    """Clients that ask one request after another, each by a connection of its own."""

    def __init__(self, server, clients=6):
        self.answers, self.failures = [], []
        self._server, self._is_over = server, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self):
        while not self._is_over.is_set():
            try:
                self.answers.append(self._server.predict(IMAGE))
            except ConnectionRefusedError:
                self.failures.append("refused")
                return
            except (OSError, HTTPException) as error:
                self.failures.append(type(error).__name__)

    @contextmanager
    def running(self):
        for thread in self._threads:
            thread.start()
        try:
            assert wait_for(lambda: len(self.answers) > 20)
            yield
        finally:
            self._is_over.set()
            for thread in self._threads:
                thread.join(60)

    @property
    def versions(self):
        return {answer.json["version"] for answer in self.answers}


def replace(folder, other):
    """Put a copy of another export in the place of a folder, at once."""
    new = folder.with_name("new")
    shutil.copytree(other, new)
    old = folder.with_name(f"old{time.monotonic_ns()}")
    folder.rename(old)
    new.rename(folder)


@pytest.mark.parametrize("workers", first_fast(1, [1, 2]))
def test_a_new_export_is_taken_without_losing_a_request(folder, exports, workers):
    options = ("--threads", 1, "--workers", workers, "--max-delay", 5)
    with served(folder, *options) as server:
        (before,) = {server.predict(IMAGE).json["version"] for _ in range(10)}
        label = server.predict(IMAGE).json["predictions"][0]["probabilities"]
        load = Load(server)
        with load.running():
            replace(folder, exports / "second")
            assert wait_for(lambda: len(server.events("reloaded")) == workers)
            count = len(load.answers)
            assert wait_for(lambda: len(load.answers) > count + 50)
        assert load.failures == []
        assert {answer.status for answer in load.answers} == {200}
        assert len(load.versions) == 2
        assert before in load.versions
        after = server.predict(IMAGE).json
        assert after["version"] != before
        assert after["predictions"][0]["probabilities"] != pytest.approx(label, abs=1e-3)
        assert len({one.json["version"] for one in load.answers[-20:]}) == 1


def damage(folder, kind):
    if kind == "weights":
        data = bytearray((folder / "model.onnx").read_bytes())
        data[len(data) // 2] ^= 1
        (folder / "model.onnx").write_bytes(data)
    elif kind == "manifest":
        (folder / "export.json").write_text("{")
    elif kind == "card":
        (folder / "card.json").unlink()


@pytest.mark.parametrize("kind", first_fast(1, ["weights", "manifest", "card"]))
def test_an_export_that_is_damaged_is_refused_and_the_old_one_kept(folder, exports, tmp_path, kind):
    bad = shutil.copytree(exports / "second", tmp_path / "bad")
    damage(bad, kind)
    with served(folder, "--threads", 1) as server:
        before = server.predict(IMAGE).json
        load = Load(server)
        with load.running():
            replace(folder, bad)
            assert wait_for(lambda: server.events("reload refused"))
        assert load.failures == []
        assert server.predict(IMAGE).json == before
        assert server.metric("convscope_reloads_total") == 1
        replace(folder, exports / "second")  # and a good one is taken later
        assert wait_for(lambda: server.events("reloaded"))
        assert server.predict(IMAGE).json["version"] != before["version"]


def test_an_export_that_answers_otherwise_than_it_should_is_refused(folder, exports, tmp_path):
    """By its golden images: the weights are another network's, with digests that agree."""
    import hashlib  # noqa: PLC0415
    import json  # noqa: PLC0415

    bad = shutil.copytree(exports / "second", tmp_path / "bad")
    shutil.copy(exports / "first" / "model.onnx", bad / "model.onnx")
    manifest = json.loads((bad / "export.json").read_text())
    digest = hashlib.sha256((bad / "model.onnx").read_bytes()).hexdigest()
    manifest["files"]["model.onnx"] = digest
    (bad / "export.json").write_text(json.dumps(manifest))
    with served(folder, "--threads", 1) as server:
        before = server.predict(IMAGE).json
        replace(folder, bad)
        assert wait_for(lambda: server.events("reload refused"))
        assert "a probability differs by" in server.events("reload refused")[0]["reason"]
        assert server.predict(IMAGE).json == before


@pytest.mark.parametrize("workers", first_fast(1, [1, 2]))
def test_sighup_loads_the_network_again(folder, workers):
    with served(folder, "--threads", 1, "--workers", workers) as server:
        server.process.send_signal(signal.SIGHUP)
        assert wait_for(lambda: len(server.events("reloaded")) == workers)
        assert server.predict(IMAGE).status == 200


@pytest.mark.parametrize("workers", first_fast(1, [1, 2]))
@pytest.mark.parametrize("number", first_fast(1, [signal.SIGTERM, signal.SIGINT]))
def test_a_server_that_is_told_to_end_finishes_what_has_begun(exports, workers, number):
    with served(exports / "first", "--threads", 1, "--workers", workers) as server:
        load = Load(server, clients=12)
        with load.running():
            assert server.end(number) == 0
        assert {answer.status for answer in load.answers} == {200}
        assert set(load.failures) <= {"refused", "ConnectionResetError", "RemoteDisconnected"}
        # A connection that was made but not accepted yet is reset; a request in it is not begun.
        assert load.failures.count("refused") >= 6
    server.close()
    assert server.events("stopped")[-1]["requests_cut"] == 0
    assert len(server.events("stopped")) == workers
    answered = [one for one in server.events("request") if one["path"] == "/predict"]
    assert len(answered) == len(load.answers)  # each that it logged has arrived


def test_an_upload_that_has_begun_is_finished(exports):
    with served(exports / "first", "--threads", 1) as server:
        head = b"POST /predict HTTP/1.1\r\nHost: HOST\r\nContent-Length: %d\r\n\r\n" % len(IMAGE)
        connection = server.connect(head + IMAGE[:100])
        waiting = server.connect()
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        waiting.sendall(head.replace(b"HOST", f"127.0.0.1:{server.port}".encode()) + IMAGE)
        time.sleep(0.5)
        connection.sendall(IMAGE[100:])
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        assert waiting.recv(1000).startswith(b"HTTP/1.1 200")
        connection.close()
        waiting.close()
        assert server.process.wait(30) == 0


def test_what_cannot_be_finished_in_time_is_cut_off_and_the_status_says_so(exports):
    with served(exports / "first", "--threads", 1, "--drain", 1) as server:
        head = b"POST /predict HTTP/1.1\r\nHost: HOST\r\nContent-Length: 100000\r\n\r\n"
        connection = server.connect(head + IMAGE[:100])
        time.sleep(0.3)
        begin = time.monotonic()
        assert server.end() == 1
        assert time.monotonic() - begin < 8
        connection.close()
    server.close()
    assert server.events("stopped")[0]["requests_cut"] == 1


def test_a_worker_that_is_killed_is_replaced(exports):
    with served(exports / "first", "--threads", 1, "--workers", 2) as server:
        load = Load(server)
        with load.running():
            (killed, kept) = server.workers()
            os.kill(killed, signal.SIGKILL)
            assert wait_for(lambda: len(server.events("ready")) == 3)
            assert kept in server.workers()
            assert killed not in server.workers()
            count = len(load.answers)
            assert wait_for(lambda: len(load.answers) > count + 50)
        # Only what that process was answering is lost, and who waits in the queue is not.
        assert len(load.failures) <= 6
        assert set(load.failures) <= {
            "RemoteDisconnected",
            "ConnectionResetError",
            "IncompleteRead",
        }
        assert {answer.status for answer in load.answers} == {200}
        assert server.events("worker died")[0]["status"] == -signal.SIGKILL
        text = server.ask("GET", "/metrics").body.decode()
        assert f'pid="{killed}"' not in text
        assert server.metric("convscope_images_total") >= len(load.answers)


def test_workers_end_with_their_supervisor(exports):
    with served(exports / "first", "--threads", 1, "--workers", 2) as server:
        workers = server.workers()
        assert len(workers) == 2
        server.process.kill()
        assert wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def test_a_damaged_export_is_not_served_by_any_number_of_workers(folder):
    damage(folder, "weights")
    for workers in (1, 2):
        server = start(folder, "--workers", workers)
        assert server.process.wait(60) == (2 if workers == 1 else 1)
        server.close()
        assert "is not the file that was exported" in "".join(server.errors)
