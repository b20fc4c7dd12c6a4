"""What a training says in lines: messages, one line per epoch, kept in the run's log.txt."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TextIO

from convscope.evaluation.multi_label import right_word, trained_word
from convscope.regular_files import check_regular
from convscope.training.callbacks.base import Callback
from convscope.training.events import EpochEnd, FitStart, Message, RunStart
from convscope.training.state import TrainState
from convscope.words import visible

WORK = {"decoding": "Reading images", "trying": "Trying learning rates"}
"""What is done before or in place of a training, by the activity of its `Progress`."""


class RunLog(Callback):
    """Writes the lines of a training to log.txt, and passes each on to `show`.

    Args:
        show: shows a line to the user.
        spell: puts a message into the words of the face that shows it: keywords stay as they are,
            or become flags.
    """

    def __init__(self, show: Callable[[str], None], *, spell: Callable[[str], str] = str) -> None:
        self.show, self.spell = show, spell
        self.epochs = ""
        self._right = ""  # what the share of right images is called; "" before the run is known
        self._trained = ""  # and that of training images
        self._file: TextIO | None = None
        self._pending: list[str] = []

    def close(self, error: BaseException | None = None) -> None:
        """Close the log, after the error that ended the training, if there was one."""
        if self._file is None:
            return
        if error is not None:
            self.keep(self.spell(str(error)))
        with suppress(OSError):
            self._file.close()
        self._file = None

    def note(self, text: str) -> None:
        """Show a line and keep it."""
        text = self.spell(text)
        self.show(text)
        self.keep(text)

    def keep(self, text: str) -> None:
        """Keep a line in log.txt, as soon as there is a run."""
        self._pending.append(text)
        if self._file is not None:
            with suppress(OSError):  # a full disk may still hold the next checkpoint
                self._file.write("".join(f"{visible(line)}\n" for line in self._pending))
                self._file.flush()
            self._pending.clear()

    def on_message(self, event: Message) -> None:
        self.note(event.text)

    def on_run_start(self, event: RunStart) -> None:
        self._right, self._trained = right_word(event.card.task), trained_word(event.card.task)
        path = event.path / "log.txt"
        if path.exists():
            check_regular(path)  # opening a pipe would wait for its reader
        self._file = path.open("a", encoding="utf-8", errors="replace")

    def on_fit_start(self, state: TrainState, event: FitStart) -> None:
        steps = event.limits.steps
        self.epochs = f"/{-(-steps // event.batches_per_epoch)}" if steps else ""

    def on_epoch_end(self, state: TrainState, event: EpochEnd) -> None:
        line = event.metrics
        right = self._right or ("exact match" if is_of_labels(line) else "accuracy")
        trained = self._trained or right
        validation = (
            f"   validation loss {line['val_loss']:.4f}, {right} {line['val_top1']:.2%}"
            f"{_of_task(line)}"
            if "val_loss" in line
            else ""
        )
        self.note(
            f"epoch {line['epoch']:>3}{self.epochs}   loss {line['train_loss']:.4f}, {trained} "
            f"{line['train_top1']:.2%}{validation}{'   best' if line['best'] else ''}"
        )


def is_of_labels(line: Mapping[str, Any]) -> bool:
    """Whether the line of an epoch is of images with several labels."""
    return "val_micro_f1" in line


def _of_task(line: Mapping[str, Any]) -> str:
    """The metrics that only some tasks have."""
    names = {
        "val_map": ("mAP", ".2%"),
        "val_kappa": ("kappa", ".3f"),
        "val_mae": ("MAE", ".3f"),
        "val_ap50": ("AP50", ".2%"),
        "val_ap": ("AP", ".2%"),
    }
    found = [
        f", {text} {line[name]:{form}}" for name, (text, form) in names.items() if name in line
    ]
    return "".join(found)
