"""The verb `lab`: open the page in which a person looks inside a network."""

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
from convscope.lab.inspect.store import ModelStore
from convscope.lab.jobs.jobs import TrainingJobs

PORT = 8600
_TRIED = 20  # ports, one after another
_HERE = ("127.0.0.1", "localhost", "::1")


def fill(
    store: ModelStore,
    subjects: Sequence[str | nn.Module],
    images: Sequence[Path],
    *,
    weights: str | None = None,
) -> None:
    """Open the networks and show each the images; without any, what scikit-learn brings along."""
    for subject in subjects:
        model = store.open(subject, weights=weights)
        for path in images:
            store.add(model, path.name, path)
        if not images:
            for title, pixels in sample_images(model.card):
                store.add(model, title, pixels)


def require_extra() -> None:
    """Raise RequestError, naming the extra, where what serves the page is not installed."""
    for name in ("fastapi", "plotly", "uvicorn"):
        if find_spec(name) is None:
            raise RequestError(
                f"The lab needs {name}. Install it with `pip install 'convscope[lab]'`."
            )


def free_port(host: str, wish: int) -> tuple[socket.socket, int]:
    """A socket that listens on the wished port, or on the next one that is free."""
    for port in range(wish, wish + _TRIED):
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
        f"No port from {wish} to {wish + _TRIED - 1} is free on {host}. Choose another with --port."
    )


def serve(
    store: ModelStore,
    jobs: TrainingJobs,
    *,
    host: str,
    port: int,
    open_page: bool,
    say: Callable[[str], None],
) -> None:
    """Serve the page until it is interrupted. Beyond this machine an address needs its token."""
    import uvicorn  # noqa: PLC0415 -- of the extra, as is what the server imports

    from convscope.lab.server import make_app  # noqa: PLC0415

    listening, found = free_port(host, port)
    if found != port:
        say(f"Port {port} is taken, by another lab perhaps; this one listens on {found}.")
    token = None if host in _HERE else secrets.token_urlsafe(24)
    any_name = host in ("0.0.0.0", "::")  # noqa: S104 -- where asked for, with a token
    names = {host, *(_HERE if host in _HERE else ())}
    hosts = None if any_name else frozenset(f"{_bracketed(name)}:{found}" for name in names)
    address = f"http://{socket.gethostname() if any_name else _bracketed(host)}:{found}/"
    address += f"?token={token}" if token else ""
    say(f"The lab is at {address}   (ctrl-C ends it)")
    if open_page:
        threading.Timer(0.5, webbrowser.open, [address]).start()
    app = make_app(store, jobs, hosts=hosts, token=token)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    server = uvicorn.Server(config)
    # An open stream ends when it hears of the end; else the server would wait for it.
    app.state.ending = lambda: server.should_exit
    server.run(sockets=[listening])


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
