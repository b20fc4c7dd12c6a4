"""The routes of what a network learned: patches, levels, redundancy, the map of images."""

import threading
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict

from convscope.errors import ConvscopeError, RequestError
from convscope.features.embedding.projection import Method
from convscope.webapp.api.computations import started
from convscope.webapp.api.responses import JSONResponse, Name, Png
from convscope.webapp.inspect.computations import Computation, Computations
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.learned.embedding import map_path, sheet_path, study_map
from convscope.webapp.learned.filters import patches_of, study_filters, study_row
from convscope.webapp.learned.pictures import patch_strip
from convscope.webapp.learned.probes import study_probes
from convscope.webapp.learned.redundancy import matrix_path, study_redundancy
from convscope.webapp.learned.results import study_results, thumbnail
from convscope.webapp.learned.subject import Report, Subject, Subjects

_API = "/api/networks/{net}/learned"
_FRESH = {"Cache-Control": "no-store"}
_TITLE = 80  # characters of an image's title

Kind = Literal["filters", "row", "redundancy", "probes", "map", "results"]


class Study(BaseModel):
    """What to find out: of a row for `row` and `map`, else of the network; with which images."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    row: Name = ""
    method: Method = "pca"
    data: Name = ""


class ImageKey(BaseModel):
    """An image of the data set, by its file name or other key."""

    model_config = ConfigDict(extra="forbid")

    key: Name
    data: Name = ""


class Missing(RequestError):
    """A result that was not computed yet: the answer is null."""


def add_learned(
    app: FastAPI, store: ModelStore, subjects: Subjects, computations: Computations
) -> None:
    """Add the routes of what a network learned. What was not computed yet is null."""
    studies = _Studies(computations)
    _add_studies(app, subjects, studies)
    _add_filters(app, subjects)
    _add_measures(app, subjects)
    _add_results(app, subjects)

    @app.exception_handler(Missing)
    async def not_yet(_request: Request, _error: Missing) -> JSONResponse:
        return JSONResponse(None, headers=_FRESH)

    @app.post(_API + "/images")
    def show_image(net: Name, body: ImageKey) -> dict[str, str]:
        """Show the network an image of the data set; the id by which the page opens it."""
        subject = subjects.find(net, body.data)
        pixels = subject.images.pixels(body.key)
        title = f"{subject.images.label(body.key)}: {body.key}"
        short = title if len(title) <= _TITLE else f"{title[: _TITLE // 2]}…{title[-39:]}"
        return {"image": store.add(subject.model, short, pixels).id}


class _Studies:
    """The passes over data that a page has started, by what they find out."""

    def __init__(self, computations: Computations) -> None:
        self._computations = computations
        self._started: dict[tuple[str, ...], Computation] = {}
        self._numbers = count()
        self._starting = threading.Lock()

    def start(self, subject: Subject, study: Study) -> Computation:
        """Start it, or join it where it runs; one that has ended is done again, if a page asks."""
        model = subject.model
        key = (model.id, subject.data, study.kind, study.row, study.method)
        work = _work_of(subject, study)
        with self._starting:
            before = self._started.get(key)
            again = (key, subject.cache.digest, next(self._numbers))
            whole_key = again if before is None or before.has_ended else before.key
            running = self._computations.start(whole_key, partial(_run, work), lane="data")
            active = {old: one for old, one in self._started.items() if not one.has_ended}
            self._started = {**active, key: running}
        return running

    def of(self, subject: Subject) -> list[dict[str, Any]]:
        """Those that wait or run for a network, for a page that did not start them."""
        own = (subject.model.id, subject.data)
        return [
            {"kind": key[2], "row": key[3], "method": key[4], "computation": one.id}
            for key, one in [*self._started.items()]
            if key[:2] == own and not one.has_ended
        ]


def _work_of(subject: Subject, study: Study) -> Callable[[Report], None]:
    if study.kind in ("row", "map"):
        subject.model.row(study.row)  # refuses an unknown one before it waits
    match study.kind:
        case "filters":
            return partial(study_filters, subject)
        case "row":
            return partial(study_row, subject, study.row)
        case "redundancy":
            return partial(study_redundancy, subject)
        case "probes":
            return partial(study_probes, subject)
        case "map":
            return partial(study_map, subject, study.row, study.method)
        case "results":
            return partial(study_results, subject)


def _run(work: Callable[[Report], None], computation: Computation) -> None:
    """A pass goes on while no page looks at it, until one cancels it."""

    def report(doing: str, done: int, total: int) -> None:
        computation.watch()
        computation.report(doing, done, total)

    work(report)
    computation.publish({})


def _add_studies(app: FastAPI, subjects: Subjects, studies: _Studies) -> None:
    @app.get(_API)
    def learned(net: Name, data: Name = "") -> JSONResponse:
        """Which images a network is studied on, and what is being found out."""
        subject = subjects.find(net, data)
        has_levels = False
        try:
            selection = subject.images.selection
        except ConvscopeError as error:
            images = {"description": "", "count": 0, "reason": str(error)}
        else:
            number = len(selection.dataset)
            images = {"description": selection.description, "count": number, "reason": ""}
            has_levels = subject.cache.read(subject.cache.path("levels")) is not None
        content = {
            "images": images,
            "data": subject.data,
            "choices": subjects.choices(subject.model),
            "has_levels": has_levels,
            "studies": studies.of(subject),
        }
        return JSONResponse(content, headers=_FRESH)

    @app.post(_API + "/studies")
    def study(net: Name, body: Study) -> JSONResponse:
        """Start to find something out, or go on with it; the computation to follow."""
        subject = subjects.find(net, body.data)
        _ = subject.images.selection  # refuses before it waits
        return started(lambda: studies.start(subject, body))


def _add_filters(app: FastAPI, subjects: Subjects) -> None:
    def layer_of(net: str, row: str, data: str) -> tuple[Subject, dict[str, Any]]:
        subject = subjects.find(net, data)
        layer = patches_of(subject, row)
        if layer is None:
            raise Missing
        return subject, layer

    def filter_of(
        net: str, row: str, index: int, data: str
    ) -> tuple[Subject, dict[str, Any], dict[str, Any]]:
        subject, layer = layer_of(net, row, data)
        if not 0 <= index < len(layer["filters"]):
            raise RequestError(f"{row} has the filters 0 to {len(layer['filters']) - 1}.")
        return subject, layer, layer["filters"][index]

    @app.get(_API + "/patches/{row}")
    def layer(net: Name, row: Name, data: Name = "") -> JSONResponse:
        """The filters of a row: which are dead or always on, and how selective each is."""
        _, layer = layer_of(net, row, data)
        brief = ("filter", "state", "preferred", "selectivity", "active_images")
        filters = [{name: one[name] for name in brief} for one in layer["filters"]]
        return JSONResponse({**layer, "filters": filters}, headers=_FRESH)

    @app.get(_API + "/patches/{row}/{index}")
    def filter_(net: Name, row: Name, index: int, data: Name = "") -> JSONResponse:
        """One filter of a row: its patches, and how it responds to the classes."""
        _, layer, one = filter_of(net, row, index, data)
        about = {name: value for name, value in layer.items() if name != "filters"}
        return JSONResponse({**about, **one}, headers=_FRESH)

    @app.get(_API + "/patches/{row}/{index}/strip.png", response_class=Png)
    def strip(net: Name, row: Name, index: int, data: Name = "") -> Response:
        """The patches of a filter side by side, a square for each; clear outside of the image."""
        try:
            subject, _, one = filter_of(net, row, index, data)
        except Missing:
            raise RequestError(f"The patches of {row} were not looked for yet.") from None
        return Png(patch_strip(subject.images, one["patches"]), headers=_FRESH)


def _add_measures(app: FastAPI, subjects: Subjects) -> None:
    @app.get(_API + "/redundancy")
    def redundancy(net: Name, data: Name = "") -> JSONResponse:
        """Twins and dead maps of each convolution, over the data set."""
        subject = subjects.find(net, data)
        return _saved(subject, "redundancy")

    @app.get(_API + "/similarity/{layer}")
    def similarity(net: Name, layer: Name, data: Name = "") -> JSONResponse:
        """How alike every two maps of a layer are: correlation and CKA, in percent."""
        subject = subjects.find(net, data)
        path = matrix_path(subject, layer)
        return _stored(subject, path)

    @app.get(_API + "/probes")
    def probes(net: Name, data: Name = "") -> JSONResponse:
        """What a linear classifier reads from each level."""
        subject = subjects.find(net, data)
        return _saved(subject, "probes")


def _add_results(app: FastAPI, subjects: Subjects) -> None:
    @app.get(_API + "/levels")
    def levels(net: Name, data: Name = "") -> JSONResponse:
        """The levels of a network, the lowest first, each with its most telling filters."""
        subject = subjects.find(net, data)
        return _saved(subject, "levels")

    @app.get(_API + "/results")
    def results(net: Name, data: Name = "") -> JSONResponse:
        """How good a network is on the data: figures, confusion, calibration, every image."""
        subject = subjects.find(net, data)
        return _saved(subject, "results")

    @app.get(_API + "/image.png", response_class=Png)
    def image(net: Name, key: Name, data: Name = "") -> Response:
        """A small copy of an image of the data."""
        return Png(thumbnail(subjects.find(net, data).images, key), headers=_FRESH)

    @app.get(_API + "/map/{row}")
    def image_map(net: Name, row: Name, method: Method = "pca", data: Name = "") -> JSONResponse:
        """The map of images at a row: points, labels, predictions."""
        subject = subjects.find(net, data)
        path = map_path(subject, row, method)
        return _stored(subject, path)

    @app.get(_API + "/map/{row}/sheet.png", response_class=Png)
    def sheet(net: Name, row: Name, method: Method = "pca", data: Name = "") -> Response:
        """The thumbnails of the map's images in rows of `columns`, each `side` pixels."""
        subject = subjects.find(net, data)
        try:
            return Png(sheet_path(subject, row, method).read_bytes(), headers=_FRESH)
        except OSError:
            raise RequestError(f"The map at {row} was not drawn yet.") from None


def _saved(subject: Subject, kind: str) -> JSONResponse:
    return _stored(subject, subject.cache.path(kind))


def _stored(subject: Subject, path: Path) -> JSONResponse:
    return JSONResponse(subject.cache.read(path), headers=_FRESH)
