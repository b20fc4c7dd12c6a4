"""The command line: one module per command, imported when the command is run."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cyclopts import App, CycloptsError

from convscope import __version__
from convscope.cli.messages import in_flags, renamed_flag
from convscope.errors import ConvscopeError, RequestError, nearest

COMMANDS = {
    "train": "Train a network on labeled images.",
    "resume": "Resume an interrupted training exactly where it stopped.",
    "evaluate": "Measure the accuracy of a trained network.",
    "predict": "Classify images with a trained network.",
    "summary": "Print a network's layers, shapes and parameters as the lecture's table.",
    "explain": "Show the exact arithmetic behind one unit of a network for an image.",
    "lab": "Open a web page to inspect networks, train, compare runs and learn.",
    "models": "List the available networks, paper by paper.",
    "geometry": "Solve the lecture's exercises: output size, padding, parameters, multiply-adds.",
}


def make_app(command: str = "") -> App:
    """The command line as an object; no command is imported yet.

    The help of `command`, the one that is run, is its docstring.
    """
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
        app.command(f"convscope.cli.{name}:{name}", name=name, help=about, sort_key=number)
    return app


def main(words: Sequence[str] | None = None) -> NoReturn:
    """Run one command line; exit with 0, 1 if the work failed, 2 if the request was wrong."""
    tokens = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in tokens
    tokens = [word for word in tokens if word != "--debug"]
    try:
        _run(tokens)
    except CycloptsError as error:
        _print_error(renamed_flag(tokens) or _with_help(error, tokens))
        sys.exit(2)
    except ConvscopeError as error:
        if debug:
            raise
        _print_error(in_flags(str(error)))
        sys.exit(error.status)
    except KeyboardInterrupt:
        _print_error("Interrupted.")
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe has gone; Python would complain at exit
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        _print_error(
            f"{type(error).__name__}: {error}. This is a bug in convscope; --debug shows where."
        )
        sys.exit(1)
    sys.exit(0)


def _run(tokens: list[str]) -> None:
    app = make_app(tokens[0] if tokens else "")
    if tokens and not tokens[0].startswith("-") and tokens[0] not in COMMANDS:
        raise RequestError(
            f"There is no command {tokens[0]!r}.{nearest(tokens[0], COMMANDS)} "
            f"Commands: {', '.join(COMMANDS)}."
        )
    if tokens and tokens[0] == "train":
        from convscope.cli.config import take_config  # noqa: PLC0415

        tokens, app.config = take_config(tokens)
    app(tokens, exit_on_error=False, print_error=False, result_action="return_value")


def _with_help(error: CycloptsError, tokens: Sequence[str]) -> str:
    command = f"convscope {tokens[0]}" if tokens and tokens[0] in COMMANDS else "convscope"
    return f"{' '.join(str(error).split())} See `{command} --help`."


def _print_error(message: str) -> None:
    program = Path(sys.argv[0]).name if sys.argv[0].endswith("convscope") else "convscope"
    print(f"{program}: {message}", file=sys.stderr)  # noqa: T201
