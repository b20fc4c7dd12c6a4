"""A server's connections: each has deadlines, and the slowest makes room for another."""

import asyncio
import errno
import logging
import math
import socket
import time
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from convscope.http_server.guard import HEADERS
from convscope.http_server.limits import LIMITS, Limits
from convscope.words.json_text import to_json

try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None

BACKLOG = 128  # connections that wait to be accepted
_KEEP_ALIVE_SECONDS = 5
_NEW_SECONDS = 0.5  # for which a connection without a request outlives the server's end
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_log = logging.getLogger(__name__)


class Connection(H11Protocol):
    """A connection that ends where its client is too slow to ask or to read.

    uvicorn closes a connection only between two requests: one that never completes a request's
    header, or that does not read its answer, stays for ever.
    """

    limits: Limits = LIMITS
    key: str = "message"
    ends_uploads: bool = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._most = _room(self.limits.connections)
        self._header_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._waiting_since = 0.0
        self._was_asked = False

    @property
    def is_incomplete(self) -> bool:
        """Whether its client has yet to send a request, or the rest of one."""
        return self._has_no_header or (self.conn.their_state is h11.SEND_BODY)

    @property
    def urgency(self) -> tuple[bool, float]:
        """Of several that are incomplete, the lowest is closed first: without header, then old."""
        return not self._has_no_header, self._waiting_since

    @property
    def _has_no_header(self) -> bool:
        return self.conn.their_state is h11.IDLE

    @property
    def _is_new(self) -> bool:
        return self._has_no_header and not self._was_asked

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_header()
        if len(self.connections) > self._most and not make_room(self.connections, self):
            self._refuse(503, "The server has too many connections. Try again in a few seconds.")

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._header_timer, self._read_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._header_timer is not None and not self._has_no_header:
            self._header_timer.cancel()
            self._header_timer = None

    def on_response_complete(self) -> None:
        self._was_asked = True
        super().on_response_complete()
        if self._has_no_header:
            self._expect_header()

    def shutdown(self) -> None:
        """End when the server does, at the latest after the answer that is being computed."""
        if not self.ends_uploads and self._is_new:  # its first request may be on its way
            self.loop.call_later(_NEW_SECONDS, super().shutdown)
        elif self.ends_uploads and self.is_incomplete and not self._has_no_header:
            self.transport.close()
        else:
            super().shutdown()

    def _expect_header(self) -> None:
        self._waiting_since = self.loop.time()
        if self._header_timer is not None:
            self._header_timer.cancel()
        self._header_timer = self.loop.call_later(self.limits.header_seconds, self._end_waiting)

    def _end_waiting(self) -> None:
        self._header_timer = None
        if self.conn.trailing_data[0]:
            self._refuse(408, "The header of the request came too slowly. Send it again.")
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _expect_reader(self) -> None:
        most = self.transport.get_write_buffer_size() - self.limits.read_bytes
        self._read_timer = self.loop.call_later(self.limits.read_seconds, self._check_reader, most)

    def _check_reader(self, most: int) -> None:
        if self.transport.get_write_buffer_size() > most:
            self.transport.abort()
        else:
            self._expect_reader()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 -- uvicorn's words
        """Refuse what is not HTTP."""
        self._refuse(400, "This is not a valid HTTP request.")

    def _refuse(self, status: int, message: str) -> None:
        """Answer before there is a request, or in place of its answer, and close."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = to_json({self.key: message}).encode()
            fields = {
                **HEADERS,
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                "Connection": "close",
                **({"Retry-After": "2"} if status == 503 else {}),
            }
            for event in (
                h11.Response(status_code=status, headers=list(fields.items()), reason=b""),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def _room(connections: int) -> int:
    """How many connections leave half of the file descriptors for everything else."""
    if resource is None:
        return connections
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return connections if soft < 0 else max(4, min(connections, soft // 2))


def make_room(connections: set[Any], newcomer: Connection | None = None) -> bool:
    """Close the slowest of the connections whose request is not complete; False if none is."""
    slow = [
        one
        for one in connections
        if isinstance(one, Connection) and one is not newcomer and one.is_incomplete
    ]
    if not slow:
        return False
    slowest = min(slow, key=lambda one: one.urgency)
    connections.discard(slowest)
    slowest.transport.abort()
    return True


class LimitedServer(uvicorn.Server):
    """uvicorn with connections that have deadlines.

    Args:
        app: the application.
        limits: the deadlines and bounds.
        key: of the JSON object that says why something is no request.
        ending_seconds: for answers that are being computed when the server ends.
        ends_uploads: whether a request that is not complete then is dropped.
        accepts: connections that are accepted at a time; 1 where several processes share a socket,
            so that none takes what another could answer sooner.
    """

    def __init__(
        self,
        app: Any,
        *,
        limits: Limits = LIMITS,
        key: str = "message",
        ending_seconds: int = 20,
        ends_uploads: bool = True,
        accepts: int = BACKLOG,
    ) -> None:
        self._warned_at = self._made_room_at = -math.inf
        super().__init__(
            uvicorn.Config(
                app,
                http=type(
                    "Limited",
                    (Connection,),
                    {"limits": limits, "key": key, "ends_uploads": ends_uploads},
                ),
                ws="none",
                loop="asyncio",  # whose errors `_handle` knows; by itself uvicorn prefers uvloop
                log_level="error",  # a bad request is no news for the terminal
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=accepts,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=ending_seconds,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve."""
        asyncio.get_running_loop().set_exception_handler(self._handle)
        await super().startup(sockets)
        for listening in sockets or []:
            listening.listen(BACKLOG)  # asyncio has only one number for this and for `accepts`

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Make room where a connection cannot be accepted; asyncio tries again after a second."""
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in _FULL and "socket" in context):
            loop.default_exception_handler(context)
            return
        now = time.monotonic()
        if now - self._made_room_at > 0.5:  # asyncio asks again for each connection that waits
            self._made_room_at = now
            make_room(self.server_state.connections)
        if now - self._warned_at > 60:
            self._warned_at = now
            _log.warning(
                "The server cannot open more connections (%s). It goes on with those it has.",
                error.strerror,
            )
