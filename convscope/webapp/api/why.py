"""The routes of Why: the methods, and the map of an image with its tests, in the background."""

import weakref
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from convscope.attribution.methods import MethodName
from convscope.webapp.api.computations import started
from convscope.webapp.api.responses import JSONResponse, Name
from convscope.webapp.inspect.computations import Computations
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.inspect.why import (
    WhyRequest,
    check_request,
    explain_answer,
    methods_to_dict,
)


class WhyBody(BaseModel):
    """The method, the class, the class it is compared with, the layer; each may be left out."""

    model_config = ConfigDict(extra="forbid")

    method: MethodName | None = None
    target: int | None = None
    instead_of: int | None = None
    layer: Name | None = None


def add_why(app: FastAPI, store: ModelStore, computations: Computations) -> None:
    """Add the routes of Why."""

    @app.get("/api/attribution")
    def methods() -> dict[str, Any]:
        """The methods of attribution, and what each answers."""
        return methods_to_dict()

    @app.post("/api/networks/{net}/images/{image}/why", response_model=None)
    def why(net: Name, image: str, body: WhyBody) -> JSONResponse:
        """Start to compute a map of the image; its result, numbers and tests come as they are."""
        model = store.model(net)
        recorded = model.image(image)
        asked = WhyRequest(body.method, body.target, body.instead_of, body.layer)
        check_request(asked, model.card.classes)
        key = ("why", weakref.ref(model.net), image, asked)
        return started(
            lambda: computations.start(
                key, lambda computation: explain_answer(computation, model, recorded, asked)
            )
        )
