"""The routes of Look inside: networks, images, maps, units."""

import io
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from numpy.typing import NDArray
from PIL import Image as Pictures

from convscope.errors import RequestError
from convscope.lab.api.answers import KEEP, binary, numbers
from convscope.lab.inspect.contact_sheet import sheet_of
from convscope.lab.inspect.maps import faces_of, filter_of, scores_of, volume_of
from convscope.lab.inspect.store import Look, Network, Shelf
from convscope.lab.inspect.what_if import varied

UPLOAD = 32 << 20  # bytes of an image that is sent
_API = "/api/networks/{net}"
_IMAGE = _API + "/images/{image}"


def add_looks(app: FastAPI, shelf: Shelf) -> None:
    """Add what the screens Network, Maps and Unit ask."""
    _add_networks(app, shelf)
    _add_images(app, shelf)
    _add_volumes(app, shelf)
    _add_pictures(app, shelf)


def _add_networks(app: FastAPI, shelf: Shelf) -> None:
    @app.get("/api/networks")
    def networks() -> dict[str, Any]:
        """What can be looked into."""
        several = [{"id": one.id, "title": one.title} for one in shelf.networks.values()]
        return {"networks": several, "first": several[0]["id"] if several else None}

    @app.get(_API)
    def network(net: str) -> dict[str, Any]:
        """One network: its card, its images, and its rows, the lecture's table."""
        one = shelf.network(net)
        return {
            "id": one.id,
            "title": one.title,
            "caution": one.caution,
            "classes": one.card.classes,
            "channels": one.card.in_channels,
            "size": one.card.input_size,
            "images": [{"id": look.id, "title": look.title} for look in one.images],
            "rows": [row.to_dict() for row in one.rows],
        }


def _add_images(app: FastAPI, shelf: Shelf) -> None:
    @app.post(_API + "/images")
    async def add(net: str, request: Request, title: str = "an image") -> dict[str, Any]:
        """Show the network an image, a file's bytes: at most 32 MB, and 100 million pixels."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > UPLOAD:
                raise RequestError(f"The lab reads files of up to {UPLOAD >> 20} MB.")
        one = shelf.network(net)
        look = await run_in_threadpool(shelf.add, one, title[:80], bytes(body))
        return _told(one, look)

    @app.get(_IMAGE)
    def image(net: str, image: str) -> dict[str, Any]:
        """What the network says of an image."""
        one = shelf.network(net)
        return _told(one, one.look(image))

    @app.get(_IMAGE + "/picture.png")
    def picture(net: str, image: str) -> Response:
        """The image as the network sees it, before its bytes are normalized."""
        pixels = shelf.network(net).look(image).pixels
        kept = io.BytesIO()
        Pictures.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(kept, "PNG")
        return Response(kept.getvalue(), media_type="image/png", headers=KEEP)

    @app.get(_IMAGE + "/pixels/{y},{x}")
    def pixel(net: str, image: str, y: int, x: int) -> dict[str, Any]:
        """A pixel's bytes and what became of them: (byte / 255 - mean) / std."""
        one = shelf.network(net)
        return one.pixel(one.look(image), y, x)


def _told(network: Network, look: Look) -> dict[str, Any]:
    held = [{"id": one.id, "title": one.title} for one in network.images]
    return {
        "id": look.id,
        "title": look.title,
        "answers": network.answers(look),
        "images": held,
        "note": "",
    }


def _add_volumes(app: FastAPI, shelf: Shelf) -> None:
    @app.get(_IMAGE + "/faces")
    def faces(net: str, image: str) -> Response:
        """Binary: uint32 length of a JSON header, the header, then each row's face as int8."""
        one = shelf.network(net)
        look = one.look(image)
        return binary(faces_of(look.recording, one.rows))

    @app.get(_IMAGE + "/volumes/{row}")
    def volume(net: str, image: str, row: str, maps: str | None = None) -> Response:
        """Binary: float32 little-endian; the header X-Shape says "c,h,w"."""
        one = shelf.network(net)
        chosen = None if maps is None else numbers(maps)
        found = volume_of(one.look(image).recording, one.row(row), chosen)
        shape = ",".join(map(str, found.shape))
        return binary(found.astype("<f4").tobytes(), {"X-Shape": shape})

    @app.get(_IMAGE + "/scores/{row}")
    def scores(net: str, image: str, row: str, rank: str = "strongest") -> dict[str, Any]:
        """The maps of a row by a question: strongest, unusual, matters, twins."""
        one = shelf.network(net)
        look = one.look(image)
        found = one.row(row)

        def usual() -> tuple[NDArray[np.float32] | None, str]:
            return one.usual_volume(look, found)

        return scores_of(rank, look.recording, found, one.net, usual).to_dict()

    @app.get(_IMAGE + "/filters/{row}/{place}")
    def filters(net: str, image: str, row: str, place: int) -> dict[str, Any]:  # noqa: ARG001
        """One filter, channel by channel, where there are at most six."""
        one = shelf.network(net)
        return filter_of(one.net, one.row(row), place)

    @app.get(_IMAGE + "/units/{row}/{at}")
    def unit(
        net: str,
        image: str,
        row: str,
        at: str,
        channels: Annotated[int, Query(ge=1, le=64)] = 4,
        skip: Annotated[int, Query(ge=0)] = 0,
    ) -> dict[str, Any]:
        """The ledger of the unit `c,y,x`: its operands, products, sums, and what follows."""
        one = shelf.network(net)
        place = numbers(at)
        if len(place) != 3:
            raise RequestError(f"{at!r} is no unit; write channel,row,column.")
        found = one.row(row)
        return one.look(image).ledger.unit(found.name, place, channels=channels, skip=skip)


def _add_pictures(app: FastAPI, shelf: Shelf) -> None:
    @app.get(_IMAGE + "/sheet.png")
    def sheet(net: str, image: str, convolutions: str = "1,2,4,7,10") -> Response:
        """The lecture's picture: the strongest maps of some convolutions, on one sheet."""
        one = shelf.network(net)
        look = one.look(image)
        found = sheet_of(look.recording, one.rows, look.pixels, convolutions=numbers(convolutions))
        return Response(found, media_type="image/png")

    @app.get(_IMAGE + "/variations/{row}/{place}")
    def variation(
        net: str,
        image: str,
        row: str,
        place: int,
        stride: Annotated[int | None, Query(ge=1, le=64)] = None,
        padding: Annotated[int | None, Query(ge=0, le=64)] = None,
        dilation: Annotated[int | None, Query(ge=1, le=64)] = None,
        kernel: Annotated[int | None, Query(ge=1, le=64)] = None,
    ) -> Response:
        """Binary: a map as other settings would make it; X-Shape "h,w", X-Sentence what it is."""
        one = shelf.network(net)
        recording = one.look(image).recording
        found = varied(
            recording,
            one.row(row),
            place,
            stride=stride,
            padding=padding,
            dilation=dilation,
            kernel=kernel,
        )
        headers = {"X-Shape": ",".join(map(str, found.map.shape)), "X-Sentence": found.sentence}
        return binary(found.map.astype("<f4").tobytes(), headers)
