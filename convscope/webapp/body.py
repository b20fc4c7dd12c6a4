"""Reads the body of a request within bounds of size and time."""

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any, Never

from starlette.types import Receive

from convscope.webapp.access import Refusal
from convscope.webapp.limits import Limits

MAX_DEPTH = 32
"""How deep lists and objects of a JSON body may be nested."""

_DIGITS = 20  # of an integer; 2^64 has as many


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
        hold: called with the number of bytes of each part; raises Refusal where the lab has no
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
        raise Refusal(413, f"The lab reads up to {size} here.")


def check_json(body: bytes) -> None:
    """Raise Refusal for JSON that is not strict, or has values that nothing here computes with.

    Those are numbers that are not finite or have more than 20 digits, text that is no Unicode, and
    lists and objects nested more than `MAX_DEPTH` deep.
    """
    try:
        data = json.loads(
            body, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded
        )
        json.dumps(data, ensure_ascii=False).encode()
        _check_depth(data)
    except UnicodeError:
        raise Refusal(422, "A text in the body is not valid Unicode.") from None
    except RecursionError:
        raise Refusal(422, f"The JSON is nested more than {MAX_DEPTH} deep.") from None
    except ValueError as error:
        raise Refusal(422, f"The body is not valid JSON ({error}).") from None


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:_DIGITS]} is too large")
    return value


def _bounded(text: str) -> int:
    if len(text.lstrip("-")) > _DIGITS:
        raise ValueError(f"an integer of more than {_DIGITS} digits")
    return int(text)


def _check_depth(data: Any) -> None:
    level = [data]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    if level:
        raise RecursionError
