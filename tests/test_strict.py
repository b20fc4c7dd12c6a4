"""JSON and TOML are taken as they are stated, and in no other form."""

import json
from typing import Annotated, Literal, Required, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.errors import RequestError
from convscope.strict import Between, checked, parse_json, parse_toml

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text() | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_what_json_writes_is_read_back(value):
    assert parse_json(json.dumps(value), where="a") == json.loads(json.dumps(value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' comes twice"),
        ("[NaN]", "NaN is no number"),
        ("[-Infinity]", "-Infinity is no number"),
        ("[" * 2000 + "]" * 2000, "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
        ("[" * 21 + "]" * 21, "nested too deeply"),
        ("9" * 5000, "not valid JSON"),
        ('"\\ud800"', "not valid JSON"),
        ("\ufeff{}", "not valid JSON"),
        ("", "not valid JSON"),
        ("{'a': 1}", "not valid JSON"),
    ],
)
def test_other_texts_are_no_json(text, message):
    with pytest.raises(RequestError, match=message) as caught:
        parse_json(text, where="runs/a/test.json")
    assert str(caught.value).startswith("runs/a/test.json ")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "text",
    ["a = 1\na = 2", "a = " + "[" * 2000 + "]" * 2000, "a." * 2000 + "b = 1", "\ufeffa = 1", "a"],
)
def test_other_texts_are_no_toml(text):
    with pytest.raises(RequestError, match=r"runs/a/config\.toml"):
        parse_toml(text, where="runs/a/config.toml")


class Inner(TypedDict):
    threads: Annotated[int, Between(1, 64)]


class Form(TypedDict, total=False):
    name: Required[Annotated[str, Between(1)]]
    size: tuple[int, int]
    mean: tuple[float, ...] | None
    kind: Literal["a", 1]
    by_name: dict[str, list[bool]]
    inner: Inner


def test_a_value_of_the_form_is_taken_with_tuples_and_floats():
    given = {"name": "x", "size": [3, 4], "mean": [1], "kind": 1, "inner": {"threads": 2}}
    found = checked(given, Form, where="f")
    assert found == {**given, "size": (3, 4), "mean": (1.0,)}
    assert isinstance(found["mean"][0], float)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "name must be text that is not empty, not ''"),
        ({"name": None}, "name must be text that is not empty, not None"),
        ({"size": [3]}, r"size must be a list of 2 integers, not \[3\]"),
        ({"size": [3, 4.0]}, r"size\[1\] must be an integer, not 4.0"),
        ({"size": [3, True]}, r"size\[1\] must be an integer, not True"),
        ({"size": "34"}, "size must be a list of 2 integers, not '34'"),
        ({"mean": "34"}, "mean must be a list of numbers or null, not '34'"),
        ({"mean": [float("nan")]}, r"mean\[0\] must be a number, not nan"),
        ({"mean": [1e309]}, r"mean\[0\] must be a number, not inf"),
        ({"mean": [10**400]}, r"mean\[0\] must be a number, not 1000000"),
        ({"mean": [False]}, r"mean\[0\] must be a number, not False"),
        ({"kind": True}, "kind must be 'a' or 1, not True"),
        ({"by_name": {"k": [1]}}, r"by_name\.k\[0\] must be true or false, not 1"),
        ({"by_name": []}, r"by_name must be a table, not \[\]"),
        ({"inner": {"threads": 65}}, "inner.threads must be an integer between 1 and 64, not 65"),
        ({"inner": {}}, "has no inner.threads"),
        ({"\x1b": 1}, "unknown key '.x1b'"),
        ({"name": "\x1b" * 9999, "kind": 2}, "kind must be"),
    ],
)
def test_any_other_value_is_refused_by_its_key(change, message):
    with pytest.raises(RequestError, match=message) as caught:
        checked({"name": "x", **change}, Form, where="f", closed=True)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200
