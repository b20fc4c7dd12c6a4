"""A card survives its file and refuses invalid values."""

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


def test_json_round_trip():
    assert Card.from_json(CARD.to_json()) == CARD


def test_resize_size_needs_crop():
    card = replace(CARD, resize_size=48, interpolation="bicubic")
    assert Card.from_json(card.to_json()) == card
    with pytest.raises(RequestError, match="resize_mode='pad'"):
        replace(card, resize_mode="pad")


def test_missing_fields_have_their_defaults():
    fields = json.loads(CARD.to_json())
    del fields["resize_size"], fields["interpolation"]
    assert Card.from_json(json.dumps(fields)) == CARD


def test_a_card_of_version_1_reads_images_whole():
    fields = json.loads(replace(CARD, reading="fast").to_json())
    assert Card.from_json(json.dumps(fields)).reading == "fast"
    del fields["reading"]
    assert Card.from_json(json.dumps({**fields, "version": 1})) == CARD
    assert CARD.reading == "whole"


def test_a_card_of_version_3_has_no_temperature_and_no_thresholds():
    fields = json.loads(CARD.to_json())
    assert (fields.pop("temperature"), fields.pop("thresholds")) == (1.0, None)
    assert Card.from_json(json.dumps({**fields, "version": 3})) == CARD


def test_a_card_of_version_4_has_no_rules():
    fields = json.loads(CARD.to_json())
    rules = ("operating_point", "costs", "abstention", "prediction_sets")
    assert {fields.pop(name) for name in rules} == {None}
    assert Card.from_json(json.dumps({**fields, "version": 4})) == CARD


def test_labels_have_their_own_thresholds_or_one_half():
    labels = replace(CARD, task="multi-label")
    assert set(labels.label_thresholds) == {0.5}
    own = tuple(0.1 + 0.5 / len(CARD.classes) * k for k in range(len(CARD.classes)))
    assert replace(labels, thresholds=own).label_thresholds == own


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"temperature": 0.0}, "impossible temperature"),
        ({"temperature": 2.0, "output": "probabilities"}, "which is for logits"),
        ({"thresholds": (0.5,) * 3}, "they are for task='multi-label'"),
        ({"thresholds": (0.5,), "task": "multi-label"}, "one above 0 and below 1 for each class"),
    ],
)
def test_impossible_temperatures_and_thresholds_are_told(changes, problem):
    with pytest.raises(RequestError, match=problem):
        replace(CARD, **changes)


def test_a_card_of_version_2_is_of_one_class_for_each_image():
    fields = json.loads(replace(CARD, task="ordinal").to_json())
    assert Card.from_json(json.dumps(fields)).task == "ordinal"
    del fields["task"]
    assert Card.from_json(json.dumps({**fields, "version": 2})) == CARD
    assert CARD.task == "single-label"


@given(st.lists(st.text(), min_size=2, max_size=5, unique=True))
def test_any_class_names_round_trip(names):
    card = replace(CARD, classes=tuple(names))
    assert Card.from_json(card.to_json()).classes == tuple(names)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("classes", ["one"], "at least two classes"),
        ("classes", ["a", "a"], "two classes of one name"),
        ("input_size", [0, 3], "impossible input_size"),
        ("in_channels", 4, "in_channels must be 1 or 3, not 4"),
        ("resize_mode", "squash", "squash"),
        ("resize_size", 47, r"crops \(32, 48\) from images with a shorter side of 47"),
        (
            "interpolation",
            "nearest",
            "interpolation must be 'bilinear' or 'bicubic', not 'nearest'",
        ),
        ("to_gray", "mean", "to_gray must be 'luma-601', not 'mean'"),
        ("to_color", "jet", "to_color must be 'repeat', not 'jet'"),
        ("mean", [0.0], "one mean per channel"),
        ("std", [1.0, 0.0, 1.0], "above zero"),
        ("std", [1.0, float("nan"), 1.0], "NaN is no number"),
        ("std", [1.0, 1e300, 1.0], r"std\[1\] must be a number"),
        ("std", [1.0, 1e200, 1.0], "from 1e-06 to 1000"),
        ("mean", [0.0, 0.0, 1001], "from -1000 to 1000"),
        ("mean", "0.5", "mean must be a list of numbers, not '0.5'"),
        ("classes", "abc", "classes must be a list of texts, not 'abc'"),
        ("classes", ["a", 1], r"classes\[1\] must be text, not 1"),
        ("input_size", [32], "input_size must be a list of 2 integers"),
        ("input_size", [32.0, 32], r"input_size\[0\] must be an integer, not 32.0"),
        ("input_size", [True, 32], r"input_size\[0\] must be an integer, not True"),
        ("input_size", [10**9, 10**9], "impossible input_size"),
        ("input_size", [99_999, 99_999], "at most 16,777,216 pixels"),
        ("value_range", [0, 10**30], "impossible value_range"),
        ("resize_size", 10**9, "impossible resize_size"),
        ("provenance", {"network": 1}, "provenance.network must be text, not 1"),
        ("reading", "quick", "reading must be 'whole' or 'fast', not 'quick'"),
        ("task", "multilabel", "task must be 'single-label' or 'multi-label' or 'ordinal'"),
        ("version", 7, "version 7; this convscope reads 1 to 6"),
        ("version", 0, "version 0"),
        ("extra", 1, "unknown key 'extra'"),
    ],
)
def test_invalid_values_are_refused_by_name(field, value, message):
    fields = {**json.loads(CARD.to_json()), field: value}
    with pytest.raises(RequestError, match=message):
        Card.from_json(json.dumps(fields), where="runs/x/card.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"version": 1}', "{"])
def test_other_text_is_refused_with_its_path(text):
    with pytest.raises(RequestError, match=r"runs/x/card\.json"):
        Card.from_json(text, where="runs/x/card.json")
