"""`serve`: from the command to the server."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from convscope.errors import RequestError
from convscope.http_server.listening import (
    ANY_HOSTS,
    LOCAL_HOSTS,
    bracketed,
    free_port,
    host_names,
)
from convscope.serving.folder import exported_folder
from convscope.serving.settings import ServeSettings, read_token

_EXTRA = ("starlette", "uvicorn", "h11", "prometheus_client", "python_multipart")


def serve(
    path: str | Path,
    settings: ServeSettings,
    *,
    token_file: Path | None = None,
    say: Callable[[str], None],
) -> int:
    """Serve an exported network, or a run, until a signal ends it; the exit status.

    It is 0 when every request that had begun was answered, 1 when some were cut off.

    Raises RequestError for what cannot be served so, WorkError where it fails.
    """
    require_extra()
    token = read_token(settings, token_file)
    folder = exported_folder(Path(path).expanduser(), say)
    listening, port = free_port(settings.host, settings.port, tries=1)
    hosts = _hosts(settings, port)
    address = f"http://{bracketed(settings.host)}:{port}/"

    def when_ready() -> None:
        say(f"Serving {folder} at {address}   (ctrl-C ends it)")

    with listening:
        if settings.workers > 1:
            from convscope.serving.supervisor import Supervisor  # noqa: PLC0415 -- of the extra

            supervisor = Supervisor(folder, settings, listening, hosts=hosts, token=token)
            return supervisor.run(when_ready)
        from convscope.serving.worker import Worker  # noqa: PLC0415 -- of the extra

        return Worker(folder, settings, hosts=hosts, token=token).run(listening, when_ready)


def require_extra() -> None:
    """Raise RequestError if a package of the extra `serve` is missing."""
    for name in _EXTRA:
        if find_spec(name) is None:
            raise RequestError(
                f'The server needs {name}. Install it with `pip install "convscope[serve]"`.'
            )


def _hosts(settings: ServeSettings, port: int) -> frozenset[str] | None:
    """The names it answers to; None for every name, where there is a token."""
    if settings.host in ANY_HOSTS and not settings.allowed_hosts:
        return None
    own = {settings.host, *(LOCAL_HOSTS if settings.is_local else ())}
    named = frozenset(name.lower() for name in settings.allowed_hosts)
    return host_names(own, port) | named | host_names((n for n in named if ":" not in n), port)
