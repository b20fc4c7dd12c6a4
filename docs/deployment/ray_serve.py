"""Serves an exported network by Ray Serve, on as many machines as Ray has.

pip install "ray[serve]" onnxruntime and, without PyTorch, convscope (see requirements.txt), then

    serve run ray_serve:app folder=/models/flowers
    curl --data-binary @photo.jpg http://127.0.0.1:8000/
"""

import asyncio

import numpy as np
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse

from convscope.data.unreadable import UnreadableImage
from convscope.exported.classifier import open_classifier
from convscope.exported.pixels import fitted_pixels


@serve.deployment(num_replicas=2, max_ongoing_requests=32, ray_actor_options={"num_cpus": 1})
class Network:
    """Answers a POST whose body is an image file with the probability of each class."""

    def __init__(self, folder: str) -> None:
        self.classify = open_classifier(folder, threads=1)

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.002)
    async def probabilities(self, images: list) -> list:
        return list(await asyncio.to_thread(self.classify, np.stack(images)))

    async def __call__(self, request: Request) -> JSONResponse:
        card = self.classify.card
        try:
            pixels = await asyncio.to_thread(fitted_pixels, await request.body(), card)
        except UnreadableImage as error:
            return JSONResponse({"error": f"The image {error}."}, 422)
        found = await self.probabilities(pixels)
        return JSONResponse(dict(zip(card.classes, found.tolist(), strict=True)))


def app(arguments: dict[str, str]) -> serve.Application:
    """The application; `folder` is that of an exported network, on every machine."""
    return Network.bind(arguments["folder"])
