"""Rules against explicit loops: what NumPy and the ONNX graph answer, and how it is chosen."""

import math
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
from sklearn.metrics import roc_curve

from convscope.card import Card, refuse_objects
from convscope.conversion.image_graph import image_graph
from convscope.conversion.parity import _is_other
from convscope.decision_rules import Abstention, OperatingPoint, PredictionSets
from convscope.decisions.abstention import choose_certainty
from convscope.decisions.conformal import fit_sets
from convscope.decisions.costs import parse_costs
from convscope.decisions.operating_point import Wish, choose_threshold
from convscope.errors import RequestError
from convscope.exported.probabilities import probabilities
from convscope.predictions.decided import decide, set_scores
from tests.conversion.test_image_graph import card_of, identity

CLASSES = ("a", "b", "c", "d")
COSTS = ((0.0, 1.0, 2.0, 1.0), (1.0, 0.0, 1.0, 9.0), (3.0, 0.5, 0.0, 1.0), (1.0, 1.0, 1.0, 0.0))
RULES = {
    "none": {},
    "point": {"operating_point": OperatingPoint("c", 0.15)},
    "costs": {"costs": COSTS},
    "probability": {"abstention": Abstention("probability", 0.6)},
    "energy": {"abstention": Abstention("energy", 5.0), "temperature": 1.7},
    "lac": {"prediction_sets": PredictionSets("lac", 0.9, 0.8)},
    "aps": {"prediction_sets": PredictionSets("aps", 0.9, 0.7), "temperature": 0.6},
}


def card(**changes) -> Card:
    return card_of(classes=CLASSES, input_size=(2, 2), in_channels=1, **changes)


def slow(logits: list[float], card: Card) -> dict[str, object]:
    """The answer for one image, class after class."""
    t, count = card.temperature, len(card.classes)
    total = sum(math.exp(z / t) for z in logits)
    p = [math.exp(z / t) / total for z in logits]
    best = max(range(count), key=lambda k: p[k])
    answer: dict[str, object] = {"label": best}
    if card.costs:
        expected = [sum(p[i] * card.costs[i][k] for i in range(count)) for k in range(count)]
        answer["label"] = min(range(count), key=lambda k: expected[k])
    if card.operating_point:
        positive = card.classes.index(card.operating_point.positive)
        others = [k for k in range(count) if k != positive]
        is_positive = p[positive] >= card.operating_point.threshold
        answer["label"] = positive if is_positive else max(others, key=lambda k: p[k])
    if card.abstention:
        certainty = max(p) if card.abstention.by == "probability" else t * math.log(total)
        answer["is_sure"] = certainty >= card.abstention.threshold
    if rule := card.prediction_sets:
        scores = [1 - p[k] for k in range(count)]
        if rule.method == "aps":
            scores = [sum(q for q in p if q > p[k]) for k in range(count)]
        answer["set"] = [k == best or scores[k] <= rule.quantile for k in range(count)]
    return answer


@pytest.mark.parametrize("rule", RULES)
def test_numpy_and_the_graph_answer_as_an_explicit_loop(rule):
    of = card(**RULES[rule])
    session = onnxruntime.InferenceSession(image_graph(identity(of), of).SerializeToString())
    names = [output.name for output in session.get_outputs()]
    pixels = np.random.default_rng(5).integers(0, 5, (300, 2, 2, 1), dtype=np.uint8)
    logits = pixels.reshape(300, 4).astype(np.float32)
    found = dict(zip(names, session.run(names, {"images": pixels.repeat(3, 3)}), strict=True))
    numpy = decide(logits, probabilities(logits, of), of)
    seen = set()
    for index, row in enumerate(logits.tolist()):
        expected = slow(row, of)
        assert set(names) == {"probabilities", *expected}
        ours = {"label": numpy.predicted, "is_sure": numpy.is_sure, "set": numpy.sets}
        for name, value in expected.items():
            assert np.asarray(found[name][index]).tolist() == value, (name, row)
            assert np.asarray(ours[name][index]).tolist() == value, (name, row)
        seen.add(str(expected))
    assert len(seen) > 3  # the rule decides something
    assert not _is_other(found, logits, probabilities(logits, of), of)
    for name in expected:
        wrong = {**found, name: np.roll(found[name], 1, axis=0)}
        assert _is_other(wrong, logits, probabilities(logits, of), of), name


def drawn(seed, n=120):
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.3
    scores = np.clip(np.round(rng.normal(0.35 + 0.3 * truth, 0.2), 2), 0, 1)  # with ties
    return truth, scores


