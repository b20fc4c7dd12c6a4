"""The lab's server: access control, errors as JSON, and the page itself."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from convscope.errors import ConvscopeError, RequestError
from convscope.http_server.access import check_page_token
from convscope.http_server.guard import Guard
from convscope.http_server.limits import LIMITS, Limits
from convscope.version import __version__
from convscope.webapp.api.boxes import add_boxes
from convscope.webapp.api.changes import add_changes
from convscope.webapp.api.compare import add_compare
from convscope.webapp.api.computations import add_computations
from convscope.webapp.api.exercises import add_exercises
from convscope.webapp.api.inspect import add_inspect, takes_file
from convscope.webapp.api.layer_views import add_layer_views, takes_example
from convscope.webapp.api.learned import add_learned
from convscope.webapp.api.lessons import add_lessons
from convscope.webapp.api.page_file import add_page_file
from convscope.webapp.api.responses import JSONResponse
from convscope.webapp.api.runs import add_runs
from convscope.webapp.api.what_if import add_what_if
from convscope.webapp.api.why import add_why
from convscope.webapp.inspect.computations import Computations
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.learned.subject import Subjects

_STATIC = Path(__file__).parent / "static"
_SCREENS = ("look", "learned", "results", "train", "compare", "learn")


_NOT_HERE: dict[int, str] = {
    HTTPStatus.NOT_FOUND: "There is nothing for {}.",
    HTTPStatus.METHOD_NOT_ALLOWED: "{} is not possible here.",
}


_MESSAGE = {  # what is wrong, and what to do
    "type": "object",
    "properties": {"message": {"type": "string"}},
    "required": ["message"],
    "additionalProperties": False,
}
_REFUSALS = {
    400: "The request is malformed.",
    401: "The token is missing.",
    403: "A page of another site sent the request.",
    404: "There is nothing of this name, or it has no such part.",
    405: "The address has no such method.",
    408: "The request came too slowly.",
    413: "The body is too long.",
    414: "The address is too long.",
    415: "The body is encoded.",
    421: "The lab does not answer to this Host.",
    422: "A value is invalid.",
    431: "The header is too long.",
    500: "The work could not be done.",
    503: "The lab is busy.",
}


def make_app(
    store: ModelStore,
    jobs: TrainingJobs,
    *,
    hosts: frozenset[str] | None,
    token: str | None = None,
    limits: Limits = LIMITS,
) -> FastAPI:
    """The application for the models of a store and the trainings of a folder.

    `hosts` and `token` say which requests are refused, see `http_server.access`: a machine that has
    many names answers to each (None), and then needs a token.
    """
    computations = Computations()
    subjects = Subjects(store, jobs.sources.given)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        yield
        await run_in_threadpool(computations.close)
        await run_in_threadpool(subjects.close)

    app = FastAPI(
        lifespan=lifespan,
        title="convscope lab",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        default_response_class=JSONResponse,
        responses={
            status: {"description": words, "content": {"application/json": {"schema": _MESSAGE}}}
            for status, words in _REFUSALS.items()
        },
    )
    app.state.store = store
    app.add_middleware(
        Guard,
        hosts=hosts,
        authorize=partial(check_page_token, token=token) if token else lambda _scope: None,
        takes_file=lambda method, path: takes_file(method, path) or takes_example(method, path),
        limits=limits,
    )
    add_error_handlers(app)
    add_inspect(app, store)
    add_boxes(app, store)
    add_learned(app, store, subjects, computations)
    add_computations(app, computations)
    add_page_file(app, store, computations)
    add_why(app, store, computations)
    add_changes(app, store, computations)
    add_what_if(app, store)
    add_runs(app, jobs, store)
    add_layer_views(app, jobs)
    add_compare(app, jobs)
    add_lessons(app)
    add_exercises(app)
    _add_pages(app)
    return app


def _add_pages(app: FastAPI) -> None:
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")

    def page() -> FileResponse:
        return FileResponse(_STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    screens = [path for name in _SCREENS for path in (f"/{name}", f"/{name}/{{place:path}}")]
    for path in ("/", *screens):
        app.add_api_route(path, page, methods=["GET", "HEAD"], include_in_schema=False)


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

    @app.exception_handler(HTTPException)
    async def handle_refusal(request: Request, error: HTTPException) -> JSONResponse:
        what = f"{request.method} {request.url.path[:200]}"
        message = _NOT_HERE.get(error.status_code, error.detail).format(what)
        return JSONResponse({"message": message}, error.status_code, error.headers)
