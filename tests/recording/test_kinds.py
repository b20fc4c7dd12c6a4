"""The table of operation kinds: every row is one that its readers can use, and no other list is."""

import ast
import inspect
import re
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import nn, overrides
from torch.nn import functional as F

import convscope
from convscope import layers
from convscope.explanation.rules import (
    FUNCTIONS,
    activation,
    arithmetic,
    functions,
    linear,
    quantized,
)
from convscope.features.after_activation import _NORMS
from convscope.receptive import EFFECTS, copying
from convscope.recording import KINDS, get_kind
from convscope.recording.kinds import WITHOUT_PRODUCTS, Drawing, FieldEffect, MultiplyAdds, Rule
from convscope.recording.signatures import _kind_of
from convscope.summaries.counts import FORMULAS

CURVES, COMPARISONS, LINEAR = activation._CURVES, arithmetic._COMPARISONS, linear._LINEAR
BENT = quantized._CURVES
EVALUATED = functions.KINDS_OF_FUNCTIONS
ROOT = Path(convscope.__file__).parent
ROWS = [pytest.param(kind, id=kind.name) for kind in KINDS.values()]
LAYERS = {"LRN": "LocalResponseNorm"}  # labels that shorten a layer's name


def test_every_rule_has_a_function_and_explains_a_kind():
    assert set(get_args(Rule)) == set(FUNCTIONS)
    assert set(FUNCTIONS) == {kind.rule for kind in KINDS.values()} - {None}


def test_every_effect_on_fields_has_a_function_and_a_kind():
    assert set(get_args(FieldEffect)) == set(EFFECTS) == {kind.field for kind in KINDS.values()}


@pytest.mark.parametrize(
    ("rule", "details"),
    [
        ("curve", CURVES),
        ("comparison", COMPARISONS),
        ("linear_map", LINEAR),
        ("function", EVALUATED),
        ("quantized_curve", BENT),
    ],
)
def test_a_rule_for_several_kinds_knows_each_of_them(rule, details):
    assert {kind.name for kind in KINDS.values() if kind.rule == rule} == set(details)


def test_no_two_rows_have_the_same_name_or_alias():
    names = Counter(name for kind in KINDS.values() for name in (kind.name, *kind.aliases))
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("kind", ROWS)
def test_a_label_is_the_name_of_a_layer_or_of_the_function(kind):
    candidates = {
        name.rstrip("d").rstrip("123") if name[-2:] in ("1d", "2d", "3d") else name
        for module in (nn, layers)
        for name, layer in vars(module).items()
        if inspect.isclass(layer)
    }
    is_layer = LAYERS.get(kind.label, kind.label) in candidates or kind.label in LAYERS
    is_function = kind.label in {kind.name, kind.name.removeprefix("r"), "attention"}
    assert is_layer or is_function


def packets_of(name):
    """What torch declares by the name."""
    home, _, bare = name.rpartition("::")
    operators = getattr(torch.ops, home or "aten")
    names = (bare, f"linalg_{bare}", f"special_{bare}", f"fft_{bare}", f"_{bare}")
    return [getattr(operators, n) for n in names if hasattr(operators, n)]


def functions_of(name):
    """What torch calls by the name."""
    homes = (F, torch, torch.Tensor, torch.linalg, torch._C._nn)
    return [getattr(home, name) for home in homes if hasattr(home, name)]


@pytest.mark.parametrize("kind", [row for row in ROWS if row.values[0].arguments])
def test_positional_arguments_are_called_as_torch_calls_them(kind):
    """By the overloads that torch declares, or the signature where the function is Python."""
    declared = [
        [argument.name for argument in getattr(packet, overload)._schema.arguments]
        for packet in packets_of(kind.name)
        for overload in packet.overloads()
    ]
    for function in functions_of(kind.name):
        try:
            declared.append(list(inspect.signature(function).parameters))
        except (ValueError, TypeError):  # built in, or a property
            continue
    mine = [name.lstrip("*") for name in kind.arguments]
    mine = [OURS.get(name, name) for name in mine]
    if mine[0] == "bias":  # addmm: what is added, and the two factors
        mine = ["input", "mat1", "other"]
    translated = [[OURS.get(name, name) for name in names] for names in declared]
    assert any(mine == names[: len(mine)] for names in translated) or kind.name in OPERATORS


