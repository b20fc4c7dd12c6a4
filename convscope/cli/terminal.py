"""Terminal output: progress, tables, and suggestions for the next command."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.data.source import NAMES
from convscope.errors import shell_word
from convscope.runs.folder import Run
from convscope.runs.own_code import Consent, is_own_code
from convscope.training.callbacks.base import Callback
from convscope.training.callbacks.terminal_progress import TerminalProgress
from convscope.training.folds.result import CrossValidationResult
from convscope.training.result import TrainingResult
from convscope.training.tuning.result import TuningResult
from convscope.words.screen import Screen


def consent_flags(consent: Consent) -> str:
    """What a next command says again of the code of a run's network; it begins with a space."""
    if consent.trust:
        return " --trust"
    return f" --model {shell_word(consent.model)}" if isinstance(consent.model, str) else ""


def training_progress(*, json: bool) -> TerminalProgress:
    """The progress of a training, with keyword arguments as flags."""
    return TerminalProgress(Screen(stderr=json), spell=in_flags)


@contextmanager
def training_shown(*, json: bool) -> Generator[Sequence[Callback]]:
    """The callbacks that show one of several trainings."""
    with training_progress(json=json) as terminal:
        yield [terminal]


def print_folds(result: CrossValidationResult, *, json: bool) -> None:
    """Print the tables of a cross-validation and where it lies; with `json`, JSON as well."""
    if json:
        print_json(result.to_dict())
    screen, folder = Screen(stderr=json), shell_word(result.path)
    screen.show(f"\n{result}\n\n")
    screen.say(f"Folds: {folder}   (a run for each, predictions.csv, summary.json)")
    screen.say(f"Next:  convscope lab --runs {folder}   (a page that compares the trainings)")


def print_tuning(result: TuningResult, *, json: bool) -> None:
    """Print the table of a search and the best command; with `json`, JSON as well."""
    if json:
        print_json(result.to_dict())
    screen, run = Screen(stderr=json), shell_word(result.test.run)
    screen.show(f"\n{result}\n\n")
    screen.say(f"Run:    {run}   (the best trial; the others are beside it)")
    screen.say(f"Again:  {result.command}")
    screen.say(f"Next:   convscope lab --runs {shell_word(result.path)}   (a page that compares)")


def print_result(
    terminal: TerminalProgress, result: TrainingResult, *, json: bool, data: str
) -> None:
    """Print the test accuracy, the run folder and what to do next; with `json`, JSON as well."""
    if json:
        output = {
            "run": str(result.run),
            "test": result.test.to_dict(),
            "seconds": result.seconds,
            **({} if result.recipe is None else {"recipe": result.recipe.to_dict()}),
        }
        print_json(output)
    metrics, run = result.test, shell_word(result.run)
    folder = Run(result.run)
    is_own = is_own_code(str(folder.read_config().get("model", "")))
    trust = " --trust" if is_own else ""
    terminal.note("")
    terminal.note(f"Test {metrics.describe()} in {result.seconds:.1f} s.")
    if result.recipe is not None:
        terminal.note(in_flags(result.recipe.describe()))
    finds_objects = folder.read_card().task == "detection"
    shows = "figures, boxes of the worst images" if finds_objects else "confusion, worst mistakes"
    terminal.note(f"Run:   {run}   (report.html shows curves, {shows})")
    next_steps = [
        f"convscope predict {run} IMAGE...{' --draw boxes' * finds_objects}{trust}",
        f"convscope explain {run} IMAGE{trust}   (the arithmetic behind the answer)",
        f"convscope lab {run}{trust}   (a page to look inside)",
    ]
    if data in NAMES:
        next_steps.append("convscope train PATH/TO/IMAGES   (a folder with one folder per class)")
    for number, step in enumerate(next_steps):
        terminal.note(f"{'       ' if number else 'Next:  '}{step}")
