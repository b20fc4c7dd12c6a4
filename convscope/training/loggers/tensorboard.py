"""TensorBoard: event files in the run folder, which `tensorboard --logdir runs` shows."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from torch.utils.tensorboard import summary
from torch.utils.tensorboard.writer import SummaryWriter

from convscope.errors import shell_word
from convscope.training.loggers.base import Ending, LoggedRun, Logger, Point

FOLDER = "tensorboard"


class TensorBoard(Logger):
    """Writes event files into the run's folder `tensorboard`; a resume begins another file there.

    Of the files before it, TensorBoard drops what is from the step on at which it begins.
    """

    title = "TensorBoard"

    def open(self, run: LoggedRun) -> str:
        folder = run.path / FOLDER
        known = run.first_step if folder.exists() else None
        self._writer: Any = SummaryWriter(str(folder), purge_step=known)
        if not run.first_step:
            rows = "".join(f"| {name} | {value} |\n" for name, value in run.settings.items())
            self._writer.add_text("settings", f"| setting | value |\n| --- | --- |\n{rows}")
            self._writer.add_text("description", run.description)
            hparams = cast("Callable[..., Any]", summary.hparams)
            experiment, session, _ = hparams(dict(run.settings), dict.fromkeys(run.metrics, 0.0))
            for part in (experiment, session):
                self._writer.file_writer.add_summary(part)
        self._writer.flush()
        return f"{folder} (`tensorboard --logdir {shell_word(_above(run.path))}`)"

    def write(self, points: Sequence[Point]) -> None:
        for point in points:
            for name, value in point.values.items():
                self._writer.add_scalar(name, value, point.step, walltime=point.time)

    def flush(self) -> None:
        self._writer.flush()

    def close(self, ending: Ending) -> None:  # noqa: ARG002 -- it knows no endings
        self._writer.close()


def _above(path: Path) -> Path:
    """The folder in which runs lie, where TensorBoard shows them beside each other."""
    return path.parent if path.parent.name == "runs" else path
