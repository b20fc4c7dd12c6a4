"""What several routes answer with."""

from collections.abc import Mapping

from fastapi import Response

from convscope.errors import RequestError

KEEP = {"Cache-Control": "private, max-age=3600"}
"""Headers of what never changes under its address."""


def binary(data: bytes, headers: Mapping[str, str] | None = None) -> Response:
    """Bytes that the browser may keep, unless the headers say otherwise."""
    return Response(
        data, media_type="application/octet-stream", headers={**KEEP, **(headers or {})}
    )


def numbers(text: str) -> list[int]:
    """Whole numbers between commas. Raises RequestError for anything else."""
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise RequestError(f"{text!r} holds something else than whole numbers.") from None
