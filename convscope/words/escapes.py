r"""Text in files, for programs of any kind: valid Unicode, and read back to the same text.

A byte of a file name that is not UTF-8, which Python has as the half of a character, is written as
the six signs `\udce9`, and every backslash of that text is doubled. Texts without such bytes stay
as they are; only one that looks as if it had been escaped has its backslashes doubled, too.
"""

import re

_CONTROL = "\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
_HALVES = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile(f"[{_CONTROL}\ud800-\udfff]")
_ESCAPE = re.compile(r"\\u([0-9a-f]{4})")
_ESCAPE_OR_BACKSLASH = re.compile(r"\\(?:\\|u([0-9a-f]{4}))")


def escape_halves(text: str) -> str:
    r"""Text that is valid Unicode: `caf\udce9` for a byte that is not UTF-8.

    >>> escape_halves("caf\udce9"), escape_halves("C:\\new"), escape_halves("\\udce9")
    ('caf\\udce9', 'C:\\new', '\\\\udce9')
    """
    return _escape(text, _HALVES)


def escape_controls(text: str) -> str:
    r"""The same, with control characters and what turns or hides text as `\u001b`, `\u202e`."""
    return _escape(text, _CONTROLS)


def unescape(text: str) -> str:
    r"""The text that `escape_halves` or `escape_controls` wrote.

    >>> unescape("caf\\udce9").encode("utf-8", "surrogateescape")
    b'caf\xe9'
    """
    if not _looks_escaped(text):
        return text
    return _ESCAPE_OR_BACKSLASH.sub(lambda m: chr(int(m[1], 16)) if m[1] else "\\", text)


def _escape(text: str, needs: re.Pattern[str]) -> str:
    if not needs.search(text) and not _looks_escaped(text):
        return text
    return needs.sub(lambda m: rf"\u{ord(m[0]):04x}", text.replace("\\", r"\\"))


def _looks_escaped(text: str) -> bool:
    """Whether a text holds what stands for a byte or a control character, escaped or by chance."""
    return any(_CONTROLS.match(chr(int(match[1], 16))) for match in _ESCAPE.finditer(text))
