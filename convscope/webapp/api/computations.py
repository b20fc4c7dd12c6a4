"""The routes of work in the background: how far it is, its result, its files."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Response

from convscope.errors import RequestError
from convscope.webapp.api.responses import JSONResponse
from convscope.webapp.inspect.computations import Computation, Computations, TooManyWaiting

_ONE = "/api/computations/{computation}"
_FRESH = {"Cache-Control": "no-store"}


class Part(Response):
    """A file of a result: numbers, or a picture."""

    media_type = "application/octet-stream"


def add_computations(app: FastAPI, computations: Computations) -> None:
    """Add the routes by which the page follows work in the background."""

    @app.get(_ONE)
    def computation(computation: str, since: int = -1) -> JSONResponse:
        """One computation: its state and progress; its result if that is newer than `since`."""
        return JSONResponse(computations.get(computation).to_dict(since=since), headers=_FRESH)

    @app.delete(_ONE)
    def leave(computation: str) -> dict[str, Any]:
        """The page does not wait any more."""
        computations.leave(computation)
        return {}

    @app.get(_ONE + "/files/{name}", response_class=Part)
    def file(computation: str, name: str) -> Response:
        """Binary, or PNG: a part of a result, as its `result` says; X-Shape of numbers."""
        files = computations.get(computation).files
        if name not in files:
            raise RequestError(f"This computation has no file {name[:40]!r}.")
        found = files[name]
        return Part(found.data, media_type=found.media_type, headers={**_FRESH, **found.headers})


def started(start: Callable[[], Computation]) -> JSONResponse:
    """The answer of a route that starts a computation."""
    try:
        return JSONResponse(start().to_dict(), headers=_FRESH)
    except TooManyWaiting as error:
        return JSONResponse({"message": str(error)}, status_code=503)
