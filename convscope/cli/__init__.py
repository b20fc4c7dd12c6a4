"""The command line: one module per command, imported when the command is run."""

import os
import re
import sys
from collections.abc import Sequence
from traceback import format_exception
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

from convscope import synonyms
from convscope.cli.broken_torch import broken_torch
from convscope.cli.messages import in_flags
from convscope.errors import (
    ConsentError,
    ConvscopeError,
    RequestError,
    ToldError,
    nearest,
    shell_word,
)
from convscope.signals import exit_with, print_error
from convscope.startup import collect_again, exported_folder
from convscope.version import __version__
from convscope.words import visible_lines

if TYPE_CHECKING:
    from cyclopts import App

COMMANDS = {
    "train": "Train a network on labeled images.",
    "lr-find": "Try learning rates on a network, and suggest one to train it at.",
    "resume": "Resume a training exactly where it stopped, or train it for longer.",
    "tune": "Search for settings by trials on the validation images.",
    "evaluate": "Measure the accuracy of a trained network.",
    "calibrate": "Fit a temperature, so that a network's probabilities mean what they say.",
    "decide": "Choose what a network answers: from which probability on, by costs, or not at all.",
    "compare": "Compare trained runs: settings, figures with intervals, paired tests, costs.",
    "robustness": "Measure a trained network on corrupted, shifted, turned and scaled images.",
    "predict": "Classify images with a trained network.",
    "summary": "Print a network's layers, shapes and parameters as the lecture's table.",
    "explain": "Show the exact arithmetic behind one unit of a network for an image.",
    "maps": "Draw the activation maps of a network's layers for an image.",
    "filters": "Draw the weights of a network's filters, with norms and twins.",
    "patches": "Find the image patches that excite each filter of a network most.",
    "hierarchy": "Show what classes are made of: filters level by level, each with its parts.",
    "attribute": "Show which parts of images an answer rests on, and how far to trust that.",
    "localize": "Find the objects that a classifier names, and score their boxes.",
    "intervene": "Change units, maps or weights inside a network, and see its answers change.",
    "synthesize": "Compute the images that excite units most, or that a layer cannot tell apart.",
    "embed": "Draw a map of images by what a layer makes of them, and find the nearest ones.",
    "probes": "Measure how well a linear classifier tells the classes from each layer.",
    "redundancy": "Find filters that detect the same pattern, and dead ones, over a data set.",
    "prune": "Remove filters from a trained network, fine-tune it, and compare the two.",
    "study": "Measure a claim of the lecture on your data: sharing, pooling, depth, filters.",
    "lab": "Open a web page to inspect networks, train, compare runs and learn.",
    "course": "Write the lessons and their exercises as a page that needs no install.",
    "check": "Find what is wrong with a data set before training on it.",
    "export": "Write a network for other programs, once it answers as PyTorch does.",
    "serve": "Classify images over HTTP with an exported network, without PyTorch.",
    "data": "List the named data sets, describe one, or draw how its images are augmented.",
    "models": "List the available networks, paper by paper.",
    "recipes": "List papers' recipes for training, or describe one.",
    "history": "Show the winners of ILSVRC by year, beside your own figure.",
    "geometry": "Solve the lecture's exercises: output size, padding, parameters, multiply-adds.",
}


_LATE = ("train", "lr-find", "resume", "evaluate", "calibrate", "decide", "predict")
"""Commands that import what does their work once the request is known to be well-formed."""


def make_app(command: str = "") -> "App":
    """The command line as an object; no command is imported yet.

    The help of `command`, the one that is run, is its docstring.
    """
    from cyclopts import App  # noqa: PLC0415 -- see `_predict_without_options`

    app = App(
        name="convscope",
        version=__version__,
        help="A workbench for convolutional networks.\n\n`convscope train` trains LeNet-5 on real "
        "handwritten digits in seconds. `convscope COMMAND --help` describes a command. With "
        "--debug, any command shows the traceback of an error.",
        help_format="markdown",
    )
    for number, (name, sentence) in enumerate(COMMANDS.items()):
        about = None if name == command else sentence
        word = name.replace("-", "_")
        app.command(f"convscope.cli.{word}:{word}", name=name, help=about, sort_key=number)
    return app


def main(words: Sequence[str] | None = None) -> NoReturn:
    """Run one command line; exit with 0, 1 if the work failed, 2 if the request was wrong."""
    tokens = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in tokens
    if debug:
        sys.excepthook = _print_traceback
    tokens = [word for word in tokens if word != "--debug"]
    try:
        _run(tokens)
        sys.stdout.flush()
    except ToldError as error:
        sys.exit(error.status)
    except ConvscopeError as error:
        if debug:
            raise
        remedies = _remedies(error, tokens) if isinstance(error, ConsentError) else []
        exit_with(error.status, in_flags(str(error)), *remedies)
    except KeyboardInterrupt:
        exit_with(130, "Interrupted by SIGINT.")
    except BrokenPipeError:  # the reader of a pipe has gone; Python would complain at exit
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if problem := _parse_problem(error):
            exit_with(2, problem)
        if debug:
            raise
        exit_with(1, broken_torch(error) or _unforeseen(error))
    sys.exit(0)


