"""JSON that strict readers take, and that gives every name back."""

import json
import math
import shutil
import subprocess
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.words.escapes import escape_controls, escape_halves, unescape
from convscope.words.json_text import originals, to_json

HALVES = st.text(st.sampled_from("\udc80\udce9\udcff\ud83d\\u0dce9aé猫\n\u202e"))
TEXT = st.one_of(HALVES, st.text())
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXT, inner)),
    max_leaves=12,
)


def without_nan(value):
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list():
            return [without_nan(item) for item in value]
        case dict():
            return {name: without_nan(item) for name, item in value.items()}
    return value


def refuse(name):
    raise AssertionError(name)


@given(VALUES)
def test_any_value_is_strict_json_and_comes_back(value):
    text = to_json(value)
    assert json.loads(text.encode().decode("utf-8"), parse_constant=refuse) is not ...
    assert not {c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")}
    assert originals(json.loads(text)) == without_nan(value)


@given(TEXT)
def test_an_escaped_name_is_valid_text_and_gives_the_name(name):
    for escape in (escape_halves, escape_controls):
        assert unescape(escape(name)) == name
        escape(name).encode()


@given(st.binary())
def test_the_bytes_of_a_file_name_come_back(raw):
    name = raw.decode("utf-8", "surrogateescape")
    read = json.loads(to_json([name]).encode().decode())
    assert unescape(read[0]).encode("utf-8", "surrogateescape") == raw


def test_names_that_need_no_escape_have_none():
    for name in ("C:\\Users\\x86\\ubuntu\\uface.png", "café", "猫\n", "a\\b\\\\c"):
        assert json.loads(to_json(name)) == name


HARD = {
    "nan": math.nan,
    "all": [math.inf, -math.inf, 1e-320],
    "caf\udce9\ud83d": "\udcff\x1b\u2028\\udcff",
}


@pytest.mark.parametrize("reader", ["node", "jq"])
def test_other_programs_read_it(reader):
    if not shutil.which(reader):
        pytest.skip(f"{reader} is not installed")
    code = "process.stdout.write(JSON.stringify(JSON.parse(require('fs').readFileSync(0, 'utf8'))))"
    words = [reader, "-e", code] if reader == "node" else [reader, "-c", "."]
    done = subprocess.run(words, input=to_json(HARD).encode(), capture_output=True, check=True)
    read = originals(json.loads(done.stdout))
    assert read == without_nan(HARD)
