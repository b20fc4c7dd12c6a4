"""Reads the body of a request within bounds of size and time."""

import asyncio
import json
from collections.abc import Callable

from starlette.types import Receive

from convscope.errors import RequestError
from convscope.http_server.access import Refusal
from convscope.http_server.limits import Limits
from convscope.strict import parse_json


class Disconnected(Exception):
    """The client left before its request was complete."""


async def read_body(
    receive: Receive, *, limit: int, limits: Limits, hold: Callable[[int], None]
) -> bytes:
    """The whole body.

    Args:
        receive: ASGI's.
        limit: bytes that it may have.
        limits: its deadline, by `body_seconds` and `body_rate`.
        hold: called with the number of bytes of each part; raises Refusal where there is no
            room for them.

    Raises Refusal for a body that is too long or too slow, Disconnected if the client leaves.
    """
    body = bytearray()
    begin = asyncio.get_running_loop().time()
    while True:
        try:
            async with asyncio.timeout_at(
                begin + limits.body_seconds + len(body) / limits.body_rate
            ):
                message = await receive()
        except TimeoutError:
            raise Refusal(408, "The rest of the request came too slowly. Send it again.") from None
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        hold(len(part))
        body += part
        check_length(len(body), limit)
        if not message.get("more_body", False):
            return bytes(body)


def check_length(length: int, limit: int) -> None:
    """Raise Refusal for a body of more than `limit` bytes."""
    if length > limit:
        size = f"{limit >> 20} MB" if limit >= 1 << 20 else f"{limit} bytes"
        raise Refusal(413, f"A body of up to {size} is read here.")


def check_json(body: bytes) -> None:
    """Raise Refusal for JSON that `convscope.strict` refuses, and numbers that are too large."""
    try:
        data = parse_json(body.decode(), where="The body", is_raw=True)
        json.dumps(data, ensure_ascii=False, allow_nan=False).encode()  # noqa: TID251 -- a check
    except RequestError as error:
        raise Refusal(422, str(error)) from None
    except UnicodeError:
        raise Refusal(422, "A text in the body is not valid Unicode.") from None
    except ValueError:
        raise Refusal(422, "A number in the body is too large.") from None
