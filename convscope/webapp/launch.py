"""Opens the lab: fills its store, finds a port, and serves the page."""

import secrets
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from torch import nn

from convscope.data.walk import is_image_path
from convscope.errors import ConvscopeError, RequestError
from convscope.http_server.listening import (
    ANY_HOSTS,
    LOCAL_HOSTS,
    bracketed,
    free_port,
    host_names,
)
from convscope.runs.own_code import Consent
from convscope.webapp.inspect.open_run import first_images
from convscope.webapp.inspect.store import LoadedModel, ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.weights.class_names import ClassNamesLike
from convscope.weights.preprocessing import InputSettings

PORT = 8600


def fill(
    store: ModelStore,
    subjects: Sequence[str | nn.Module],
    images: Sequence[Path],
    *,
    weights: str | None = None,
    pretrained: bool = False,
    in_channels: int | None = None,
    input_size: int | None = None,
    class_names: ClassNamesLike | None = None,
    settings: InputSettings | None = None,
    trust: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Open the networks and show each the images, or its own, or sample images.

    What cannot be opened does not stop the others: `say` is told. Raises the first error where no
    network opens, or a network takes none of the images.
    """
    refused: list[ConvscopeError] = []
    for subject in subjects:
        try:
            model = store.open(
                subject,
                weights=weights,
                pretrained=pretrained,
                in_channels=in_channels,
                input_size=input_size,
                class_names=class_names,
                settings=settings,
                consent=Consent(trust=trust),
            )
            if not _show(store, model, images, refused):
                del store.models[model.id]
        except ConvscopeError as error:
            refused.append(error)
    if not store.models:
        raise refused[0]
    for text in dict.fromkeys(map(str, refused)):  # several images may be refused for one reason
        say(text)


def _show(
    store: ModelStore, model: LoadedModel, images: Sequence[Path], refused: list[ConvscopeError]
) -> bool:
    """Show a network the images that it takes; whether there are any."""
    several = [(path.name, path) for path in images] or first_images(model)
    for title, image in several:
        try:
            store.add(model, title, image)
        except ConvscopeError as error:
            refused.append(error)
    return bool(model.recorded)


def apart(words: Sequence[str], images: Sequence[Path]) -> tuple[list[str], list[Path]]:
    """The networks among what was named, and the images: those files that are images, and more."""
    named = [word for word in words if is_image_path(Path(word))]
    return [word for word in words if word not in named], [*map(Path, named), *images]


def require_extra() -> None:
    """Raise RequestError if a package of the extra `lab` is missing."""
    for name in ("fastapi", "uvicorn"):
        if find_spec(name) is None:
            raise RequestError(
                f'The lab needs {name}. Install it with `pip install "convscope[lab]"`.'
            )


class Server:
    """The page on a port of its own, not yet served. An address for other machines needs a token.

    Attributes:
        address: the page's URL, with the token if there is one.
        port: the port it listens on, `first_port` or the next one that is free.
    """

    def __init__(self, store: ModelStore, jobs: TrainingJobs, *, host: str, first_port: int):
        # Of the extra, as is what they import.
        from convscope.http_server.connections import LimitedServer  # noqa: PLC0415
        from convscope.webapp.server import make_app  # noqa: PLC0415

        self._listening, self.port = free_port(host, first_port)
        self._listening.listen()  # a request that comes before `run` waits
        token = None if host in LOCAL_HOSTS else secrets.token_urlsafe(24)
        any_name = host in ANY_HOSTS
        names = {host, *(LOCAL_HOSTS if host in LOCAL_HOSTS else ())}
        hosts = None if any_name else host_names(names, self.port)
        name = socket.gethostname() if any_name else bracketed(host)
        self.address = f"http://{name}:{self.port}/" + (f"?token={token}" if token else "")
        app = make_app(store, jobs, hosts=hosts, token=token)
        self._server = LimitedServer(app)
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
