"""The lab's server: a JSON and binary API for the page, and the page itself."""

import hmac
import io
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import numpy as np
from fastapi import FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from numpy.typing import NDArray
from PIL import Image as Pictures

from convscope import __version__
from convscope.errors import ConvscopeError, RequestError
from convscope.lab.sheet import sheet_of
from convscope.lab.shelf import Look, Network, Shelf
from convscope.lab.variation import varied
from convscope.lab.volumes import faces_of, filter_of, scores_of, volume_of

UPLOAD = 32 << 20  # bytes of an image that is sent
_STATIC = Path(__file__).parent / "static"
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
_API = "/api/networks/{net}"
_IMAGE = _API + "/images/{image}"


def make_app(shelf: Shelf, *, hosts: frozenset[str] | None, token: str | None = None) -> FastAPI:
    """The application over what a shelf holds.

    `hosts` are the names, with ports, that a browser may have called it by; a request under any
    other is refused (None: under none, for a machine that has many names; then give a token), and
    so is one that another site's page sends. With a `token` every request of the API must carry it.
    """
    app = FastAPI(
        title="convscope lab",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.shelf = shelf
    _guard(app, hosts, token)
    _tell_errors(app)
    _add_networks(app, shelf)
    _add_images(app, shelf)
    _add_looks(app, shelf)
    _add_pictures(app, shelf)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")

    @app.get("/", include_in_schema=False)
    @app.get("/look", include_in_schema=False)
    @app.get("/look/{place:path}", include_in_schema=False)
    def page(place: str = "") -> FileResponse:  # noqa: ARG001 -- the page reads its address itself
        return FileResponse(_STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    return app


def _guard(app: FastAPI, hosts: frozenset[str] | None, token: str | None) -> None:
    """Let in who called the lab by its own name, from its own page, with its token."""

    @app.middleware("http")
    async def check(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        refused = _refused(request, hosts, token)
        response = refused or await answer(request)
        response.headers.update(_HEADERS)
        if request.url.path.startswith("/static"):  # else an old module may meet a new one
            response.headers["Cache-Control"] = "no-cache"
        return response


def _refused(request: Request, hosts: frozenset[str] | None, token: str | None) -> Response | None:
    host = request.headers.get("host", "").lower()
    if hosts is not None and host not in hosts:
        return _sentence(421, f"This lab is not called {host or 'nothing'}.")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host:
        return _sentence(403, "Another site's page may not ask this lab.")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return _sentence(403, "Another site's page may not ask this lab.")
    if token is not None and request.url.path.startswith("/api"):
        given = request.headers.get("x-token") or request.query_params.get("token") or ""
        if not hmac.compare_digest(given.encode(), token.encode()):
            return _sentence(
                401, "Open the lab by the address that it printed; the token is in it."
            )
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > UPLOAD:
        return _sentence(413, f"The lab reads files of up to {UPLOAD >> 20} MB.")
    return None


def _sentence(status: int, sentence: str) -> JSONResponse:
    return JSONResponse({"sentence": sentence}, status_code=status)


def _tell_errors(app: FastAPI) -> None:
    """Every failure reaches the page as a sentence."""

    @app.exception_handler(ConvscopeError)
    async def told(_request: Request, error: ConvscopeError) -> JSONResponse:
        return _sentence(404 if isinstance(error, RequestError) else 500, str(error))

    @app.exception_handler(RequestValidationError)
    async def misread(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return _sentence(422, f"{first['loc'][-1]}: {first['msg']}.")

    @app.exception_handler(Exception)
    async def failed(_request: Request, error: Exception) -> JSONResponse:
        return _sentence(500, f"This is a fault of the lab ({type(error).__name__}: {error}).")


def _add_networks(app: FastAPI, shelf: Shelf) -> None:
    @app.get("/api/networks")
    def networks() -> dict[str, Any]:
        """What can be looked into."""
        several = [{"id": one.id, "title": one.title} for one in shelf.networks.values()]
        return {"networks": several, "first": several[0]["id"] if several else None}

    @app.get(_API)
    def network(net: str) -> dict[str, Any]:
        """One network: its card, its images, and its rows, the lecture's table."""
        one = shelf.network(net)
        return {
            "id": one.id,
            "title": one.title,
            "caution": one.caution,
            "classes": one.card.classes,
            "channels": one.card.channels,
            "size": one.card.size,
            "images": [{"id": look.id, "title": look.title} for look in one.images],
            "rows": [row.to_dict() for row in one.rows],
        }


def _add_images(app: FastAPI, shelf: Shelf) -> None:
    @app.post(_API + "/images")
    async def add(net: str, request: Request, title: str = "an image") -> dict[str, Any]:
        """Show the network an image, a file's bytes: at most 32 MB, and 100 million pixels."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > UPLOAD:
                raise RequestError(f"The lab reads files of up to {UPLOAD >> 20} MB.")
        one = shelf.network(net)
        look = await run_in_threadpool(shelf.add, one, title[:80], bytes(body))
        return _told(one, look)

    @app.get(_IMAGE)
    def image(net: str, image: str) -> dict[str, Any]:
        """What the network says of an image."""
        one = shelf.network(net)
        return _told(one, one.look(image))

    @app.get(_IMAGE + "/picture.png")
    def picture(net: str, image: str) -> Response:
        """The image as the network sees it, before its bytes are normalised."""
        pixels = shelf.network(net).look(image).pixels
        kept = io.BytesIO()
        Pictures.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(kept, "PNG")
        return Response(kept.getvalue(), media_type="image/png", headers=_KEEP)

    @app.get(_IMAGE + "/pixels/{y},{x}")
    def pixel(net: str, image: str, y: int, x: int) -> dict[str, Any]:
        """A pixel's bytes and what became of them: (byte / 255 - mean) / std."""
        one = shelf.network(net)
        return one.pixel(one.look(image), y, x)


_KEEP = {"Cache-Control": "private, max-age=3600"}


def _told(network: Network, look: Look) -> dict[str, Any]:
    held = [{"id": one.id, "title": one.title} for one in network.images]
    return {
        "id": look.id,
        "title": look.title,
        "answers": network.answers(look),
        "images": held,
        "note": "",
    }


def _add_looks(app: FastAPI, shelf: Shelf) -> None:
    @app.get(_IMAGE + "/faces")
    def faces(net: str, image: str) -> Response:
        """Binary: uint32 length of a JSON header, the header, then each row's face as int8."""
        one = shelf.network(net)
        look = one.look(image)
        return _binary(faces_of(look.recording, one.rows))

    @app.get(_IMAGE + "/volumes/{row}")
    def volume(net: str, image: str, row: str, maps: str | None = None) -> Response:
        """Binary: float32 little-endian; the header X-Shape says "c,h,w"."""
        one = shelf.network(net)
        chosen = None if maps is None else _numbers(maps)
        found = volume_of(one.look(image).recording, one.row(row), chosen)
        shape = ",".join(map(str, found.shape))
        return _binary(found.astype("<f4").tobytes(), {"X-Shape": shape})

    @app.get(_IMAGE + "/scores/{row}")
    def scores(net: str, image: str, row: str, rank: str = "strongest") -> dict[str, Any]:
        """The maps of a row by a question: strongest, unusual, matters, twins."""
        one = shelf.network(net)
        look = one.look(image)
        found = one.row(row)

        def usual() -> tuple[NDArray[np.float32] | None, str]:
            return one.usual_volume(look, found)

        return scores_of(rank, look.recording, found, one.net, usual).to_dict()

    @app.get(_IMAGE + "/filters/{row}/{place}")
    def filters(net: str, image: str, row: str, place: int) -> dict[str, Any]:  # noqa: ARG001
        """One filter, channel by channel, where there are at most six."""
        one = shelf.network(net)
        return filter_of(one.net, one.row(row), place)

    @app.get(_IMAGE + "/units/{row}/{at}")
    def unit(
        net: str,
        image: str,
        row: str,
        at: str,
        channels: Annotated[int, Query(ge=1, le=64)] = 4,
        skip: Annotated[int, Query(ge=0)] = 0,
    ) -> dict[str, Any]:
        """The ledger of the unit `c,y,x`: its operands, products, sums, and what follows."""
        one = shelf.network(net)
        place = _numbers(at)
        if len(place) != 3:
            raise RequestError(f"{at!r} is no unit; write channel,row,column.")
        found = one.row(row)
        return one.look(image).ledger.unit(found.name, place, channels=channels, skip=skip)


def _add_pictures(app: FastAPI, shelf: Shelf) -> None:
    @app.get(_IMAGE + "/sheet.png")
    def sheet(net: str, image: str, convolutions: str = "1,2,4,7,10") -> Response:
        """The lecture's picture: the strongest maps of some convolutions, on one sheet."""
        one = shelf.network(net)
        look = one.look(image)
        found = sheet_of(look.recording, one.rows, look.pixels, convolutions=_numbers(convolutions))
        return Response(found, media_type="image/png")

    @app.get(_IMAGE + "/variations/{row}/{place}")
    def variation(
        net: str,
        image: str,
        row: str,
        place: int,
        stride: Annotated[int | None, Query(ge=1, le=64)] = None,
        padding: Annotated[int | None, Query(ge=0, le=64)] = None,
        dilation: Annotated[int | None, Query(ge=1, le=64)] = None,
        kernel: Annotated[int | None, Query(ge=1, le=64)] = None,
    ) -> Response:
        """Binary: a map as other settings would make it; X-Shape "h,w", X-Sentence what it is."""
        one = shelf.network(net)
        recording = one.look(image).recording
        found = varied(
            recording,
            one.row(row),
            place,
            stride=stride,
            padding=padding,
            dilation=dilation,
            kernel=kernel,
        )
        headers = {"X-Shape": ",".join(map(str, found.map.shape)), "X-Sentence": found.sentence}
        return _binary(found.map.astype("<f4").tobytes(), headers)


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise RequestError(f"{text!r} holds something else than whole numbers.") from None


def _binary(data: bytes, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        data, media_type="application/octet-stream", headers={**_KEEP, **(headers or {})}
    )