def rates(truth, scores, threshold):
    taken = scores >= threshold
    return (truth & taken).sum() / truth.sum(), (~truth & ~taken).sum() / (~truth).sum()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("wished", [0.05, 0.5, 0.9, 1.0])
def test_no_better_threshold_has_the_wished_sensitivity_or_specificity(seed, wished):
    truth, scores = drawn(seed)
    candidates = [*np.linspace(0.0005, 0.9995, 1999)]
    of_sensitivity = choose_threshold(truth, scores, Wish(sensitivity=wished), "x")
    sensitivity, specificity = rates(truth, scores, of_sensitivity)
    assert sensitivity >= wished
    best = max(s for c in candidates for r, s in [rates(truth, scores, c)] if r >= wished)
    assert specificity == best
    of_specificity = choose_threshold(truth, scores, Wish(specificity=wished), "x")
    sensitivity, specificity = rates(truth, scores, of_specificity)
    assert specificity >= wished
    assert sensitivity == max(r for c in candidates for r, s in [rates(truth, scores, c)]
                              if s >= wished)  # fmt: skip
    for threshold in (of_sensitivity, of_specificity):
        assert np.abs(scores - threshold).min() > 1e-7  # never at a probability that occurs


@pytest.mark.parametrize("seed", range(5))
def test_the_best_youden_and_f1_are_those_of_all_thresholds(seed):
    truth, scores = drawn(seed)
    false, true, _ = roc_curve(truth, scores)
    found = rates(truth, scores, choose_threshold(truth, scores, Wish(maximize="youden"), "x"))
    assert sum(found) - 1 == pytest.approx((true - false).max())

    def f1(threshold):
        taken = scores >= threshold
        return 2 * (truth & taken).sum() / (truth.sum() + taken.sum())

    best = choose_threshold(truth, scores, Wish(maximize="f1"), "x")
    assert f1(best) == pytest.approx(max(map(f1, scores)))


def test_a_threshold_needs_images_of_both_kinds_and_a_possible_wish():
    scores = np.array([0.2, 0.8])
    with pytest.raises(RequestError, match=r"No image .* of 'x'"):
        choose_threshold(np.array([False, False]), scores, Wish(sensitivity=0.9), "x")
    with pytest.raises(RequestError, match=r"Every image .* of 'x'"):
        choose_threshold(np.array([True, True]), scores, Wish(sensitivity=0.9), "x")
    for wish in ({"sensitivity": 0.0}, {"specificity": 1.5}, {"threshold": 1.0},
                 {"sensitivity": math.nan}):  # fmt: skip
        with pytest.raises(RequestError, match="above 0 and at most 1"):
            Wish(**wish).check()
    saturated = choose_threshold(np.array([True, False]), np.array([1.0, 1.0]),
                                 Wish(sensitivity=1.0), "x")  # fmt: skip
    assert 0 < saturated < 1
    assert np.float32(saturated) < 1


@pytest.mark.parametrize("seed", range(5))
def test_as_many_are_answered_as_wished_and_no_fewer_would_do(seed):
    rng = np.random.default_rng(seed)
    certainty = np.round(rng.normal(3, 2, 80), 1)  # with ties
    is_right = rng.random(80) < 1 / (1 + np.exp(-certainty))
    for coverage in (0.01, 0.5, 0.83, 1.0):
        answered = certainty >= choose_certainty(certainty, is_right, coverage=coverage)
        assert answered.mean() >= coverage
        fewer = certainty > certainty[answered].min()
        assert fewer.mean() < coverage
    for error in (0.05, 0.2, 1.0):
        answered = certainty >= choose_certainty(certainty, is_right, max_error=error)
        assert (~is_right[answered]).mean() <= error
        more = [np.mean(~is_right[certainty >= c]) for c in np.unique(certainty)
                if c < certainty[answered].min()]  # fmt: skip
        assert all(each > error for each in more)


def test_where_even_the_surest_are_wrong_it_says_so():
    certainty, is_right = np.array([0.9, 0.8, 0.7]), np.array([False, True, True])
    with pytest.raises(RequestError, match=r"of the most certain 1 it is 100.00%"):
        choose_certainty(certainty, is_right, max_error=0.1)
    for wrong in (
        {"coverage": 0.0},
        {"coverage": 1.5},
        {"max_error": -0.1},
        {"coverage": math.nan},
    ):
        with pytest.raises(RequestError, match="must be a share"):
            choose_certainty(certainty, is_right, **wrong)


