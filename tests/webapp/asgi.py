"""Asks an ASGI application without a client that would mend the request first."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

HOST = "127.0.0.1:8600"


@dataclass
class Answer:
    """The status, headers and body of an answer; no status if there was none."""

    status: int | None
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> str:
        """What a refusal says."""
        return json.loads(self.body)["message"]


class Parts:
    """The parts of a body as ASGI's `receive`, and how many of them were taken.

    A number among the parts is a pause of as many seconds, None the end of the connection.
    """

    def __init__(self, parts: Iterable[bytes | float | None]) -> None:
        self._parts = list(parts) or [b""]
        self.taken = 0

    async def __call__(self) -> dict[str, Any]:
        if not self._parts:
            return {"type": "http.disconnect"}
        part = self._parts[0]
        if isinstance(part, float):
            await asyncio.sleep(part)
            self._parts.pop(0)
            return await self()
        self._parts.pop(0)
        self.taken += 1
        if part is None:
            self._parts.clear()
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(self._parts)}


async def answer_of(
    app: Any,
    method: str,
    path: str,
    *,
    headers: Sequence[tuple[str, str]] = (("host", HOST),),
    query: str = "",
    parts: Parts | None = None,
) -> Answer:
    """What an application answers."""
    answer = Answer(None, {}, b"")

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert answer.status is None
            answer.status = message["status"]
            fields = ((k.decode("latin-1"), v.decode("latin-1")) for k, v in message["headers"])
            answer.headers.update(fields)
        elif message["type"] == "http.response.body":
            answer.body += message.get("body", b"")

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8600),
        "state": {},
    }
    await app(scope, parts or Parts([]), send)
    return answer


def ask(app: Any, method: str, path: str, **options: Any) -> Answer:
    """What an application answers, from outside an event loop."""
    # In a thread of its own, for Playwright keeps an event loop in the one that runs the tests.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, answer_of(app, method, path, **options)).result()
