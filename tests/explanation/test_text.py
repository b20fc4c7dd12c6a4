"""What people read: aligned matrices, sums folded honestly, columns, HTML, JSON."""

import json
import math
import re
from collections import OrderedDict

import pytest
import torch
from torch import nn

from convscope.explanation.field import ReceptiveField
from convscope.explanation.recording import record
from convscope.explanation.rendering.text import im2col_text
from tests.lecture.test_worked_example import FILTER, IMAGE, numbers
from tests.recording.test_recording import Do

MINUS = "\N{MINUS SIGN}"


def lecture():
    conv = nn.Conv2d(1, 1, 3, bias=False)
    conv.weight.data.copy_(torch.tensor(numbers(FILTER)))
    net = nn.Sequential(OrderedDict(conv=conv, pool=nn.MaxPool2d(2)))
    return record(net, torch.tensor(numbers(IMAGE)))


def read(text):
    """Every number of a text, the true minus taken for a sign."""
    return [float(word) for word in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", plain(text))]


def plain(text):
    return text.replace(MINUS, "-").replace(",", "")


@pytest.fixture(scope="module")
def dense():
    torch.manual_seed(0)
    return record(nn.Sequential(nn.Flatten(), nn.Linear(400, 3)), torch.randn(4, 10, 10))


@pytest.fixture(scope="module")
def deep():
    torch.manual_seed(0)
    return record(nn.Sequential(nn.Conv2d(30, 2, 3, padding=1)), torch.randn(30, 5, 5))


def test_the_lectures_first_window_is_written_out():
    expected = """conv[0,0,0] = 2   (conv2d of image)
y[k,i,j] = Σ w[k,c,u,v] · x[c, i + u, j + v]

image[0]     conv.weight[0,0]     products
5  1  7      1  0  -1              5  0   -7
7  2  5   ×  2  0  -2          =  14  0  -10   sum 2
5  3  5      1  0  -1              5  0   -5

5·1 + 1·0 + 7·(-1) + 7·2 + 2·0 + 5·(-2) + 5·1 + 3·0 + 5·(-1) = 2
  exact value                             2
  model value                             2
  difference (rounding, at most 2.1e-05)  0
Receptive field: rows 0 to 2, columns 0 to 2 (3x3).
"""
    assert str(lecture().explain("conv", (0, 0, 0))).replace(MINUS, "-") == expected


@pytest.mark.parametrize(("column", "answer"), [(0, 2), (1, -17), (2, -6)])
def test_the_lectures_three_windows_in_one_line_each(column, answer):
    text = str(lecture().explain("conv", (0, 0, column)))
    (equation,) = [line for line in text.splitlines() if "·(" in line]
    left, right = plain(equation).split(" = ")
    products = [term.split("·") for term in left.split(" + ")]
    values = [float(a.strip("()")) * float(b.strip("()")) for a, b in products]
    assert sum(values) == float(right) == answer


def test_the_winner_of_a_window_is_marked_and_named():
    text = plain(str(lecture().explain("pool", (0, 0, 1))))
    assert "[20]" in text
    assert "the maximum of 4: 20 at conv[003]" in text


def test_a_long_sum_is_shortened_and_the_rest_is_its_exact_sum(dense):
    explanation = dense.explain("1", (2,))
    text = explanation.to_text(top=3)
    (rest,) = [line for line in text.splitlines() if "more terms" in line]
    assert rest.startswith("... 394 more terms, sum ")
    shown = set(explanation.terms.largest(6))
    left = math.fsum(t.product for n, t in enumerate(explanation.terms) if n not in shown)
    assert read(rest)[-1] == pytest.approx(left, rel=1e-5)
    assert text.count("1.weight[2,") == 6


def test_hidden_channels_are_summed_exactly(deep):
    explanation = deep.explain("0", (1, 0, 2))
    text = explanation.to_text(top=2)
    (rest,) = [line for line in text.splitlines() if "more channels" in line]
    assert rest.startswith("... 28 more channels, sum ")
    sums = sorted(explanation.channel_sums, key=abs)[:-2]
    assert read(rest)[-1] == pytest.approx(math.fsum(sums), rel=1e-5)
    assert text.count("products\n") + text.count("products ") >= 2
    assert "·" in text  # the padding above the first row is a dot, no number


def test_positive_and_negative_products_are_summed_separately(dense):
    products = [t.product for t in dense.explain("1", (0,)).terms]
    (line,) = [s for s in str(dense.explain("1", (0,))).splitlines() if "positive ones" in s]
    up, down = read(line)[-2:]
    assert up == pytest.approx(sum(p for p in products if p > 0), rel=1e-5)
    assert down == pytest.approx(sum(p for p in products if p < 0), rel=1e-5)


def test_three_channels_add_up():
    torch.manual_seed(0)
    recording = record(nn.Sequential(nn.Conv2d(3, 1, 3, bias=False)), torch.randn(3, 4, 4))
    explanation = recording.explain("0", (0, 1, 1))
    assert explanation.channel_sums.shape == (3,)
    assert math.fsum(explanation.channel_sums) == pytest.approx(explanation.exact_value, rel=1e-14)
    (line,) = [s for s in str(explanation).splitlines() if s.startswith("channel by channel")]
    *parts, whole = read(line)
    assert sum(parts) == pytest.approx(whole, abs=1e-4)


def test_im2col_columns_are_the_filter_and_the_window():
    explanation = lecture().explain("conv", (0, 0, 1))
    w, x = explanation.im2col
    assert w.tolist() == [1, 0, -1, 2, 0, -2, 1, 0, -1]
    assert x.tolist() == [1, 7, 7, 2, 5, 7, 3, 5, 4]
    assert w @ x == -17
    assert im2col_text(explanation.terms).splitlines()[-1] == "wᵀx = -17"
    assert "... 4 more rows" in im2col_text(explanation.terms, max_rows=5)


def test_a_notebook_shows_the_same_numbers_and_no_markup_of_names(dense):
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.add_module("<b>", nn.Conv2d(1, 1, 1))

        def forward(self, x):
            return self._modules["<b>"](x)

    html = record(Odd(), torch.ones(1, 2, 2)).explain("<b>", (0, 0, 0))._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;[0,0,0]" in html
    explanation = dense.explain("1", (0,))
    texts = {word for word in re.findall(r">([^<>]+)<", explanation._repr_html_()) if word.strip()}
    assert f"{explanation.exact_value:.9g}".replace("-", MINUS) in texts


def test_json_is_strict_and_holds_every_term(deep):
    payload = json.loads(json.dumps(deep.explain("0", (0, 0, 0)).to_dict(), allow_nan=False))
    assert len(payload["terms"]) == payload["num_terms"] == 270
    products = [term["product"] for term in payload["terms"]]
    assert math.fsum([*products, payload["bias"]]) == payload["exact_value"]
    assert sum(term["location"] is None for term in payload["terms"]) == 30 * 5
    few = deep.explain("0", (0, 0, 0)).to_dict(max_terms=4)
    assert len(few["terms"]) == 4
    nothing = record(nn.Sequential(nn.ReLU()), torch.full((1, 1, 1), math.nan))
    assert json.loads(json.dumps(nothing.explain("0", (0, 0, 0)).to_dict(), allow_nan=False))


def test_an_unsupported_operation_names_its_inputs():
    class Decomposed(nn.Module):
        def forward(self, x):
            return torch.linalg.qr(x)[0]

    text = str(record(Decomposed(), torch.randn(1, 2, 3)).explain("qr", (0, 1, 1)))
    assert "No explanation is available. Inputs: image." in text
    assert "exact value" not in text


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        (
            ReceptiveField(((0, 32), (0, 28)), ((0, 32), (0, 28)), exact=True),
            "Receptive field: rows 0 to 31, columns 0 to 27 (32x28).",
        ),
        (
            ReceptiveField(((3, 4), (-2, 2)), ((3, 4), (0, 2)), exact=True),
            "Receptive field: row 3, columns -2 to 1 (1x4, 50.0% of it inside the image).",
        ),
        (
            ReceptiveField(((0, 8), (0, 8)), ((0, 8), (0, 8)), exact=False),
            "Receptive field: at most rows 0 to 7, columns 0 to 7 (8x8).",
        ),
        (
            ReceptiveField(((-3, -1), (0, 2)), (None, (0, 2)), exact=True),
            "Receptive field: padding only, no pixel of the image.",
        ),
        (
            ReceptiveField(((0, 2), (1, 3), (4, 5)), ((0, 2), (1, 3), (4, 5)), exact=True),
            "Receptive field: planes 0 to 1, rows 1 to 2, column 4 (2x2x1).",
        ),
        (
            ReceptiveField(((-1, 2),), ((0, 2),), exact=True),
            "Receptive field: positions -1 to 1 (3, 66.7% of it inside the image).",
        ),
        (
            ReceptiveField(((3, 4),), ((3, 4),), exact=True),
            "Receptive field: position 3 (1).",
        ),
    ],
)
def test_a_receptive_field_is_described_in_a_sentence(field, sentence):
    assert str(field).replace(MINUS, "-") == sentence


def test_negative_numbers_behind_a_sign_are_in_parentheses():
    image = torch.full((1, 1, 1, 3), -2.0)
    written = str(record(Do(lambda _, x: x.logsumexp(3)), image).explain("logsumexp", (0, 0)))
    assert "ln 3 + (−2)" in written
    assert "e^(x − (−2))" in written
    norm = nn.BatchNorm2d(1, eps=0.0).eval()
    norm.weight.data.fill_(-3.0)
    assert "− 0·(−3)" in str(record(norm, image).explain("batch_norm", (0, 0, 1)))
