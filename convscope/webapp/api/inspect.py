"""The routes of the screens Network, Maps and Unit: networks, images, maps, units."""

import re
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from convscope.errors import RequestError
from convscope.webapp.api.responses import KEEP, Binary, Name, Png, binary, parse_integers
from convscope.webapp.inspect.answers import (
    image_to_dict,
    image_to_png,
    network_to_dict,
    networks_to_dict,
    scores_to_dict,
)
from convscope.webapp.inspect.contact_sheet import contact_sheet
from convscope.webapp.inspect.maps import filter_weights, thumbnails, volume_of
from convscope.webapp.inspect.store import ModelStore

_API = "/api/networks/{net}"
_IMAGE = _API + "/images/{image}"
_FILE = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
_IMAGES = re.compile(r"/api/networks/[^/]+/images")


def add_inspect(app: FastAPI, store: ModelStore) -> None:
    """Add the routes of the screens Network, Maps and Unit."""
    _add_networks(app, store)
    _add_images(app, store)
    _add_volumes(app, store)
    _add_drawings(app, store)


def takes_file(method: str, path: str) -> bool:
    """Whether a request's body is a file."""
    return method == "POST" and _IMAGES.fullmatch(path) is not None


def _add_networks(app: FastAPI, store: ModelStore) -> None:
    @app.get("/api/networks")
    def networks() -> dict[str, Any]:
        """The networks that are open."""
        return networks_to_dict(store.models.values())

    @app.get(_API)
    def network(net: Name) -> dict[str, Any]:
        """One network: its card, its images, and its layers as rows."""
        return network_to_dict(store.model(net))


def _add_images(app: FastAPI, store: ModelStore) -> None:
    @app.post(_API + "/images", openapi_extra={"requestBody": _FILE})
    async def add(net: Name, request: Request, title: str = "an image") -> dict[str, Any]:
        """Show the network an image, a file's bytes: at most 32 MB, and 100 million pixels."""
        model = store.model(net)
        recorded = await run_in_threadpool(store.add, model, title[:80], await request.body())
        return image_to_dict(model, recorded)

    @app.get(_IMAGE)
    def image(net: Name, image: str) -> dict[str, Any]:
        """What the network predicts for an image."""
        model = store.model(net)
        return image_to_dict(model, model.image(image))

    @app.get(_IMAGE + "/image.png", response_class=Png)
    def image_png(net: Name, image: str) -> Response:
        """The image as the network sees it, before its bytes are normalized."""
        return Png(image_to_png(store.model(net).image(image)), headers=KEEP)

    @app.get(_IMAGE + "/pixels/{y},{x}")
    def pixel(net: Name, image: str, y: int, x: int) -> dict[str, Any]:
        """A pixel's bytes and the input values: (byte / 255 - mean) / std."""
        model = store.model(net)
        return model.pixel(model.image(image), y, x)


def _add_volumes(app: FastAPI, store: ModelStore) -> None:
    @app.get(_IMAGE + "/thumbnails", response_class=Binary)
    def map_thumbnails(net: Name, image: str) -> Response:
        """Binary: uint32 length of a JSON header, the header, then each row's map as int8."""
        model = store.model(net)
        return binary(thumbnails(model.image(image).recording, model.rows))

    @app.get(_IMAGE + "/volumes/{row}", response_class=Binary)
    def volume(net: Name, image: str, row: Name, maps: str | None = None) -> Response:
        """Binary: float32 little-endian; the header X-Shape says "c,h,w"."""
        model = store.model(net)
        indices = None if maps is None else parse_integers(maps)
        values = volume_of(model.image(image).recording, model.row(row), indices)
        shape = ",".join(map(str, values.shape))
        return binary(values.astype("<f4").tobytes(), {"X-Shape": shape})

    @app.get(_IMAGE + "/scores/{row}")
    def scores(net: Name, image: str, row: Name, rank: str = "strongest") -> dict[str, Any]:
        """The maps of a row ranked: strongest, distance_from_mean, importance, correlated."""
        model = store.model(net)
        return scores_to_dict(model, model.image(image), row, rank)

    @app.get(_IMAGE + "/filters/{row}/{index}")
    def filters(net: Name, image: str, row: Name, index: int) -> dict[str, Any]:  # noqa: ARG001
        """One filter, channel by channel, if it has at most six."""
        model = store.model(net)
        return filter_weights(model.net, model.row(row), index)

    @app.get(_IMAGE + "/units/{row}/{at}")
    def unit(
        net: Name,
        image: str,
        row: Name,
        at: str,
        channels: Annotated[int, Query(ge=1, le=64)] = 4,
        skip: Annotated[int, Query(ge=0)] = 0,
    ) -> dict[str, Any]:
        """The arithmetic of the unit `c,y,x`: operands, products, sums, and what follows."""
        model = store.model(net)
        index, layer = parse_integers(at), model.row(row)
        if len(index) != 3 or not all(map(_is_below, index, layer.shape)):
            volume = "x".join(map(str, layer.shape))
            raise RequestError(
                f"{at[:40]!r} is not a unit of {row}, which is {volume}; write channel,row,column, "
                "each from 0."
            )
        units = model.image(image).units
        return units.unit(layer.name, index, channels=channels, skip=skip)


def _is_below(index: int, side: int) -> bool:
    return 0 <= index < side


def _add_drawings(app: FastAPI, store: ModelStore) -> None:
    @app.get(_IMAGE + "/sheet.png", response_class=Png)
    def sheet(net: Name, image: str, convolutions: str = "") -> Response:
        """A contact sheet: the strongest maps of up to five convolutions, or of those named."""
        model = store.model(net)
        recorded = model.image(image)
        png = contact_sheet(
            recorded.recording,
            model.rows,
            recorded.pixels,
            convolutions=parse_integers(convolutions) if convolutions else None,
        )
        return Png(png)
