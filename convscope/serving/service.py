"""What all routes share: the network, its queue, and what is counted and logged of a request."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from convscope.data.unreadable import UnreadableImage
from convscope.http_server.access import check_bearer
from convscope.http_server.guard import Guard
from convscope.serving.explaining import Explainer
from convscope.serving.logs import Log
from convscope.serving.metrics import Metrics
from convscope.serving.models import ServedModel
from convscope.serving.pipeline import ImageSource, Pipeline, Result
from convscope.serving.settings import ServeSettings

ENCODINGS = frozenset({"identity", "gzip", "deflate"})
_OPEN = ("/", "/health", "/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready")
"""Paths that need no token: whether it lives, and the page, which asks for the token."""
_COUNTED = (*_OPEN, "/predict", "/explain", "/metrics", "/card", "/openapi.json", "/v2")
_FACTS = "convscope.facts"
_LONGEST_PATH = 200


class Service:
    """A network that is served, by one process.

    Attributes:
        is_draining: whether the server ends, and is no longer ready.
        explain: what an answer rests on; None where the server was not asked to explain.
        num_cut: requests that were not answered because the server ended first.
    """

    def __init__(
        self, model: ServedModel, settings: ServeSettings, *, metrics: Metrics, log: Log
    ) -> None:
        self.settings, self.metrics, self.log = settings, metrics, log
        self.pipeline = Pipeline(model, settings, metrics)
        self.explain = None
        if settings.explain is not None:
            self.explain = Explainer(Path(settings.explain), max_pixels=settings.max_pixels)
        self.is_draining = False
        self.num_cut = 0

    @property
    def is_ready(self) -> bool:
        return not self.is_draining

    async def classify(
        self, request: Request, model: ServedModel, images: Sequence[ImageSource]
    ) -> Sequence[Result]:
        """The pipeline's results, counted, and noted for the log."""
        facts: dict[str, Any] = request.scope[_FACTS]
        facts["images"] = len(images)
        results = await self.pipeline.classify(model, images)
        unreadable = sum(isinstance(result, UnreadableImage) for result in results)
        if unreadable:
            facts["unreadable"] = unreadable
            self.metrics.images.labels("unreadable").inc(unreadable)
        self.metrics.images.labels("predicted").inc(len(results) - unreadable)
        return results


def guarded(
    app: ASGIApp, service: Service, *, hosts: frozenset[str] | None, token: str | None
) -> ASGIApp:
    """An application behind everything that refuses, counts and logs requests."""
    guard = Guard(
        app,
        hosts=hosts,
        authorize=partial(_authorize, token=token),
        takes_file=_takes_images,
        limits=service.settings.limits,
        encodings=ENCODINGS,
        key="error",
    )
    return _Record(guard, service)


def _authorize(scope: Scope, *, token: str | None) -> None:
    path: str = scope["path"]
    if token is not None and path not in _OPEN and not path.startswith("/static/"):
        check_bearer(scope, token)


def _takes_images(method: str, path: str) -> bool:
    return method == "POST" and (path in ("/predict", "/explain") or path.endswith("/infer"))


class _Record:
    """Middleware that counts and logs each request; never its body or header."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app, self._service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, status, received = time.perf_counter(), 0, 0

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def noted_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        facts: dict[str, Any] = {}
        try:
            await self._app({**scope, _FACTS: facts}, counted_receive, noted_send)
        except BaseException:
            self._service.num_cut += 1
            raise
        finally:
            seconds = time.perf_counter() - begin
            self._note(scope, status, seconds, {"bytes": received, **facts})

    def _note(self, scope: Scope, status: int, seconds: float, facts: dict[str, Any]) -> None:
        service = self._service
        path = _template(scope["path"])
        service.metrics.requests.labels(path, str(status)).inc()
        service.metrics.request_seconds.labels(path).observe(seconds)
        service.metrics.update()
        if service.settings.access_log:
            service.log.write(
                "request",
                method=scope["method"][:20],
                path=scope["path"][:_LONGEST_PATH],
                status=status,
                ms=round(1000 * seconds, 3),
                **facts,
            )


def _template(path: str) -> str:
    """The path for the metrics, which must not have a series for each path that a client tries."""
    if path in _COUNTED:
        return path
    if path.startswith("/v2/models/"):
        return "/v2/models/NAME" + next(
            (end for end in ("/infer", "/ready") if path.endswith(end)), ""
        )
    return "/static" if path.startswith("/static/") else "other"
