"""The routes of a unit's panel: changes and what they do, pictures that excite it."""

import weakref
from typing import Annotated, Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from convscope.errors import RequestError
from convscope.interventions.edits import Action
from convscope.webapp.api.computations import started
from convscope.webapp.api.responses import JSONResponse, Name
from convscope.webapp.inspect.changes import (
    MAX_CHANGES,
    Change,
    change_data,
    change_image,
    edit_of,
    filter_name,
    patches_of,
    reason_without_data,
)
from convscope.webapp.inspect.computations import Computations
from convscope.webapp.inspect.graph import GraphRow
from convscope.webapp.inspect.store import LoadedModel, ModelStore, RecordedImage
from convscope.webapp.inspect.synthesis import check_module, excite, invert_layer, module_of
from convscope.webapp.inspect.what_if import settings_of

_IMAGE = "/api/networks/{net}/images/{image}"


class ChangeBody(BaseModel):
    """A change of a unit, a map or a filter; see `Change`."""

    model_config = ConfigDict(extra="forbid")

    row: Name
    map: int
    at: tuple[int, int] | None = None
    part: Literal["activation", "filter"] = "activation"
    action: Action = "set"
    value: Annotated[float, Field(ge=-1e6, le=1e6)] = 0.0
    image: str = ""


class ChangesBody(BaseModel):
    """Changes in their order, and the class whose score is explained."""

    model_config = ConfigDict(extra="forbid")

    changes: Annotated[list[ChangeBody], Field(min_length=1, max_length=MAX_CHANGES)]
    about: int | None = None


class TargetBody(BaseModel):
    """A row, and of it a map, or a unit; or a class by its index."""

    model_config = ConfigDict(extra="forbid")

    row: Name
    map: int = 0
    at: tuple[int, int] | None = None


def add_changes(app: FastAPI, store: ModelStore, computations: Computations) -> None:
    """Add the routes of a unit's panel."""
    _add_changes(app, store, computations)
    _add_synthesis(app, store, computations)


def _add_changes(app: FastAPI, store: ModelStore, computations: Computations) -> None:
    @app.get(_IMAGE + "/changes/{row}")
    def possible(net: Name, image: str, row: Name) -> dict[str, Any]:
        """What can be changed of a row, and which module's pictures can be computed."""
        model, recorded, layer = _find(store, net, image, row)
        return {
            "filter": filter_name(recorded.recording, layer),
            "settings": settings_of(model, layer),
            "module": module_of(recorded.recording, layer),
            "no_data": reason_without_data(model),
        }

    @app.post(_IMAGE + "/changes")
    def change(net: Name, image: str, body: ChangesBody) -> dict[str, Any]:
        """The answers before and after changes, and the arithmetic of a class's score."""
        model = store.model(net)
        recorded = model.image(image)
        changes = _changes(model, body)
        return change_image(model, recorded, changes, _class(model, body.about))

    @app.post(_IMAGE + "/changes/data", response_model=None)
    def data(net: Name, image: str, body: ChangesBody) -> JSONResponse:
        """Start to count the answers to all test images of the run, before and after changes."""
        model = store.model(net)
        recorded = model.image(image)
        if reason := reason_without_data(model):
            raise RequestError(reason)
        changes = _changes(model, body)
        edits = [edit_of(one, recorded.units) for one in changes]
        patches = patches_of(model, recorded, edits)
        key = ("changes", weakref.ref(model.net), tuple(changes))
        return started(
            lambda: computations.start(
                key, lambda computation: change_data(computation, model, edits, patches),
                lane="data",
            )
        )  # fmt: skip


def _add_synthesis(app: FastAPI, store: ModelStore, computations: Computations) -> None:
    @app.post(_IMAGE + "/synthesis", response_model=None)
    def synthesis(net: Name, image: str, body: TargetBody) -> JSONResponse:
        """Start to compute the image that excites a map, a unit or a class most."""
        model, recorded, row = _find(store, net, image, body.row)
        module = module_of(recorded.recording, row)
        check_module(module, row)
        edit = edit_of(Change(row.name, body.map, body.at), recorded.units)
        index = tuple(at for at in edit.index if isinstance(at, int))
        key = ("synthesis", weakref.ref(model.net), module, index)
        return started(
            lambda: computations.start(
                key, lambda computation: excite(computation, model, module, index)
            )
        )

    @app.post(_IMAGE + "/inversion/{row}", response_model=None)
    def inversion(net: Name, image: str, row: Name) -> JSONResponse:
        """Start to compute an image that a layer answers as it answers the open one."""
        model, recorded, layer = _find(store, net, image, row)
        module = module_of(recorded.recording, layer)
        check_module(module, layer)
        key = ("inversion", weakref.ref(model.net), image, module)
        return started(
            lambda: computations.start(
                key, lambda computation: invert_layer(computation, model, recorded, module)
            )
        )


def _find(
    store: ModelStore, net: str, image: str, row: str
) -> tuple[LoadedModel, RecordedImage, GraphRow]:
    model = store.model(net)
    recorded = model.image(image)
    return model, recorded, model.row(row)


def _changes(model: LoadedModel, body: ChangesBody) -> list[Change]:
    for one in body.changes:
        model.row(one.row)  # raises for an unknown one
    return [
        Change(one.row, one.map, one.at, one.part, one.action, one.value, one.image)
        for one in body.changes
    ]


def _class(model: LoadedModel, index: int | None) -> int | None:
    count = len(model.card.classes)
    if index is not None and not 0 <= index < count:
        raise RequestError(f"The network has {count} classes, 0 to {count - 1}.")
    return index
