"""The route of What if: what follows from other weights, pixels and settings."""

from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

from convscope.interventions.edits import parse_edit
from convscope.webapp.api.responses import Name
from convscope.webapp.inspect.store import ModelStore
from convscope.webapp.inspect.what_if import (
    PixelBlock,
    Setting,
    SettingName,
    Supposition,
    what_if,
)

_MAX_WEIGHTS, _MAX_BLOCKS, _MAX_SETTINGS = 64, 4096, 64
_IMAGE = "/api/networks/{net}/images/{image}"

Coordinate = Annotated[int, Field(ge=0, le=100_000)]


class BlockBody(BaseModel):
    """A block of pixels with other bytes."""

    model_config = ConfigDict(extra="forbid")

    y: Coordinate
    x: Coordinate
    height: Annotated[int, Field(ge=1, le=100_000)] = 1
    width: Annotated[int, Field(ge=1, le=100_000)] = 1
    bytes: Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=1, max_length=3)]


class SettingBody(BaseModel):
    """Another stride, padding, dilation or window of a layer."""

    model_config = ConfigDict(extra="forbid")

    row: Name
    name: SettingName
    value: Annotated[int, Field(ge=0, le=64)]


class WhatIfBody(BaseModel):
    """Weights as `conv1.weight[3,0,1,2]=0.5`, pixels and settings; the map that is drawn."""

    model_config = ConfigDict(extra="forbid")

    weights: Annotated[list[Annotated[str, Field(max_length=300)]], Field(max_length=_MAX_WEIGHTS)]
    pixels: Annotated[list[BlockBody], Field(max_length=_MAX_BLOCKS)]
    settings: Annotated[list[SettingBody], Field(max_length=_MAX_SETTINGS)]
    row: Name = ""
    map: Annotated[int, Field(ge=0)] = 0


def add_what_if(app: FastAPI, store: ModelStore) -> None:
    """Add the route of What if."""

    @app.post(_IMAGE + "/what-if")
    def suppose(net: Name, image: str, body: WhatIfBody) -> dict[str, Any]:
        """Every layer and the answer, as they are and as they would be."""
        model = store.model(net)
        asked = Supposition(
            weights=[parse_edit(text) for text in body.weights],
            pixels=[
                PixelBlock(one.y, one.x, one.height, one.width, tuple(one.bytes))
                for one in body.pixels
            ],
            settings=[Setting(one.row, one.name, one.value) for one in body.settings],
        )
        spot = (body.row, body.map) if body.row else None
        return what_if(model, model.image(image), asked, spot)
