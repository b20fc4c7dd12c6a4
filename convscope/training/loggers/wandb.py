"""Weights & Biases: a run in the project of WANDB_PROJECT, or `convscope`."""

import os
import secrets
from collections.abc import Sequence
from importlib import import_module
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from convscope.errors import shell_word
from convscope.training.loggers.base import Ending, LoggedRun, Logger, Point, read_id, write_id


class WandB(Logger):
    """Logs online if WANDB_MODE says so or there is an API key; else into the run's folder `wandb`.

    The id of the run, and the last step of each metric, are in `wandb.json` of the run folder.
    """

    title = "W&B"

    def open(self, run: LoggedRun) -> str:
        wandb: Any = import_module("wandb")  # too large to be there for tests and type checkers
        self._path = run.path / "wandb.json"
        known, self.last = read_id(self._path)
        mode = os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
        self._run: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or "convscope",
            dir=str(run.path),
            id=known or os.environ.get("WANDB_RUN_ID") or secrets.token_hex(4),
            name=os.environ.get("WANDB_NAME") or run.path.name,
            notes=run.description,
            config={**run.settings, "run": str(run.path.resolve())},
            resume="allow",
            mode=mode,
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )
        write_id(self._path, self._run.id, self.last)
        if mode == "offline":
            return f"{run.path / 'wandb'} (upload it with {_sync(run.path)})"
        return str(self._run.url or mode)

    def write(self, points: Sequence[Point]) -> None:
        for point in points:
            self._run.log(dict(point.values), step=point.step)
        write_id(self._path, self._run.id, self.last)

    def flush(self) -> None:
        """W&B writes by a process of its own."""

    def close(self, ending: Ending) -> None:
        self._run.finish(exit_code=0 if ending == "finished" else 1)


def _has_key() -> bool:
    """Whether W&B can log in without asking, which it would in the middle of a training."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or "https://api.wandb.ai").hostname or ""
    try:
        return netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, NetrcParseError):
        return False


def _sync(path: Path) -> str:
    return f"`wandb sync {shell_word(path / 'wandb')}/offline-run-*`"
