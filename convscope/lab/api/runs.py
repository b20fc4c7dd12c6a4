"""The routes of Train: what can be trained, runs, what they tell, and what they are asked."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict

from convscope.errors import RequestError
from convscope.lab.api.responses import binary
from convscope.lab.inspect.open_run import RunOpener
from convscope.lab.inspect.store import ModelStore
from convscope.lab.jobs.events import Listener, Listeners, TooManyListeners
from convscope.lab.jobs.form import left_out, networks, setting_groups, sources
from convscope.lab.jobs.jobs import TrainingJobs
from convscope.runs import index
from convscope.runs.live_files import Command, Snapshot
from convscope.runs.tensor_file import TensorFile

_RUN = "/api/runs/{run}"
_FRESH = {"Cache-Control": "no-store"}
_UNSEEN = {
    "look": "No look inside was taken yet; one comes while a page shows the training.",
    "filters": "No filters were told: the network has no convolution, or its training is older.",
    "wrong": "No image was told wrong yet; the first evaluation has not come.",
}


class Start(BaseModel):
    """What is trained on what, how, and under which name."""

    model_config = ConfigDict(extra="forbid")

    data: str = "digits"
    settings: dict[str, Any] = {}
    name: str | None = None


class Ask(BaseModel):
    """What a training is asked."""

    command: Command


def add_runs(app: FastAPI, jobs: TrainingJobs, store: ModelStore) -> None:
    """Add what the screen Train asks.

    `app.state.ending` may be set to what tells whether the server ends: streams end with it.
    """
    app.state.ending = lambda: False
    _add_list(app, jobs)
    _add_run(app, jobs)
    _add_events(app, jobs)
    _add_pictures(app, jobs)
    _add_acts(app, jobs, store)


def _add_list(app: FastAPI, jobs: TrainingJobs) -> None:
    @app.get("/api/training/form")
    def training_form() -> dict[str, Any]:
        """The data, the networks and the settings that a training can be begun with."""
        models = list(jobs.given.models)
        return {
            "sources": sources(),
            "local_data": jobs.given.told(jobs.paths().values()),
            "networks": networks(models),
            "groups": setting_groups(models),
            "left_out": left_out(),
        }

    @app.get("/api/runs")
    def runs() -> dict[str, Any]:
        """The runs, the newest first."""
        return {"runs": jobs.list_runs()}

    @app.post("/api/runs", response_model=None)
    def start(asked: Start) -> dict[str, str] | JSONResponse:
        """Begin a training in a process of its own, which goes on when the lab ends."""
        try:
            name, message = jobs.start(asked.data, asked.settings, name=asked.name)
        except RequestError as error:
            return JSONResponse({"message": str(error)}, status_code=422)
        return {"run": name, "message": message}


def _add_run(app: FastAPI, jobs: TrainingJobs) -> None:
    @app.get(_RUN)
    def run(run: str) -> dict[str, Any]:
        """One run: its state, its evaluations, its settings, the last lines of its log."""
        told = jobs.details(run)
        metrics = index.read_metrics(jobs.path(run))
        return {**told, "metrics": metrics, "settings": index.finite(jobs.settings(run))}


def _add_events(app: FastAPI, jobs: TrainingJobs) -> None:
    listeners = Listeners()

    @app.get(_RUN + "/events", response_model=None)
    async def events(run: str, request: Request) -> Response:
        """Server-sent events: state, steps, evaluation, look, filters, wrong, end."""
        try:
            listeners.check_capacity()
        except TooManyListeners as busy:
            return JSONResponse({"message": str(busy)}, status_code=503)
        listener = await run_in_threadpool(Listener, jobs, run)
        stream = listeners.stream(
            listener, is_gone=request.is_disconnected, is_ending=app.state.ending
        )
        headers = {**_FRESH, "X-Accel-Buffering": "no"}
        return StreamingResponse(stream, media_type="text/event-stream", headers=headers)


def _add_pictures(app: FastAPI, jobs: TrainingJobs) -> None:
    def stored(run: str, name: Snapshot) -> TensorFile:
        found = index.read_snapshot(jobs.path(run), name)
        if found is None:
            raise RequestError(_UNSEEN[name])
        return found

    @app.get(_RUN + "/look")
    def look(run: str) -> JSONResponse:
        """Activations and gradients layer by layer, and the size of the batch."""
        found = stored(run, "look")
        return _fresh({**found.metadata, "batch": _size(found.tensors["batch"].shape)})

    @app.get(_RUN + "/batch.bin")
    def batch(run: str) -> Response:
        """Binary: the images of the look, bytes, (count, height, width, channels)."""
        return _bytes(stored(run, "look").tensors["batch"].numpy())

    @app.get(_RUN + "/wrong")
    def wrong(run: str) -> JSONResponse:
        """The validation images that were most wrong at the last evaluation."""
        found = stored(run, "wrong")
        return _fresh({**found.metadata, **_size(found.tensors["pixels"].shape)})

    @app.get(_RUN + "/wrong.bin")
    def wrong_pixels(run: str) -> Response:
        """Binary: these images, bytes, (count, height, width, channels)."""
        return _bytes(stored(run, "wrong").tensors["pixels"].numpy())

    @app.get(_RUN + "/filters")
    def filters(run: str) -> JSONResponse:
        """The first convolution's filters: at which steps, of which shape, their largest weight."""
        found = stored(run, "filters")
        kept = [found.tensors[str(step)] for step in found.metadata["steps"]]
        peaks = [float(filters.abs().max()) for filters in kept]
        return _fresh({**found.metadata, "shape": list(kept[0].shape), "peak": peaks})

    @app.get(_RUN + "/filters.bin")
    def filter_weights(run: str) -> Response:
        """Binary: float32 little-endian, the filters of one step after those of the one before."""
        found = stored(run, "filters")
        kept = [found.tensors[str(step)].numpy() for step in found.metadata["steps"]]
        return _bytes(np.stack(kept).astype("<f4"))


def _fresh(told: Mapping[str, Any]) -> JSONResponse:
    return JSONResponse(index.finite(told), headers=_FRESH)


def _size(shape: tuple[int, ...]) -> dict[str, int]:
    return dict(zip(("count", "height", "width", "channels"), shape, strict=True))


def _bytes(values: np.ndarray[Any, Any]) -> Response:
    shape = ",".join(map(str, values.shape))
    return binary(np.ascontiguousarray(values).tobytes(), {**_FRESH, "X-Shape": shape})


def _add_acts(app: FastAPI, jobs: TrainingJobs, store: ModelStore) -> None:
    inside = RunOpener(store)

    @app.post(_RUN + "/commands")
    def command(run: str, asked: Ask) -> dict[str, int]:
        """Ask the training to pause, resume, save or stop; `now.acknowledged` shows when it has."""
        return {"id": jobs.request(run, asked.command)}

    @app.post(_RUN + "/resume")
    def resume(run: str) -> dict[str, str]:
        """Go on with a run that was stopped or interrupted."""
        return {"run": run, "message": jobs.resume(run)}

    @app.post(_RUN + "/open")
    def open_(run: str) -> dict[str, str]:
        """The run's best weights as a network of Look inside, with images to look at."""
        return {"network": inside.open(jobs.path(run)).id}
