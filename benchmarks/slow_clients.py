"""How fast the lab answers while slow clients hold connections, with its protections and without.

    python benchmarks/slow_clients.py --slow 200 --requests 200

Slow clients send half a header, half a body, or nothing, then a byte each second. A fast client
asks on a new connection each time. Servers: uvicorn as it comes, uvicorn that answers 503 beyond
100 connections (`limit_concurrency`), both without the lab's middleware, and the lab's. Each is a
process of its own; `--files` bounds its file descriptors.
"""

import argparse
import http.client
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from rounds import machine

from convscope.http_server.connections import LimitedServer
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.server import make_app

SERVERS = ("uvicorn", "limited", "lab")
HEAD = b"POST /api/lessons/size HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n"
SLOW = {
    "no one": b"",
    "headers": b"GET /api/lessons HTTP/1.1\r\nHost: HOST\r\nX-Slow: ",
    "bodies": HEAD + b"Content-Length: 100000\r\n\r\n{",
    "silent": b"",
}
REQUEST_SECONDS = 5  # after which a fast request counts as not answered


def serve(kind: str, files: int) -> None:
    """Run a server until the end of the standard input; print its port first."""
    if files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    with TemporaryDirectory() as folder:
        app = make_app(ModelStore(), TrainingJobs(Path(folder)), hosts=None)
        if kind != "lab":
            app.user_middleware.clear()  # the guard
        most = 100 if kind == "limited" else None
        config = uvicorn.Config(app, log_level="critical", limit_concurrency=most)
        server = LimitedServer(app) if kind == "lab" else uvicorn.Server(config)
        threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True).start()
        sys.stdout.write(f"{listening.getsockname()[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()


@contextmanager
def served(kind: str, files: int) -> Iterator[int]:
    command = [sys.executable, __file__, "--serve", kind, "--files", str(files)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


class SlowClients:
    """Connections that send a byte each second until they are closed."""

    def __init__(self, port: int, data: bytes, count: int) -> None:
        self._data = data.replace(b"HOST", f"127.0.0.1:{port}".encode())
        self._is_silent = not data
        self.connections = [self._connect(port) for _ in range(count)]
        threading.Thread(target=self._drip, daemon=True).start()

    def _connect(self, port: int) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port), timeout=5)
        connection.sendall(self._data)
        connection.settimeout(0)
        return connection

    def _drip(self) -> None:
        while self.connections:
            time.sleep(1)
            for connection in [] if self._is_silent else self.connections:
                with suppress(OSError):
                    connection.send(b"x")

    def count_open(self) -> int:
        """How many the server has not closed."""
        return sum(map(_is_open, self.connections))

    def close(self) -> None:
        for connection in self.connections:
            connection.close()
        self.connections = []


def _is_open(connection: socket.socket) -> bool:
    try:
        while connection.recv(1 << 16):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def ask(port: int) -> float | None:
    """Milliseconds for an answer; None if there is none, or another than 200."""
    begin = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    with closing(connection):
        try:
            connection.request("GET", "/api/lessons")
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return None
        return 1000 * (time.perf_counter() - begin) if answer.status == 200 else None


def measure(kind: str, slow: str, options: argparse.Namespace) -> None:
    with served(kind, options.files) as port:
        while ask(port) is None:
            time.sleep(0.1)
        count = 0 if slow == "no one" else options.slow
        clients = SlowClients(port, SLOW[slow], count)
        begin, taken, failed = time.monotonic(), [], 0
        for _ in range(options.requests):
            milliseconds = ask(port)
            failed += milliseconds is None
            taken += [] if milliseconds is None else [milliseconds]
            if failed == options.give_up:
                break
        time.sleep(max(0, 15 - (time.monotonic() - begin)) if count else 0)
        cuts = statistics.quantiles(taken, n=100) if len(taken) > 1 else []
        times = f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms" if cuts else "no times"
        print(
            f"{kind:8} slow: {slow:8} {times}; {failed} of {len(taken) + failed} not answered; "
            f"{clients.count_open()} of {count} slow ones are still connected after 15 s",
            flush=True,
        )
        clients.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slow", type=int, default=200)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--files", type=int, default=0, help="file descriptors of the server")
    parser.add_argument("--give-up", type=int, default=5, help="failures after which to stop")
    parser.add_argument("--servers", nargs="+", default=SERVERS, choices=SERVERS)
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.files)
        return
    print(machine())
    for slow in SLOW:
        for kind in options.servers:
            measure(kind, slow, options)


if __name__ == "__main__":
    main()
