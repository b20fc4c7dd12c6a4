"""Responses and parameters that several routes share."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Response, responses
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator

from convscope.errors import RequestError
from convscope.words.escapes import unescape
from convscope.words.json_text import to_json

KEEP = {"Cache-Control": "private, max-age=3600"}
"""Headers of a response that never changes under its address."""

Name = Annotated[str, AfterValidator(unescape)]
"""A name in an address, as the page has it from `JSONResponse`."""


class JSONResponse(responses.JSONResponse):  # noqa: TID251 -- the stricter one
    """Strict JSON: what is not finite is null, and any name of a file can be sent."""

    def render(self, content: Any) -> bytes:
        return to_json(content).encode()


class Png(Response):
    """An image."""

    media_type = "image/png"


class Binary(Response):
    """Numbers; the route says how they are laid out."""

    media_type = "application/octet-stream"


class Events(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


def binary(data: bytes, headers: Mapping[str, str] | None = None) -> Binary:
    """Bytes that the browser may cache, unless the headers say otherwise."""
    return Binary(data, headers={**KEEP, **(headers or {})})


def parse_integers(text: str) -> list[int]:
    """Integers separated by commas. Raises RequestError for anything else."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise RequestError(f"{text!r} is not a list of integers.") from None
