"""The routes that show what layers hold for an image, while a run is trained and afterwards."""

import re
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from convscope.errors import RequestError
from convscope.runs import index
from convscope.runs.live_files import Live
from convscope.webapp.api.responses import Binary, JSONResponse, Name, binary
from convscope.webapp.jobs.jobs import TrainingJobs
from convscope.webapp.jobs.layer_views import NOTE, LayerViews

_RUN = "/api/runs/{run}"
_FRESH = {"Cache-Control": "no-store"}
_FILE = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
_IMAGES = re.compile(r"/api/runs/[^/]+/example")


def takes_example(method: str, path: str) -> bool:
    """Whether a request's body is a file."""
    return method == "POST" and _IMAGES.fullmatch(path) is not None


def add_layer_views(app: FastAPI, jobs: TrainingJobs) -> None:
    """Add the routes of the examples, of the views of layers, and of the epochs that were kept."""
    views = LayerViews()
    _add_examples(app, jobs, views)
    _add_views(app, jobs, views)

    @app.get(_RUN + "/confusion")
    def confusion(run: Name) -> JSONResponse:
        """The confusion matrix of the last validation: rows are true classes."""
        snapshot = index.read_snapshot(jobs.path(run), "confusion")
        if snapshot is None:
            raise RequestError("There is no confusion matrix yet, or it has too many classes.")
        counts = snapshot.tensors["counts"][0, 0].numpy()
        rows = [[int(number) for number in row] for row in counts]
        return JSONResponse({**snapshot.metadata, "counts": rows}, headers=_FRESH)


def _add_examples(app: FastAPI, jobs: TrainingJobs, views: LayerViews) -> None:
    @app.get(_RUN + "/examples")
    def examples(run: Name) -> JSONResponse:
        """The images of which one can choose, and the epochs whose weights are kept."""
        path = jobs.path(run)
        found = index.read_snapshot(path, "examples")
        images: list[Any] = [] if found is None else found.metadata["images"]
        shape = (0, 0, 0, 0) if found is None else tuple(found.tensors["pixels"].shape)
        return JSONResponse(
            {
                "split": None if found is None else found.metadata["split"],
                "images": images,
                **dict(zip(("count", "height", "width", "channels"), shape, strict=True)),
                "epochs": views.epochs(path),
                "note": NOTE,
            },
            headers=_FRESH,
        )

    @app.get(_RUN + "/examples.bin", response_class=Binary)
    def example_pixels(run: Name) -> Response:
        """Binary: these images, bytes, (count, height, width, channels)."""
        found = index.read_snapshot(jobs.path(run), "examples")
        data = b"" if found is None else found.tensors["pixels"].numpy().tobytes()
        return binary(data, _FRESH)

    @app.post(_RUN + "/examples/{number}")
    def choose(run: Name, number: int) -> dict[str, Any]:
        """Show what layers hold for one of these images from now on."""
        return dict(views.choose(jobs.path(run), number))

    @app.post(_RUN + "/example", openapi_extra={"requestBody": _FILE})
    async def give(run: Name, request: Request, title: str = "an image") -> dict[str, Any]:
        """The same for an image of one's own, a file's bytes."""
        content = await request.body()
        return dict(await run_in_threadpool(views.give, jobs.path(run), title[:80], content))


def _add_views(app: FastAPI, jobs: TrainingJobs, views: LayerViews) -> None:
    @app.post(_RUN + "/layers/watch")
    def watch(run: Name) -> dict[str, str]:
        """Say that the layers are looked at: the training writes them for five seconds."""
        Live(jobs.path(run)).watch("watched_layers")
        return {}

    @app.get(_RUN + "/layers.bin", response_class=Binary)
    def layers(run: Name, step: Annotated[int | None, Query(ge=0)] = None) -> Response:
        """Binary: uint32 length of a JSON header, the header, then int8 values of each part.

        As the training wrote them last, or with the weights that were kept after `step`.
        """
        path = jobs.path(run)
        if step is None:
            return binary(views.live(path), _FRESH)
        return binary(views.of_step(path, step, jobs.consent(path)), _FRESH)
