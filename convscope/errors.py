"""Two kinds of failure: the request was wrong, or the work could not be done."""

import difflib
import os
import re
import shlex
from collections.abc import Iterable

from convscope.words import visible


class ConvscopeError(Exception):
    """A failure, explained in a sentence or two: what it is about, what is wrong, what to do.

    Keyword arguments stand in backticks in the message, as in "`lr` must be above 0"; the command
    line shows them as flags. What a name in it could command a terminal to do is written out.
    `status` is its exit status.
    """

    status = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(visible(message))


class RequestError(ConvscopeError):
    """The request is invalid: a path, an option, a name, a data set."""

    status = 2


class NetworkError(RequestError):
    """Somebody's network failed in its own code, or returned what cannot be used."""


class ConsentError(RequestError):
    """A run would execute code, or fetch a file, and nobody has allowed that.

    `trust` says whether `trust=True` would allow it, `own` what `setting` would name instead.
    """

    def __init__(
        self, message: str, *, trust: bool = False, own: str = "", setting: str = "model"
    ) -> None:
        super().__init__(message)
        self.trust, self.own, self.setting = trust, own, setting


class WorkError(ConvscopeError):
    """The request was valid, but the work failed: a full disk, a loss of NaN, no network."""


class Interrupted(ConvscopeError):
    """A signal ended the work; what was done is saved."""

    def __init__(self, message: str, *, signal: int) -> None:
        super().__init__(message)
        self.status = 128 + signal


class LostProcessError(WorkError):
    """Another of the processes that work together failed, ended or does not answer.

    `is_told` says whether rank 0 is there to tell the user.
    """

    is_told = False


class ToldError(ConvscopeError):
    """This process ends as another one has told the user already; with the status of `error`."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.status = error.status if isinstance(error, ConvscopeError) else 1


def shell_word(value: str | os.PathLike[str]) -> str:
    r"""A path or a text as one word of a command line, to be copied: in quotes where it needs them.

    Control characters, and bytes that are not UTF-8, are written as bash and zsh read them. On
    Windows, the quotes are those that both cmd.exe and PowerShell understand.

    >>> shell_word("runs/a"), shell_word("my runs/a"), shell_word("it's\n")
    ('runs/a', "'my runs/a'", "$'it\\'s\\x0a'")
    """
    text = os.fspath(value)
    if os.name == "nt":
        return f'"{text}"' if re.search(r"[^\w.:\\/-]", text) else text
    if visible(text) == text:
        return shlex.quote(text)
    return f"$'{''.join(map(_in_dollar_quotes, text))}'"


def _in_dollar_quotes(letter: str) -> str:
    if letter in "\\'":
        return f"\\{letter}"
    if visible(letter) == letter:
        return letter
    is_byte = "\udc80" <= letter <= "\udcff"
    code = letter.encode("utf-8", "surrogateescape" if is_byte else "surrogatepass")
    return "".join(rf"\x{byte:02x}" for byte in code)


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the known word that is closest in spelling, or nothing if none is close.

    Case and the hyphens before a flag do not count.

    >>> nearest("epoch", ["epochs", "seed"])
    " Did you mean 'epochs'?"
    >>> nearest("zebra", ["epochs", "seed"])
    ''
    """
    bare = {one.lstrip("-").casefold(): one for one in known}
    close = difflib.get_close_matches(word.lstrip("-").casefold(), list(bare), n=1)
    return f" Did you mean {bare[close[0]]!r}?" if close else ""
