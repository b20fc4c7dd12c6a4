"""The metrics of every epoch as a table for spreadsheets: results.csv."""

from collections.abc import Callable

from convscope.errors import WorkError
from convscope.runs.folder import Run
from convscope.training.callbacks.base import Callback
from convscope.training.events import EpochEnd, FitStart
from convscope.training.result import History
from convscope.training.state import TrainState
from convscope.words.csv_text import to_csv


class ResultsCsv(Callback):
    """Writes results.csv, one row per epoch, with the columns of metrics.jsonl.

    The file is replaced as a whole, so that it is complete after a crash, and right after a resume.
    Where it cannot be, as while a spreadsheet holds it, that is told once, and training goes on.
    """

    def __init__(self, run: Run, notify: Callable[[str], None]) -> None:
        self.run, self.notify = run, notify
        self._is_told = False

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        self._write(state)

    def on_epoch_end(self, state: TrainState, event: EpochEnd) -> None:
        self._write(state)

    def _write(self, state: TrainState) -> None:
        if not state.history:
            return
        history = History(state.history)
        rows = [[row.get(name, "") for name in history.columns] for row in history]
        try:
            self.run.write("results.csv", to_csv([history.columns, *rows]))
        except WorkError as error:
            if not self._is_told:
                self.notify(str(error))
            self._is_told = True