def _parse_problem(error: Exception) -> str:
    """What does not parse, if an error says so; its module may not have been imported."""
    if "cyclopts" not in sys.modules:
        return ""
    from cyclopts import CycloptsError  # noqa: PLC0415 -- see `_predict_without_options`

    from convscope.cli.parse_errors import parse_error  # noqa: PLC0415

    return parse_error(error) if isinstance(error, CycloptsError) else ""


def _unforeseen(error: Exception) -> str:
    """What is said of an error that no part of convscope explains."""
    if isinstance(error, OSError) and error.strerror:
        where = f" {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
        return f"The system refused{where}: {error.strerror}. --debug shows where."
    return f"{type(error).__name__}: {error}. This is a bug in convscope; --debug shows where."


def _print_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """A traceback whose messages, which may quote names, command nothing."""
    sys.stderr.write(visible_lines("".join(format_exception(kind, error, trace))))


def _run(tokens: list[str]) -> None:
    tokens = _with_command(tokens)
    if _predict_without_options(tokens):
        return
    command = tokens[0] if tokens else ""
    app = make_app(command)
    if command in COMMANDS:
        tokens = [command, *_in_our_words(app, command, tokens[1:])]
    if command in ("train", "lr-find"):
        from convscope.cli.config import read_config_flag  # noqa: PLC0415

        app.config = read_config_flag(tokens, command)
    if command not in _LATE:
        collect_again()
    app(tokens, exit_on_error=False, print_error=False, result_action="return_value")


def _predict_without_options(tokens: Sequence[str]) -> bool:
    """Do `predict EXPORTED IMAGE...`, for which the parser takes as long as an engine to start.

    False for any other command line.
    """
    is_plain = len(tokens) > 2 and not any(token.startswith("-") for token in tokens)
    if not is_plain or not exported_folder(tokens[:2]):
        return False
    from convscope.cli.printed_predictions import print_predictions  # noqa: PLC0415
    from convscope.distributed.launch import is_first  # noqa: PLC0415
    from convscope.evaluation.predict import predict  # noqa: PLC0415

    collect_again()
    predictions = predict(tokens[1], tokens[2:], top=3)
    if is_first():
        print_predictions(predictions, "table")
    return True


def _with_command(tokens: list[str]) -> list[str]:
    """The command by our name; RequestError where it is none. `help train` is `train --help`."""
    match tokens:
        case ["help", *others]:
            return [*_with_command(others[:1]), "--help"]
        case ["version", *_]:
            return ["--version"]
        case [str(name), *others] if not name.startswith("-") and name not in COMMANDS:
            if found := synonyms.command(name):
                return [found, *others]
            raise RequestError(
                f"There is no command {name!r}.{nearest(name, COMMANDS)} "
                f"Commands: {', '.join(COMMANDS)}."
            )
        case _:
            return tokens


def _in_our_words(app: "App", command: str, tokens: list[str]) -> list[str]:
    """What follows a command, with our flags and values; notes are printed."""
    if {"--help", "-h"} & set(tokens):
        return ["--help"]
    from convscope.cli import arguments  # noqa: PLC0415 -- not for --help and --version

    collection = app[command].assemble_argument_collection()
    exact = {name for argument in collection for name in argument.names if name.startswith("-")}

    def owner(flag: str) -> str | None:
        others = (name for name in COMMANDS if name != command)
        return next((name for name in others if flag in _flags(app, name)), None)

    translated, notes = arguments.translate(
        command, tokens, arguments.options_of(collection), exact | {"--version"}, owner
    )
    for note in notes:
        print_error(in_flags(note))
    return translated


def _flags(app: "App", command: str) -> set[str]:
    collection = app[command].assemble_argument_collection()
    return {name for argument in collection for name in argument.names}


def _remedies(error: ConsentError, tokens: Sequence[str]) -> list[str]:
    """The same command with what would allow it, to be copied."""
    command = " ".join(map(shell_word, ("convscope", *tokens)))
    is_plain = re.fullmatch(r"[\w.]+:[\w.]+", error.own) is not None
    takes_model = "lab" not in tokens[:1]
    flags = (
        ["--trust"] * error.trust,
        [f"--{error.setting}", error.own] * (is_plain and takes_model),
    )
    return [f"{command} {' '.join(words)}" for words in flags if words]