# Our name of an argument where torch has another, and kinds that are operators of Python.
OURS = {
    "self": "input",
    "mat2": "other",
    "vec": "other",
    "vec1": "mat1",
    "vec2": "other",
    "mat": "mat1",
    "tensor": "other",
    "batch1": "mat1",
    "batch2": "other",
    "train": "training",
    "qx": "tensors",
    "size": "shape",
    "sizes": "shape",
    "sections": "indices_or_sections",
}
OPERATORS = {"getitem", "setitem", "rpow", "rmod", "rfloordiv"}
LISTS = {  # what a rule needs to know of each of its kinds, and lists of other things
    "explanation/rules/activation.py": CURVES,
    "explanation/rules/arithmetic.py": COMPARISONS,
    "explanation/rules/complex_numbers.py": ("abs", "angle", "polar"),  # of complex ones
    "explanation/rules/functions.py": EVALUATED,
    "explanation/rules/linear.py": LINEAR,
    "explanation/rules/quantized.py": BENT,
    "features/after_activation.py": _NORMS,  # rules, of which several are called as their kind
    "receptive/copying.py": (*copying.INDEX_ARGUMENTS, *copying.CONSTANT_ARGUMENTS),
    "recording/aten.py": ("vector_norm", "matrix_norm", "norm", "multi_dot", "cross"),  # of linalg
    "training/callbacks/layer_stats.py": ("mean", "std", "zeros"),  # statistics
    "webapp/jobs/form.py": ("log", "mean", "std"),  # settings
}


OWN_RULES = (
    "lanes", "zoo", "layers",
    "foreign",  # words of Keras and ConvNetJS
    "attribution",  # what relevance does at each kind
)  # fmt: skip


def literal_lists():
    """Every literal in convscope that names several kinds of the table and little else."""
    for path in sorted(ROOT.rglob("*.py")):
        here = path.relative_to(ROOT)
        if here.parts[:2] == ("recording", "kinds") or here.parts[0] in OWN_RULES:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            items = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
            words = [item.value for item in items if isinstance(item, ast.Constant)]
            kinds = [word for word in words if isinstance(word, str) and word in KINDS]
            if len(kinds) > 2 and len(kinds) > len(items) / 2:
                yield here.as_posix(), kinds


def test_no_other_list_of_kinds_exists():
    others = [(path, set(kinds) - set(LISTS.get(path, ()))) for path, kinds in literal_lists()]
    assert [(path, kinds) for path, kinds in others if kinds] == []


def test_arguments_that_movements_treat_apart_are_those_of_movements():
    kinds = {*copying.INDEX_ARGUMENTS, *copying.CONSTANT_ARGUMENTS}
    assert {KINDS[name].rule for name in kinds} == {"move"}


def test_every_formula_of_multiply_adds_has_a_function_and_a_kind():
    formulas = {kind.multiply_adds for kind in KINDS.values()} - {None}
    assert set(get_args(MultiplyAdds)) == set(FORMULAS) == formulas


@pytest.mark.parametrize("drawing", get_args(Drawing))
def test_the_page_draws_or_words_every_kind_of_drawing(drawing):
    scripts = "\n".join(path.read_text() for path in (ROOT / "webapp" / "static").glob("*.js"))
    assert drawing in PLAIN or re.search(rf"""["']{drawing}["']|\b{drawing}:""", scripts)


PLAIN = {"other", "activation"}  # boxes that the page words by their labels


def test_functions_without_products_are_functions_of_torchs():
    functions = overrides.get_overridable_functions().values()
    known = {_kind_of(function) for several in functions for function in several}
    assert known | {"pack_padded_sequence", "pad_packed_sequence"} >= WITHOUT_PRODUCTS
    assert get_kind("argwhere").multiply_adds is None
    assert get_kind("cholesky").multiply_adds == "unknown"


def test_a_kind_without_a_row_is_still_a_kind():
    kind = get_kind("qr")
    assert (kind.label, kind.rule, kind.field) == ("qr", None, "full_field")
