"""A card survives its file, and refuses to be nonsense."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convscope.card import Card
from convscope.errors import RequestError

CARD = Card(
    classes=("cataract", "glaucoma", "naïve ✓"),
    input_size=(32, 48),
    in_channels=3,
    resize_mode="crop",
    mean=(0.1, 0.2, 0.3),
    std=(1.0, 0.5, 0.25),
    provenance={"network": "tinyvgg"},
)


def test_a_card_comes_back_from_json_as_it_was():
    assert Card.from_json(CARD.to_json()) == CARD


def test_a_card_says_how_the_center_is_cut_out():
    card = replace(CARD, resize_size=48, interpolation="bicubic")
    assert Card.from_json(card.to_json()) == card
    with pytest.raises(RequestError, match="resize_mode='pad'"):
        replace(card, resize_mode="pad")


def test_a_card_from_before_there_was_a_resize_reads_as_it_did():
    fields = json.loads(CARD.to_json())
    del fields["resize_size"], fields["interpolation"]
    assert Card.from_json(json.dumps(fields)) == CARD


@given(st.lists(st.text(), min_size=2, max_size=5, unique=True))
def test_any_class_names_survive(names):
    card = replace(CARD, classes=tuple(names))
    assert Card.from_json(card.to_json()).classes == tuple(names)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("classes", ["one"], "two classes"),
        ("classes", ["a", "a"], "twice"),
        ("input_size", [0, 3], "impossible size"),
        ("in_channels", 4, "4 channels"),
        ("resize_mode", "squash", "squash"),
        ("resize_size", 47, r"cuts \(32, 48\) out of pictures with a shorter side of 47"),
        ("interpolation", "nearest", "interpolation='nearest'"),
        ("to_gray", "mean", "to_gray='mean'"),
        ("to_color", "jet", "to_color='jet'"),
        ("mean", [0.0], "one mean per channel"),
        ("std", [1.0, 0.0, 1.0], "above zero"),
        ("std", [1.0, float("nan"), 1.0], "no number"),
        ("version", 2, "version 2"),
        ("extra", 1, "not a card"),
    ],
)
def test_nonsense_is_refused_by_name(field, value, told):
    fields = {**json.loads(CARD.to_json()), field: value}
    with pytest.raises(RequestError, match=told):
        Card.from_json(json.dumps(fields), where="runs/x/card.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"version": 1}', "{"])
def test_what_is_no_card_is_refused_with_its_path(text):
    with pytest.raises(RequestError, match=r"runs/x/card\.json"):
        Card.from_json(text, where="runs/x/card.json")
