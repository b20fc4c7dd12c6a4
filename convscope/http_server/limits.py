"""How much of a server one client can take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on connections, requests and bodies.

    Attributes:
        connections: open at a time; beyond it, the slowest one is closed.
        header_seconds: from opening a connection, or from the last answer, until a request's
            header is complete.
        address_bytes: of a request's path and query.
        header_bytes: of all its header fields.
        json_bytes: of a body, except on the routes that take a file.
        file_bytes: of a body on these.
        held_bytes: of all bodies that are in memory at a time.
        body_seconds: for a body before its rate counts.
        body_rate: bytes a second of a body after that, on average.
        read_seconds: within which a client must take `read_bytes` of an answer that waits for it.
        read_bytes: see `read_seconds`.
        requests: that are being computed or wait for it at a time.
        linger_seconds: for which the rest of a refused body is read, so that its sender reads the
            refusal and not a broken connection.
    """

    connections: int = 256
    header_seconds: float = 10.0
    address_bytes: int = 16 << 10
    header_bytes: int = 32 << 10
    json_bytes: int = 1 << 20
    file_bytes: int = 32 << 20
    held_bytes: int = 256 << 20
    body_seconds: float = 10.0
    body_rate: int = 32 << 10
    read_seconds: float = 30.0
    read_bytes: int = 32 << 10
    requests: int = 64
    linger_seconds: float = 2.0


LIMITS = Limits()
