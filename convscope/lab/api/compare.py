"""The routes of Compare: runs and networks side by side, and what there is to choose."""

from typing import Annotated, Any

from fastapi import FastAPI, Query

from convscope.lab.compare import compared
from convscope.lab.inspect.store import Shelf
from convscope.lab.jobs.form import networks as known_networks
from convscope.lab.jobs.jobs import Trainings


def add_compare(app: FastAPI, trainings: Trainings, shelf: Shelf) -> None:  # noqa: ARG001 -- as the other rooms
    """Add what the screen Compare asks."""

    @app.get("/api/compare")
    def compare(
        runs: Annotated[list[str], Query()] = [],  # noqa: B006 -- FastAPI copies it
        networks: Annotated[list[str], Query()] = [],  # noqa: B006
    ) -> dict[str, Any]:
        """Two to eight runs and networks: results, costs, settings, and what does not compare."""
        return compared(trainings, runs, networks)

    @app.get("/api/zoo")
    def zoo() -> dict[str, Any]:
        """The networks that can be compared: those that the lab was given, and the zoo."""
        return {"networks": known_networks(list(trainings.given.models))}
