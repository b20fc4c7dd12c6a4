"""The routes of the screen Compare."""

from typing import Annotated, Any

from fastapi import FastAPI, Query

from convscope.comparison.runs import check_count, compare_runs
from convscope.webapp.api.responses import Name
from convscope.webapp.jobs.form import networks as known_networks
from convscope.webapp.jobs.jobs import TrainingJobs


def add_compare(app: FastAPI, jobs: TrainingJobs) -> None:
    """Add the routes of the screen Compare."""

    @app.get("/api/compare")
    def compare(
        runs: Annotated[list[Name], Query()] = [],  # noqa: B006 -- FastAPI copies it
        networks: Annotated[list[str], Query()] = [],  # noqa: B006
    ) -> dict[str, Any]:
        """Two to eight runs and networks: results, costs, settings, and caveats."""
        runs, networks = list(dict.fromkeys(runs)), list(dict.fromkeys(networks))
        check_count(len(runs) + len(networks))
        views = [jobs.view(name) for name in runs]
        models = {name: jobs.sources.model(name) for name in networks}
        return compare_runs(views, models)

    @app.get("/api/zoo")
    def zoo() -> dict[str, Any]:
        """The networks that can be compared: those given to the lab, and the zoo."""
        return {"networks": known_networks(list(jobs.sources.models))}
