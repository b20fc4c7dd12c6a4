"""The routes of the server."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from convscope.boxes.detections import SHOWN
from convscope.data.unreadable import UnreadableImage
from convscope.http_server.access import Refusal
from convscope.predictions.decided import Answers, joined_answers
from convscope.predictions.ranking import locate_objects, rank_classes
from convscope.serving import open_inference
from convscope.serving.bodies import NamedImage, decompress, parse_images
from convscope.serving.models import ServedModel
from convscope.serving.openapi import describe
from convscope.serving.pipeline import LocatedBoxes
from convscope.serving.service import Service
from convscope.version import __version__
from convscope.words.json_text import to_json

STATIC = Path(__file__).parent / "static"
TOP = 5
"""Classes that are named of each image by default."""

_SMALL = 64 << 10  # bytes of a body that is read at once, not by a thread


def make_routes(service: Service) -> ASGIApp:
    """The application, without the guard in front of it."""
    endpoints = _Endpoints(service)
    get, post = ["GET"], ["POST"]
    return Starlette(
        routes=[
            Route("/predict", endpoints.predict, methods=post),
            Route("/explain", endpoints.explain, methods=post),
            Route("/health", endpoints.health, methods=get),
            Route("/health/live", endpoints.live, methods=get),
            Route("/health/ready", endpoints.ready, methods=get),
            Route("/metrics", endpoints.metrics, methods=get),
            Route("/card", endpoints.card, methods=get),
            Route("/openapi.json", endpoints.openapi, methods=get),
            Route("/v2", endpoints.server, methods=get),
            Route("/v2/health/live", endpoints.live, methods=get),
            Route("/v2/health/ready", endpoints.ready, methods=get),
            *(
                Route(f"/v2/models/{{name}}{version}{path}", endpoint, methods=methods)
                for version in ("", "/versions/{version}")
                for path, endpoint, methods in (
                    ("", endpoints.model, get),
                    ("/ready", endpoints.model_ready, get),
                    ("/infer", endpoints.infer, post),
                )
            ),
            Route("/", endpoints.page, methods=get),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        exception_handlers={Refusal: _refuse, HTTPException: _not_here},
    )


class _Endpoints:
    """One method for each route; a name of a network is that of the one that is served."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def predict(self, request: Request) -> Response:
        """Classify the images of the body."""
        service, model = self._service, self._service.pipeline.model
        top, min_score = _top_of(request, model), _min_score_of(request)
        read = partial(
            parse_images,
            content_type=request.headers.get("content-type", ""),
            most=service.settings.max_images,
        )
        images: Sequence[NamedImage] = await self._read(request, read)
        results = await service.classify(request, model, [image.data for image in images])
        said: list[dict[str, Any]] = []
        for image, result in zip(images, results, strict=True):
            name = {} if image.name is None else {"name": image.name}
            if isinstance(result, UnreadableImage):
                said.append({**name, "error": f"The image {result}."})
            elif isinstance(result, LocatedBoxes):
                found = result.found.above(min_score)
                (prediction,) = locate_objects([""], [result.size], [found], model.card)
                said.append({**name, **_without_path(prediction.to_dict())})
            else:
                (prediction,) = rank_classes([""], result, model.card, top)
                said.append({**name, **_without_path(prediction.to_dict())})
        answer = {"model": model.name, "version": model.version, "predictions": said}
        if not all("error" in one for one in said):
            return _json(answer)
        return _json({"error": said[0]["error"], **answer}, status=422)

    async def explain(self, request: Request) -> Response:
        """Answer one image with its heat map and the largest terms."""
        service, model = self._service, self._service.pipeline.model
        if service.explain is None:
            raise Refusal(404, "This server does not explain: start it with `--explain`.")
        read = partial(parse_images, content_type=request.headers.get("content-type", ""), most=1)
        (image,) = await self._read(request, read)
        asked = request.query_params
        said = await asyncio.to_thread(
            service.explain, image.data, model, asked.get("class"), asked.get("method", "grad-cam")
        )
        return _json({"model": model.name, "version": model.version, **said})

    async def infer(self, request: Request) -> Response:
        """Answer a request of the Open Inference Protocol."""
        service, model = self._service, self._named(request)
        read = partial(
            open_inference.parse_infer,
            length=request.headers.get(open_inference.LENGTH_HEADER, ""),
            model=model,
            most=service.settings.max_images,
        )
        wanted = await self._read(request, read)
        results = await service.classify(request, model, wanted.images)
        answers: list[Answers] = []
        boxes: list[LocatedBoxes] = []
        for index, result in enumerate(results):
            if isinstance(result, UnreadableImage):
                raise Refusal(400, f"Image {index} {result}.")
            if isinstance(result, LocatedBoxes):
                boxes.append(result)
            else:
                answers.append(result)
        said = boxes if model.card.boxes is not None else joined_answers(answers)
        body, headers = open_inference.render(wanted, said, model)
        return Response(body, headers=headers)

    async def health(self, _request: Request) -> Response:
        model = self._service.pipeline.model
        return _json(
            {
                "live": True,
                "ready": self._service.is_ready,
                "model": model.name,
                "version": model.version,
                "engine": model.classifier.engine_name,
            },
            status=200 if self._service.is_ready else 503,
        )

    async def live(self, _request: Request) -> Response:
        return _json({"live": True})

    async def ready(self, _request: Request) -> Response:
        is_ready = self._service.is_ready
        return _json({"ready": is_ready}, status=200 if is_ready else 503)

    async def metrics(self, request: Request) -> Response:
        metrics, accept = self._service.metrics, request.headers.get("accept", "")
        body, content_type = await asyncio.to_thread(metrics.exposition, accept)
        return Response(body, headers={"Content-Type": content_type})

    async def card(self, _request: Request) -> Response:
        return _json(self._service.pipeline.model.card.to_dict())

    async def openapi(self, _request: Request) -> Response:
        return _json(describe(self._service.pipeline.model, self._service.settings))

    async def page(self, _request: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})

    async def server(self, _request: Request) -> Response:
        extensions = ["binary_tensor_data", "classification"]
        return _json({"name": "convscope", "version": __version__, "extensions": extensions})

    async def model(self, request: Request) -> Response:
        return _json(open_inference.metadata(self._named(request)))

    async def model_ready(self, request: Request) -> Response:
        model = self._named(request)
        is_ready = self._service.is_ready
        return _json({"name": model.name, "ready": is_ready}, status=200 if is_ready else 503)

    def _named(self, request: Request) -> ServedModel:
        model, names = self._service.pipeline.model, request.path_params
        if names["name"] != model.name or names.get("version", model.version) != model.version:
            raise Refusal(404, f"There is no such network; this is {model.name}, {model.version}.")
        return model

    async def _read(self, request: Request, parse: Callable[[bytes], Any]) -> Any:
        """Decompress and parse a body: a large one in a thread, for it takes time."""
        body = await request.body()
        encoding = request.headers.get("content-encoding", "").strip().lower()
        limit = self._service.settings.max_body << 20

        def read() -> Any:
            return parse(decompress(body, encoding, limit=limit))

        media = request.headers.get("content-type", "")
        if not encoding and (len(body) < _SMALL or media.startswith("image/")):
            return read()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._service.pipeline.decoders, read)


def _without_path(said: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if key != "path"}


def _top_of(request: Request, model: ServedModel) -> int:
    text = request.query_params.get("top", str(min(TOP, len(model.card.classes))))
    if not (text.isascii() and text.isdecimal() and len(text) < 8 and int(text) > 0):
        raise Refusal(422, "`top` must be a number of classes, at least 1.")
    return int(text)


def _min_score_of(request: Request) -> float:
    text = request.query_params.get("min_score", str(SHOWN))
    if re.fullmatch(r"(0(\.\d{1,15})?|1(\.0{1,15})?)", text, re.ASCII) is None:
        raise Refusal(422, "`min_score` must be a number from 0 to 1, as 0.25.")
    return float(text)


def _json(
    content: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    body = to_json(content).encode()
    return Response(body, status, {"Content-Type": "application/json", **(headers or {})})


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return _json({"error": error.message}, status=error.status, headers=error.headers)


async def _not_here(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = f"{request.method} {request.url.path[:200]}"
    if error.status_code == 405:
        message = f"{what} is not possible here."
    else:
        message = f"There is nothing for {what}."
    return _json({"error": message}, status=error.status_code, headers=error.headers)
