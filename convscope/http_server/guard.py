"""The middleware in front of every route: access, bounds on bodies and work, security headers."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from convscope.http_server.access import (
    Refusal,
    check_access,
    check_header,
    declared_length,
    field_values,
)
from convscope.http_server.body import Disconnected, check_json, check_length, read_body
from convscope.http_server.limits import LIMITS, Limits
from convscope.words.json_text import to_json

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
"""Of every answer, whatever made it."""

_UNSUPPORTED = (b"range", b"if-range")  # answered in whole: everything here is small
_log = logging.getLogger(__name__)


class Guard:
    """ASGI middleware that refuses a request before anything is computed for it.

    The application gets only requests for one of `hosts` (see `check_access`), not from pages of
    other sites, that `authorize` allows, with a complete body. A client that leaves before that is
    forgotten without a word. An exception of the application is logged and answered with 500.

    Args:
        app: the application.
        hosts: the names with ports that it answers to; None allows every name.
        authorize: raises Refusal for a request without the token; by default there is none.
        takes_file: whether a method and path take a body of `limits.file_bytes`; all others take
            `limits.json_bytes`.
        limits: the bounds.
        encodings: which Content-Encoding a body may have; the application decodes it.
        key: of the JSON object that says why a request is refused.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: frozenset[str] | None,
        authorize: Callable[[Scope], None] = lambda _scope: None,
        takes_file: Callable[[str, str], bool] = lambda _method, _path: False,
        limits: Limits = LIMITS,
        encodings: frozenset[str] = frozenset({"identity"}),
        key: str = "message",
    ) -> None:
        self._app = app
        self._hosts, self._authorize = hosts, authorize
        self._encodings, self._key = encodings, key
        self._takes_file, self._limits = takes_file, limits
        self._held = 0
        self._working = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            answer = _Answer(scope, send, self._key)
            with suppress(Disconnected):
                try:
                    await self._handle(scope, receive, answer)
                except Refusal as refusal:
                    await answer.refuse(refusal, receive, linger=self._limits.linger_seconds)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _handle(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        check_access(scope, hosts=self._hosts)
        self._authorize(scope)
        check_header(scope, self._limits, encodings=self._encodings)
        takes_file = self._takes_file(scope["method"], scope["path"])
        limit = self._limits.file_bytes if takes_file else self._limits.json_bytes
        check_length(declared_length(scope), limit)
        held = 0

        def hold(size: int) -> None:
            nonlocal held
            if self._held + size > self._limits.held_bytes:
                raise _busy("The server is receiving other files.")
            self._held += size
            held += size

        try:
            body = await read_body(receive, limit=limit, limits=self._limits, hold=hold)
            answer.is_received = True
            if body and not takes_file and _is_json(scope):
                check_json(body)
            await self._pass_on(scope, body, receive, answer)
        finally:
            self._held -= held

    async def _pass_on(
        self, scope: Scope, body: bytes, receive: Receive, answer: "_Answer"
    ) -> None:
        if self._working >= self._limits.requests:
            raise _busy(f"The server computes {self._working} other answers.")
        parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_again() -> Message:
            return parts.pop() if parts else await receive()

        def has_computed() -> None:
            self._working -= 1

        headers = [field for field in scope["headers"] if field[0] not in _UNSUPPORTED]
        self._working += 1
        answer.when_started = has_computed
        try:
            await self._app({**scope, "headers": headers}, receive_again, answer.send)
        except Exception as error:
            if answer.is_started:
                raise
            _log.exception("%s %s", scope["method"], scope["path"])
            raise Refusal(
                500,
                f"Internal error of the server ({type(error).__name__}). Its terminal shows where.",
            ) from error
        finally:
            answer.start()


def _is_json(scope: Scope) -> bool:
    return any("json" in value.lower() for value in field_values(scope, b"content-type"))


def _busy(reason: str) -> Refusal:
    return Refusal(503, f"{reason} Try again in a few seconds.", {"Retry-After": "2"})


class _Answer:
    """The answer to a request: adds the security headers to whatever is sent."""

    def __init__(self, scope: Scope, send: Send, key: str) -> None:
        self._scope, self._send, self._key = scope, send, key
        self.is_started = False
        self.is_received = declared_length(scope) == 0
        self.when_started: Callable[[], None] | None = None

    def start(self) -> None:
        """Call `when_started`, once."""
        if self.when_started is not None:
            self.when_started()
            self.when_started = None

    async def send(self, message: Message) -> None:
        """Pass an event of the application on."""
        if message["type"] == "http.response.start":
            self.is_started = True
            self.start()
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            if self._scope["path"].startswith("/static"):  # old and new scripts must not mix
                headers["Cache-Control"] = "no-cache"
        await self._send(message)

    async def refuse(self, refusal: Refusal, receive: Receive, *, linger: float) -> None:
        """Send a refusal; end the connection if the body was not read."""
        body = to_json({self._key: refusal.message}).encode()
        fields = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            **({} if self.is_received else {"connection": "close"}),
            **refusal.headers,
        }
        headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
        await self.send(
            {"type": "http.response.start", "status": refusal.status, "headers": headers}
        )
        is_waiting = not self.is_received and not field_values(self._scope, b"expect")
        await self._send({"type": "http.response.body", "body": body, "more_body": is_waiting})
        if is_waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(linger):
                    while (await receive()).get("more_body", False):
                        pass
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
