"""Text as it is shown: what would move a cursor or hide itself is written out."""

import re
from html import escape

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # controls: ESC begins a terminal's commands
    "\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f"  # what turns or hides the text around it
    "\ud800-\udfff]"  # halves of characters; as such, Python has the bytes that are not UTF-8
    "|(?<![^\x00-\x7f\u200c\u200d])[\u200c\u200d]"  # joiners, save between letters that they join
    "|[\u200c\u200d](?![^\x00-\x7f\u200c\u200d])"
)
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: object) -> str:
    r"""Text on one line, without what could command a terminal, or turn or hide other text.

    Such characters are written as in Python's `repr`: control characters as `\n`, `\x1b`, marks
    that turn the direction of text, invisible spaces and line separators as `\u202e`, bytes of a
    file name that are not UTF-8 as `\udce9`. Letters, signs and emoji of all scripts stay.

    >>> visible("\x1b[31mred\n"), visible("cat\u202egpj.exe"), visible("caf\udce9")
    ('\\x1b[31mred\\n', 'cat\\u202egpj.exe', 'caf\\udce9')
    """
    return _HIDDEN.sub(lambda match: escaped(match[0]), str(text))


def visible_lines(text: str) -> str:
    """`visible`, for text of several lines, whose names were made visible before."""
    return "\n".join(map(visible, text.split("\n")))


def escape_html(text: object) -> str:
    """`visible` text for HTML and SVG, in quotes as well."""
    return escape(visible(text))


def escaped(letter: str) -> str:
    """One character as Python's `repr` writes one that cannot be printed."""
    code = ord(letter)
    if letter in _SHORT:
        return _SHORT[letter]
    if code < 0x100:
        return rf"\x{code:02x}"
    return rf"\u{code:04x}" if code < 0x10000 else rf"\U{code:08x}"
