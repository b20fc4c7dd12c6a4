"""Opens the lab: fills its store, finds a port, and serves the page."""

import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from torch import nn

from convscope.data.samples import sample_images
from convscope.errors import RequestError
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs

PORT = 8600
_MAX_PORTS = 20  # that are tried
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def fill(
    store: ModelStore,
    subjects: Sequence[str | nn.Module],
    images: Sequence[Path],
    *,
    weights: str | None = None,
) -> None:
    """Open the networks and show each the images, or sample images if there are none."""
    for subject in subjects:
        model = store.open(subject, weights=weights)
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
                f"The lab needs {name}. Install it with `pip install 'convscope[lab]'`."
            )


def free_port(host: str, first: int) -> tuple[socket.socket, int]:
    """A socket bound to port `first`, or to the next one that is free."""
    for port in range(first, first + _MAX_PORTS):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError:
            listening.close()
            continue
        return listening, port
    raise RequestError(
        f"No port from {first} to {first + _MAX_PORTS - 1} is free on {host}. Choose another with "
        "--port."
    )


def serve(
    store: ModelStore,
    jobs: TrainingJobs,
    *,
    host: str,
    port: int,
    open_page: bool,
    write: Callable[[str], None],
) -> None:
    """Serve the page until an interrupt. An address that other machines reach needs a token.

    `write` prints a line for the person who started the lab.
    """
    import uvicorn  # noqa: PLC0415 -- of the extra, as is what the server imports

    from convscope.webapp.server import make_app  # noqa: PLC0415

    listening, used = free_port(host, port)
    if used != port:
        write(f"Port {port} is taken, perhaps by another lab; this one listens on {used}.")
    token = None if host in _LOCAL_HOSTS else secrets.token_urlsafe(24)
    any_name = host in ("0.0.0.0", "::")  # noqa: S104 -- where asked for, with a token
    names = {host, *(_LOCAL_HOSTS if host in _LOCAL_HOSTS else ())}
    hosts = None if any_name else frozenset(f"{_bracketed(name)}:{used}" for name in names)
    address = f"http://{socket.gethostname() if any_name else _bracketed(host)}:{used}/"
    address += f"?token={token}" if token else ""
    write(f"The lab is at {address}   (ctrl-C ends it)")
    if open_page:
        threading.Timer(0.5, webbrowser.open, [address]).start()
    app = make_app(store, jobs, hosts=hosts, token=token)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    server = uvicorn.Server(config)
    # The server waits for open streams, and these end when they see this.
    app.state.ending = lambda: server.should_exit
    server.run(sockets=[listening])


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
