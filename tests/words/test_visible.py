"""What is shown commands and hides nothing, and what need not be changed stays."""

import shutil
import subprocess
import unicodedata
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from convscope.errors import RequestError, shell_word
from convscope.training.callbacks.run_log import RunLog
from convscope.words import escape_html, visible, visible_lines
from convscope.words.aligned import aligned
from convscope.words.screen import Screen

ANY = st.text(st.characters(categories=None))  # halves of characters, too


@given(ANY)
def test_no_control_format_or_half_character_is_left(text):
    shown = visible(text)
    left = {c for c in shown if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")}
    assert not left
    assert not {c for c in shown if unicodedata.bidirectional(c) in BIDI}
    assert visible(shown) == shown
    shown.encode()


BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@pytest.mark.parametrize("code", [*range(0x20), 0x7F, *range(0x80, 0xA0), 0xDC80, 0x202E, 0x2066])
def test_escapes_are_those_of_repr(code):
    assert visible(chr(code)) == repr(chr(code))[1:-1]


@pytest.mark.parametrize(
    "name",
    [
        "naïve café", "猫と犬", "кошка", "قطة", "חתול", "बिल्ली", "แมว", "고양이", "a\u3000b",
        "C:\\new", "👨\u200d👩\u200d👧", "❤\ufe0f\u200d🔥", "می\u200cخواهم", "🇫🇷", "👍🏽",
    ],
)  # fmt: skip
def test_words_of_all_scripts_and_emoji_stay(name):
    assert visible(name) == name


def test_what_hides_between_latin_letters_does_not_stay():
    assert visible("pay\u200dpal\u200b\ufeff\u00ad") == r"pay\u200dpal\u200b\ufeff\xad"


def test_line_breaks_of_several_lines_stay():
    assert visible_lines("a\x1b\nb\r\n") == "a\\x1b\nb\\r\n"


def test_html_is_visible_and_escaped():
    assert escape_html("<b>\x1b'\"&\u202e") == r"&lt;b&gt;\x1b&#x27;&quot;&amp;\u202e"


def test_messages_of_errors_are_one_visible_line():
    assert str(RequestError("no file a\nb\x1b[2J")) == r"no file a\nb\x1b[2J"


@given(st.lists(ANY, min_size=1, max_size=5), st.booleans())
def test_columns_are_as_wide_as_they_look(cells, right):
    shown = aligned(cells, right=right)
    assert len({cell_len(cell) for cell in shown}) == 1
    assert [cell.strip() for cell in shown] == [visible(cell).strip() for cell in cells]


def test_a_name_is_no_markup_emoji_or_command_on_the_screen(capsys):
    Screen().say("[red]:cat:\x1b[1m\na")
    Screen().print("\x1b]0;title\x07")
    assert capsys.readouterr().out == "[red]:cat:\\x1b[1m\\na\n\\x1b]0;title\\x07\n"


RAW = st.binary(min_size=1, max_size=8).map(lambda raw: raw.replace(b"\0", b"'"))


@pytest.mark.skipif(not shutil.which("bash"), reason="bash reads the words")
@given(st.lists(RAW, min_size=1, max_size=30))
@settings(max_examples=30)
def test_a_word_for_the_shell_is_visible_and_gives_the_name(names):
    words = " ".join(shell_word(name.decode("utf-8", "surrogateescape")) for name in names)
    assert visible(words) == words
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {words}"], capture_output=True, check=True
    )
    assert done.stdout.split(b"\0")[:-1] == names


def test_a_line_of_the_log_is_one_visible_line(tmp_path):
    log = RunLog(lambda _line: None)
    log.keep("of a\nclass\x1b[1m")
    log.on_run_start(SimpleNamespace(path=tmp_path, card=SimpleNamespace(task=None)))
    log.keep("caf\udce9")
    log.close()
    lines = (tmp_path / "log.txt").read_text("ascii").split("\n")
    assert lines == [r"of a\nclass\x1b[1m", r"caf\udce9", ""]
