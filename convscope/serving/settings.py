"""What `serve` may be told."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from convscope.data.unreadable import MAX_PIXELS
from convscope.errors import RequestError, shell_word
from convscope.exported.classifier import default_threads
from convscope.http_server.limits import Limits
from convscope.http_server.listening import LOCAL_HOSTS, check_port
from convscope.regular_files import read_regular

PORT = 8000
TOKEN_VARIABLE = "CONVSCOPE_TOKEN"  # noqa: S105 -- its name
_SHORTEST_TOKEN, _LONGEST_TOKEN = 16, 1024
_JSON_BYTES = 64 << 10  # of a body on routes that take none


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Bounds and sizes of a server.

    Attributes:
        host, port: where it listens.
        allowed_hosts: further names by which clients call it, as NAME or NAME:PORT.
        name: of the network, as clients of the Open Inference Protocol call it; by default that of
            its export.
        engine: which engine computes; "auto" is the fastest that is installed.
        threads: of the engine of each process; None divides the processors among the processes.
        workers: processes that answer.
        max_batch_size: images that are computed together at most.
        max_delay: milliseconds for which an image waits for others, if others are on their way.
        queue_size: images that wait at most; a request for which there is no room is refused.
        timeout: seconds in which a request whose body has arrived is answered.
        max_images: of a request.
        max_body: bytes of a request, in MB.
        max_pixels: of an image; one whose header states more is not decoded.
        drain: seconds in which requests are finished when the server ends.
        access_log: whether each request is logged.
        explain: the folder of the run whose network explains answers; None for no explanations.
    """

    host: str = "127.0.0.1"
    port: int = PORT
    allowed_hosts: tuple[str, ...] = ()
    name: str | None = None
    engine: str = "auto"
    threads: int | None = None
    workers: int = 1
    max_batch_size: int = 8
    max_delay: float = 2.0
    queue_size: int = 128
    timeout: float = 10.0
    max_images: int = 32
    max_body: int = 32
    max_pixels: int = MAX_PIXELS
    drain: int = 20
    access_log: bool = True
    explain: str | None = None

    def __post_init__(self) -> None:
        check_port(self.port)
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise RequestError(f"`{name}` must be between {low:,} and {high:,}, not {value}.")
        if self.name is not None and not re.fullmatch(r"[\w.-]{1,200}", self.name, re.ASCII):
            raise RequestError(
                f"`name` must have ASCII letters, digits, and . _ - alone, not {self.name!r}."
            )
        if self.max_images > self.queue_size:
            raise RequestError(
                f"A request may have {self.max_images} images (`max_images`), but only "
                f"{self.queue_size} can wait (`queue_size`), so it would never be answered."
            )

    @property
    def is_local(self) -> bool:
        """Whether only programs on this machine reach it."""
        return self.host in LOCAL_HOSTS

    @property
    def num_threads(self) -> int:
        """Threads of the engine of each process."""
        return self.threads or max(1, default_threads() // self.workers)

    @property
    def limits(self) -> Limits:
        """The bounds on connections and bodies of each process."""
        body = self.max_body << 20
        return Limits(
            connections=1024,
            json_bytes=_JSON_BYTES,
            file_bytes=body,
            held_bytes=max(256 << 20, 2 * body),
            requests=1024,
        )


_RANGES = (
    ("threads", 1, 1024),
    ("workers", 1, 256),
    ("max_batch_size", 1, 4096),
    ("max_delay", 0, 1000),
    ("queue_size", 1, 100_000),
    ("timeout", 0.01, 3600),
    ("max_images", 1, 10_000),
    ("max_body", 1, 1024),
    ("max_pixels", 1, MAX_PIXELS),
    ("drain", 0, 3600),
)


def read_token(settings: ServeSettings, file: Path | None) -> str | None:
    """The token that requests must carry: of a file, or of CONVSCOPE_TOKEN; None for none.

    Raises RequestError for a server that other machines reach without one, for one that cannot be
    guessed at too hard, and for a file that cannot be read.
    """
    if file is not None:
        where = shell_word(file)
        try:
            token = read_regular(file, limit=_LONGEST_TOKEN).decode("ascii").strip()
        except OSError as error:
            raise RequestError(
                f"The token's file {where} could not be read: {error.strerror}."
            ) from error
        except UnicodeDecodeError as error:
            raise RequestError(f"The token in {where} must be ASCII.") from error
    else:
        where, token = TOKEN_VARIABLE, os.environ.get(TOKEN_VARIABLE, "").strip()
    if file is None and not token:
        if settings.is_local:
            return None
        raise RequestError(
            f"Other machines reach {settings.host}, so requests must carry a token: set "
            f"{TOKEN_VARIABLE}, or name a file by `token_file`, as `openssl rand -hex 24` makes it."
        )
    if not _SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN or not token.isascii() or " " in token:
        raise RequestError(
            f"The token in {where} must have {_SHORTEST_TOKEN} to {_LONGEST_TOKEN:,} ASCII letters "
            "and digits, without spaces."
        )
    return token
