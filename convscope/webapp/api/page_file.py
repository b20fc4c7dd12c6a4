"""The route of a page to send: the screens of a network and some images as one file."""

import re
import weakref
from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from convscope.webapp.api.computations import started
from convscope.webapp.api.responses import JSONResponse, Name
from convscope.webapp.inspect.computations import Computation, Computations, File
from convscope.webapp.inspect.store import LoadedModel, ModelStore, RecordedImage
from convscope.webapp.page_file.api import page_of


class PageBody(BaseModel):
    """The images of the page, by their ids."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[str], Field(min_length=1, max_length=64)]


def add_page_file(app: FastAPI, store: ModelStore, computations: Computations) -> None:
    """Add the route."""

    @app.post("/api/networks/{net}/page", response_model=None)
    def page(net: Name, body: PageBody) -> JSONResponse:
        """Start to write a file with the screens of a network; it comes as the file `page`."""
        model = store.model(net)
        images = [model.image(image) for image in dict.fromkeys(body.images)]
        key = ("page", weakref.ref(model.net), tuple(body.images))
        return started(
            lambda: computations.start(
                key, lambda computation: _write(computation, model, images), lane="data"
            )
        )


def _write(computation: Computation, model: LoadedModel, images: list[RecordedImage]) -> None:
    page = page_of(model, images, report=computation.report).encode()
    name = re.sub(r"[^\w.-]+", "-", model.title).strip("-.") or "network"
    computation.publish(
        {"name": f"{name}.html", "megabytes": f"{len(page) / 1_000_000:.1f}"}, {"page": File(page)}
    )
