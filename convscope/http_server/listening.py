"""Sockets that listen, and the names by which a server is called."""

import errno
import socket
from collections.abc import Iterable, Iterator

from convscope.errors import RequestError

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")
ANY_HOSTS = ("0.0.0.0", "::")  # noqa: S104 -- where asked for, with a token

_PORTS = 65536
_HTTP = 80  # which no browser writes


def free_port(host: str, first: int, *, tries: int = 20) -> tuple[socket.socket, int]:
    """A socket bound to port `first`, or to the next one that is free, of `tries`.

    Raises RequestError for a host that is no address of this machine, for a port that needs the
    rights of an administrator, and if no port is free.
    """
    if not host:
        raise RequestError("`host` is empty. Write an address of this machine, such as 127.0.0.1.")
    last = min(first + tries, _PORTS) - 1
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


def check_port(port: int) -> None:
    """Raise RequestError for a port that cannot exist."""
    if not 0 < port < _PORTS:
        raise RequestError(f"`port` must be between 1 and 65,535, not {port}.")


def host_names(names: Iterable[str], port: int) -> frozenset[str]:
    """How clients call a server of these names, in the header Host."""
    return frozenset(_with_port(names, port))


def bracketed(host: str) -> str:
    """A host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def _with_port(names: Iterable[str], port: int) -> Iterator[str]:
    for name in names:
        yield f"{bracketed(name)}:{port}".lower()
        if port == _HTTP:
            yield bracketed(name).lower()


def _why_not_bound(host: str, port: int, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return (
            f"Port {port} needs the rights of an administrator. Choose a `port` from 1,024 on, for "
            "example 8600."
        )
    return (
        f"{host!r} is no address of this machine ({getattr(error, 'strerror', None) or error}). "
        "Choose another `host`: 127.0.0.1 for this machine alone, 0.0.0.0 for others, too."
    )
