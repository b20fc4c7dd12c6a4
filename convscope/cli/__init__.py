"""The command line: one module per verb, each imported when it is called."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cyclopts import App, CycloptsError

from convscope import __version__
from convscope.errors import ConvscopeError, nearest

VERBS = {
    "train": "Train a network on labeled images.",
    "resume": "Go on with a training exactly where it stopped.",
    "evaluate": "Measure how good a trained network is.",
    "predict": "Label images with a trained network.",
    "summary": "Print the lecture's table of any network.",
    "explain": "Show the exact arithmetic behind one unit of a network on an image.",
    "lab": "Open a page in which to look inside networks.",
    "models": "List the networks that there are, paper by paper.",
    "geometry": "Answer the lecture's exercises: sizes, padding, parameters, multiply-adds.",
}


def make_app() -> App:
    """The command line as an object; no verb is imported yet."""
    app = App(
        name="convscope",
        version=__version__,
        help="A workbench for convolutional networks.\n\n`convscope train` trains LeNet-5 on real "
        "handwritten digits in seconds; `convscope VERB --help` tells more of a verb. Every verb "
        "takes --debug, which shows the traceback of an error.",
        help_format="markdown",
    )
    for verb, sentence in VERBS.items():
        app.command(f"convscope.cli.{verb}:{verb}", name=verb, help=sentence)
    return app


def main(words: Sequence[str] | None = None) -> NoReturn:
    """Run one command line; exit with 0, 1 where the work failed, 2 where the request was wrong."""
    tokens = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in tokens
    tokens = [word for word in tokens if word != "--debug"]
    try:
        _run(tokens)
    except CycloptsError as error:
        _say(_told(error, tokens))
        sys.exit(2)
    except ConvscopeError as error:
        if debug:
            raise
        _say(str(error))
        sys.exit(error.status)
    except KeyboardInterrupt:
        _say("Interrupted; nothing was changed since the last thing that was said.")
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe has gone; Python would complain at exit
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        _say(f"{type(error).__name__}: {error}. This is a fault of convscope; --debug shows where.")
        sys.exit(1)
    sys.exit(0)


def _run(tokens: list[str]) -> None:
    app = make_app()
    if tokens and not tokens[0].startswith("-") and tokens[0] not in VERBS:
        from convscope.errors import RequestError  # noqa: PLC0415

        raise RequestError(
            f"There is no verb {tokens[0]!r}.{nearest(tokens[0], VERBS)} Verbs: {', '.join(VERBS)}."
        )
    if tokens and tokens[0] == "train":
        from convscope.cli.config import take_config  # noqa: PLC0415

        tokens, app.config = take_config(tokens)
    app(tokens, exit_on_error=False, print_error=False, result_action="return_value")


def _told(error: CycloptsError, tokens: Sequence[str]) -> str:
    sentence = " ".join(str(error).split())
    return f"{sentence} See `convscope {tokens[0] if tokens else ''} --help`."


def _say(sentence: str) -> None:
    program = Path(sys.argv[0]).name if sys.argv[0].endswith("convscope") else "convscope"
    print(f"{program}: {sentence}", file=sys.stderr)  # noqa: T201