@pytest.mark.parametrize(
    ("costs", "problem"),
    [
        ("0,1;5", "2 rows and 2 columns"),
        ("0,1,2;5,0,1", "2 rows and 2 columns"),
        ("0,x;5,0", "columns are 'x'"),
        ("0,-1;5,0", "costs from 0"),
        ("0,nan;5,0", "costs from 0"),
        ("5,1;5,0", "right answer of 'a', more than a wrong"),
        ("1,1;1,1", "decide nothing"),
        ("nowhere.csv", "could not be read"),
        ({"a": {"a": 0, "b": 1}}, "the rows are 'a'"),
        ({"a": {"a": 0}, "b": {"a": 1, "b": 0}}, "'' is not a number"),
    ],
)
def test_impossible_costs_are_told(costs, problem):
    with pytest.raises(RequestError, match=problem):
        parse_costs(costs, ("a", "b"))


def test_costs_are_matched_by_name(tmp_path):
    expected = ((0.0, 1.0), (5.0, 0.0))
    path = tmp_path / "costs.csv"
    path.write_text("true \\ predicted,b,a\nb,0,5\na,1,0\n")
    for costs in (path, str(path), "0,1;5,0", [[0, 1], [5, 0]], np.array(expected),
                  {"a": {"a": 0, "b": 1}, "b": {"a": 5, "b": 0}}):  # fmt: skip
        assert parse_costs(costs, ("a", "b")) == expected


def test_the_quantile_is_that_of_the_definition():
    rng = np.random.default_rng(2)
    shares, truth = rng.dirichlet(np.ones(4), 39), rng.integers(0, 4, 39)
    for method in ("lac", "aps"):
        scores = sorted(set_scores(shares, method)[range(39), truth].tolist())
        for coverage, rank in ((0.5, 20), (0.9, 36), (0.975, 39)):
            rule = fit_sets(shares, truth, coverage=coverage, method=method)
            assert rule.quantile == scores[rank - 1]
    with pytest.raises(RequestError, match=r"needs at least 99 images .* there are 39"):
        fit_sets(shares, truth, coverage=0.99, method="lac")
    with pytest.raises(RequestError, match="above 0 and below 1"):
        fit_sets(shares, truth, coverage=1.0, method="lac")


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lac", "aps"])
@pytest.mark.parametrize("sharpness", [0.3, 3.0])
def test_sets_cover_what_they_promise(method, sharpness):
    """The mean coverage of 2,000 draws of 50 images; probabilities are wrong by far."""
    rng, classes, n = np.random.default_rng(0), 5, 50
    covered = []
    for _ in range(2000):
        logits = rng.normal(scale=1.5, size=(2 * n, classes))
        truth = (logits + rng.gumbel(size=logits.shape)).argmax(1)
        wrong = np.exp(sharpness * logits)
        shares = wrong / wrong.sum(1, keepdims=True)
        rule = fit_sets(shares[:n], truth[:n], coverage=0.8, method=method)
        own = set_scores(shares[n:], method)[range(n), truth[n:]]
        covered.append((own <= rule.quantile).mean())
    spread = np.std(covered) / math.sqrt(len(covered))
    assert np.mean(covered) >= 0.8 - 3 * spread
    assert np.mean(covered) <= 0.8 + 1 / (n + 1) + 3 * spread


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"operating_point": OperatingPoint("x", 0.5)}, "'x', which is no class"),
        ({"operating_point": OperatingPoint("a", 1.0)}, "above 0 and below 1"),
        ({"costs": COSTS[:3]}, "4 rows and 4 columns"),
        ({"costs": COSTS, "operating_point": OperatingPoint("a", 0.5)}, "both costs and"),
        ({"abstention": Abstention("probability", 1.5)}, "probability of 1.5"),
        ({"abstention": Abstention("energy", math.inf)}, "not finite"),
        ({"abstention": Abstention("energy", 1.0), "output": "probabilities"}, "needs logits"),
        ({"prediction_sets": PredictionSets("lac", 1.0, 0.5)}, "coverage of 1.0"),
        ({"prediction_sets": PredictionSets("lac", 0.9, 1.5)}, "quantile of 1.5"),
        ({"task": "multi-label", "costs": COSTS}, "rules for single classes"),
    ],
)
def test_impossible_rules_are_no_card(changes, problem):
    with pytest.raises(RequestError, match=problem):
        card(**changes)


@pytest.mark.parametrize("rule", RULES)
def test_a_card_with_rules_is_read_as_it_was_written(rule):
    of = card(**RULES[rule])
    assert Card.from_json(of.to_json()) == of
    assert of.of_training == card()
    assert of.without_rules == replace(card(), temperature=of.temperature)


def test_networks_that_find_objects_are_refused():
    with pytest.raises(RequestError, match="finds objects"):
        refuse_objects(replace(card(), task="detection"))
    with pytest.raises(RequestError, match="rules for single classes"):
        card(task="detection", costs=COSTS)
    refuse_objects(card())
