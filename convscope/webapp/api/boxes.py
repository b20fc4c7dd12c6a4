"""The routes of the boxes that a network finds in an image."""

from typing import Any

from fastapi import FastAPI

from convscope.webapp.api.responses import Name
from convscope.webapp.inspect.boxes import box_to_dict, boxes_to_dict
from convscope.webapp.inspect.store import ModelStore

_IMAGE = "/api/networks/{net}/images/{image}"


def add_boxes(app: FastAPI, store: ModelStore) -> None:
    """Add the routes of boxes."""

    @app.get(_IMAGE + "/boxes")
    def boxes(net: Name, image: str) -> dict[str, Any]:
        """The boxes found in an image, and those that these suppressed."""
        model = store.model(net)
        return boxes_to_dict(model, model.image(image))

    @app.get(_IMAGE + "/boxes/{box}")
    def box(net: Name, image: str, box: str) -> dict[str, Any]:
        """One box: its numbers with their arithmetic, and the comparisons of suppression."""
        model = store.model(net)
        return box_to_dict(model, model.image(image), box)
