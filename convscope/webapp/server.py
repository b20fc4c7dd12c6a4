"""The lab's server: access control, errors as JSON, and the page itself."""

import hmac
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from convscope.errors import ConvscopeError, RequestError
from convscope.version import __version__
from convscope.webapp.api.compare import add_compare
from convscope.webapp.api.exercises import add_exercises
from convscope.webapp.api.inspect import UPLOAD, add_inspect
from convscope.webapp.api.lessons import add_lessons
from convscope.webapp.api.runs import add_runs
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs

_STATIC = Path(__file__).parent / "static"
_SCREENS = ("look", "train", "compare", "learn")
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


def make_app(
    store: ModelStore,
    jobs: TrainingJobs,
    *,
    hosts: frozenset[str] | None,
    token: str | None = None,
) -> FastAPI:
    """The application for the models of a store and the trainings of a folder.

    A request is refused if its Host is not one of `hosts` (names with ports; None allows every
    name, for a machine that has many: then set a token), or if another site's page sent it. With a
    `token`, every request to the API must carry it.
    """
    app = FastAPI(
        title="convscope lab",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.store = store
    _guard(app, hosts, token)
    add_error_handlers(app)
    add_inspect(app, store)
    add_runs(app, jobs, store)
    add_compare(app, jobs)
    add_lessons(app)
    add_exercises(app)
    _add_pages(app)
    return app


def _add_pages(app: FastAPI) -> None:
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")

    def page() -> FileResponse:
        return FileResponse(_STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    app.add_api_route("/", page, include_in_schema=False)
    for screen in _SCREENS:
        for path in (f"/{screen}", f"/{screen}/{{place:path}}"):
            app.add_api_route(path, page, include_in_schema=False)


def _guard(app: FastAPI, hosts: frozenset[str] | None, token: str | None) -> None:
    """Check the Host, the Origin and the token of every request, and add security headers."""

    @app.middleware("http")
    async def check(request: Request, handle: Callable[[Request], Awaitable[Response]]) -> Response:
        response = _refusal(request, hosts, token) or await handle(request)
        response.headers.update(_HEADERS)
        if request.url.path.startswith("/static"):  # old and new scripts must not mix
            response.headers["Cache-Control"] = "no-cache"
        return response


def _refusal(request: Request, hosts: frozenset[str] | None, token: str | None) -> Response | None:
    host = request.headers.get("host", "").lower()
    if hosts is not None and host not in hosts:
        return _message(421, f"This lab does not answer to the name {host!r}.")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host:
        return _message(403, "Pages of other sites have no access to this lab.")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return _message(403, "Pages of other sites have no access to this lab.")
    if token is not None and request.url.path.startswith("/api"):
        sent = request.headers.get("x-token") or request.query_params.get("token") or ""
        if not hmac.compare_digest(sent.encode(), token.encode()):
            return _message(
                401, "Open the lab at the address that it printed, which contains the token."
            )
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > UPLOAD:
        return _message(413, f"The lab reads files of up to {UPLOAD >> 20} MB.")
    return None


def _message(status: int, message: str) -> JSONResponse:
    return JSONResponse({"message": message}, status_code=status)


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error with a message as JSON."""

    @app.exception_handler(ConvscopeError)
    async def handle_error(_request: Request, error: ConvscopeError) -> JSONResponse:
        return _message(404 if isinstance(error, RequestError) else 500, str(error))

    @app.exception_handler(RequestValidationError)
    async def handle_invalid_request(
        _request: Request, error: RequestValidationError
    ) -> JSONResponse:
        first = error.errors()[0]
        names = [part for part in first["loc"] if isinstance(part, str)]
        return _message(422, f"{names[-1]}: {first['msg']}.")

    @app.exception_handler(Exception)
    async def handle_unexpected(_request: Request, error: Exception) -> JSONResponse:
        return _message(500, f"Internal error of the lab ({type(error).__name__}: {error}).")
