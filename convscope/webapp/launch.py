"""Opens the lab: fills its store, finds a port, and serves the page."""

import errno
import secrets
import socket
import threading
import webbrowser
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from torch import nn

from convscope.data.samples import sample_images
from convscope.errors import RequestError
from convscope.runs.own_code import Consent
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs

PORT = 8600
_PORTS = 65536
_MAX_PORTS = 20  # that are tried
_HTTP = 80  # which no browser writes
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def fill(
    store: ModelStore,
    subjects: Sequence[str | nn.Module],
    images: Sequence[Path],
    *,
    weights: str | None = None,
    pretrained: bool = False,
    trust: bool = False,
) -> None:
    """Open the networks and show each the images, or sample images if there are none."""
    for subject in subjects:
        model = store.open(
            subject, weights=weights, pretrained=pretrained, consent=Consent(trust=trust)
        )
        for path in images:
            store.add(model, path.name, path)
        if not images:
            for title, pixels in sample_images(model.card):
                store.add(model, title, pixels)


def require_extra() -> None:
    """Raise RequestError if a package of the extra `lab` is missing."""
    for name in ("fastapi", "uvicorn"):
        if find_spec(name) is None:
            raise RequestError(
                f'The lab needs {name}. Install it with `pip install "convscope[lab]"`.'
            )


def free_port(host: str, first: int) -> tuple[socket.socket, int]:
    """A socket bound to port `first`, or to the next one that is free.

    Raises RequestError for a host that is no address of this machine, for a port that needs the
    rights of an administrator, and if no port is free.
    """
    if not host:
        raise RequestError("`host` is empty. Write an address of this machine, such as 127.0.0.1.")
    last = min(first + _MAX_PORTS, _PORTS) - 1
    for port in range(first, last + 1):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except (OSError, TypeError, ValueError) as error:
            listening.close()
            if getattr(error, "errno", None) != errno.EADDRINUSE:
                raise RequestError(_why_not_bound(host, port, error)) from error
        else:
            return listening, port
    ports = f"port from {first} to {last}" if last > first else f"port {first}"
    raise RequestError(f"No {ports} is free on {host}. Choose another with `port`.")


def _why_not_bound(host: str, port: int, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return (
            f"Port {port} needs the rights of an administrator. Choose a `port` from 1,024 on, for "
            f"example {PORT}."
        )
    return (
        f"{host!r} is no address of this machine ({getattr(error, 'strerror', None) or error}). "
        "Choose another `host`: 127.0.0.1 for this machine alone, 0.0.0.0 for others, too."
    )


class Server:
    """The page on a port of its own, not yet served. An address for other machines needs a token.

    Attributes:
        address: the page's URL, with the token if there is one.
        port: the port it listens on, `first_port` or the next one that is free.
    """

    def __init__(self, store: ModelStore, jobs: TrainingJobs, *, host: str, first_port: int):
        # Of the extra, as is what they import.
        from convscope.webapp.connections import LabServer  # noqa: PLC0415
        from convscope.webapp.server import make_app  # noqa: PLC0415

        self._listening, self.port = free_port(host, first_port)
        self._listening.listen()  # a request that comes before `run` waits
        token = None if host in _LOCAL_HOSTS else secrets.token_urlsafe(24)
        any_name = host in ("0.0.0.0", "::")  # noqa: S104 -- where asked for, with a token
        names = {host, *(_LOCAL_HOSTS if host in _LOCAL_HOSTS else ())}
        hosts = None if any_name else frozenset(_hosts(names, self.port))
        name = socket.gethostname() if any_name else _bracketed(host)
        self.address = f"http://{name}:{self.port}/" + (f"?token={token}" if token else "")
        app = make_app(store, jobs, hosts=hosts, token=token)
        self._server = LabServer(app)
        # The server waits for open streams, and these end when they see this.
        app.state.ending = lambda: self._server.should_exit

    def run(self) -> None:
        """Serve until `stop` or, in the main thread, an interrupt."""
        self._server.run(sockets=[self._listening])

    def stop(self) -> None:
        """Let `run` return once open requests are answered."""
        self._server.should_exit = True

    def close(self) -> None:
        """Give the port back, of a server that does not run."""
        self._listening.close()


def open_in_browser(address: str) -> None:
    """Open a page half a second from now, when it is served."""
    threading.Timer(0.5, webbrowser.open, [address]).start()


def _hosts(names: Iterable[str], port: int) -> Iterator[str]:
    """How a browser calls them."""
    for name in names:
        yield f"{_bracketed(name)}:{port}".lower()
        if port == _HTTP:
            yield _bracketed(name).lower()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
