"""The two ways in which a verb fails: the request was wrong, or the work could not be done."""

import difflib
from collections.abc import Iterable


class ConvscopeError(Exception):
    """A failure told in a sentence or two: the thing's name, what is wrong, what to do.

    `status` is the exit status of the command line.
    """

    status = 1


class RequestError(ConvscopeError):
    """What was asked for cannot be meant: a path, an option, a name, a set of data."""

    status = 2


class WorkError(ConvscopeError):
    """The request was right and the work failed: a full disk, a loss of NaN, no network."""


class Interrupted(ConvscopeError):
    """A signal asked for the end; what was done is saved."""

    def __init__(self, message: str, *, signal: int) -> None:
        super().__init__(message)
        self.status = 128 + signal


def nearest(word: str, known: Iterable[str]) -> str:
    """Name what may have been meant: `" Did you mean 'epochs'?"`, or nothing.

    >>> nearest("epoch", ["epochs", "seed"])
    " Did you mean 'epochs'?"
    >>> nearest("zebra", ["epochs", "seed"])
    ''
    """
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
