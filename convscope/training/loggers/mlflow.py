"""MLflow: a run on the tracking server that MLflow itself is set to."""

import os
from collections.abc import Sequence
from typing import Any

import mlflow
from mlflow.entities import Metric, Param, RunTag

from convscope.training.loggers.base import Ending, LoggedRun, Logger, Point, read_id, write_id

_STATUS: dict[Ending, str] = {"finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
_LONGEST = 5000  # characters of a value that MLflow takes, with room
_MOST_METRICS, _MOST_PARAMS = 1000, 100  # in one request


class MLflow(Logger):
    """Logs by a client of its own, which leaves the active run of a program alone.

    The server is that of MLFLOW_TRACKING_URI, or MLflow's own default; the experiment that of
    MLFLOW_EXPERIMENT_NAME, or `convscope`. The id of the run is in `mlflow.json` of the run folder;
    a resume asks the server what is logged already.
    """

    title = "MLflow"

    def open(self, run: LoggedRun) -> str:
        self._client: Any = mlflow.MlflowClient()
        path = run.path / "mlflow.json"
        self._id, _ = read_id(path)
        if self._id:
            self._client.update_run(self._id, status="RUNNING")
            for name in self._client.get_run(self._id).data.metrics:
                history = self._client.get_metric_history(self._id, name)
                self.last[name] = max(metric.step for metric in history)
        else:
            self._id = self._begin(run)
            write_id(path, self._id, {})
        return f"run {self._id} at {mlflow.get_tracking_uri()}"

    def _begin(self, run: LoggedRun) -> str:
        tags = {
            "mlflow.note.content": run.description,
            "convscope.run": str(run.path.resolve()),
            "convscope.weights": str(run.path.resolve() / "model.safetensors"),
        }
        created = self._client.create_run(self._experiment(), run_name=run.path.name)
        run_id = created.info.run_id
        params = [Param(name, str(value)[:_LONGEST]) for name, value in run.settings.items()]
        labels = [RunTag(name, text[:_LONGEST]) for name, text in tags.items()]
        self._client.log_batch(run_id, tags=labels)
        for start in range(0, len(params), _MOST_PARAMS):
            self._client.log_batch(run_id, params=params[start : start + _MOST_PARAMS])
        return run_id

    def _experiment(self) -> str:
        if known := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return known
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "convscope"
        found = self._client.get_experiment_by_name(name)
        return found.experiment_id if found else self._client.create_experiment(name)

    def write(self, points: Sequence[Point]) -> None:
        metrics = [
            Metric(name, value, int(1000 * point.time), point.step)
            for point in points
            for name, value in point.values.items()
        ]
        for start in range(0, len(metrics), _MOST_METRICS):
            self._client.log_batch(self._id, metrics=metrics[start : start + _MOST_METRICS])

    def flush(self) -> None:
        """Every request is answered once it is written."""

    def close(self, ending: Ending) -> None:
        self._client.set_terminated(self._id, status=_STATUS[ending])
