"""Rules of a run from their choice to every way of answering: PyTorch, engines, graph, server."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import recall_score

import convscope
from convscope.decision_rules import Abstention, OperatingPoint, PredictionSets
from convscope.decisions.calibrate import keep
from convscope.errors import RequestError
from convscope.exported.classifier import open_classifier
from convscope.predictions.decided import certainties
from convscope.predictions.ranking import rank_classes
from convscope.runs.folder import Run

COSTS = np.ones((10, 10)) - np.eye(10) + 3 * (np.arange(10) == 3)[:, None] * (1 - np.eye(10))


@pytest.fixture(scope="module")
def module_run(digits_run, tmp_path_factory):
    return Path(shutil.copytree(digits_run, tmp_path_factory.mktemp("decide") / "run"))


@pytest.fixture
def run(module_run):
    yield module_run
    convscope.restore_card(module_run)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Thirty images that LeNet-5 is less sure of: digits with noise."""
    from sklearn.datasets import load_digits  # noqa: PLC0415

    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for index, pixels in enumerate(load_digits().images[-30:]):
        noisy = np.clip(15 * pixels + rng.normal(0, 60, pixels.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).resize((32, 32)).save(folder / f"{index:02}.png")
    return folder


def test_a_sensitivity_is_reached_where_it_was_chosen(run):
    plain = convscope.evaluate(run, split="val")
    found = convscope.decide(run, positive="8", sensitivity=1.0)
    point = Run(run).read_card().operating_point
    assert point is not None
    assert point.positive == "8"
    chosen = convscope.evaluate(run, split="val")
    is_eight = plain.labels == 8
    taken = plain.outputs.probabilities[:, 8] >= point.threshold
    assert (chosen.outputs.predicted == 8).tolist() == taken.tolist()
    assert recall_score(is_eight, taken) == 1
    rows = {each.name: each for each in found.figures}
    assert rows["sensitivity"].chosen.value == 1
    test = convscope.evaluate(run)
    row = next(row for row in test.details.per_class if row["name"] == "8")
    assert rows["sensitivity"].measured == row["recall"]
    assert rows["specificity"].measured == row["specificity"]
    assert rows["accuracy"].measured.value == pytest.approx(test.top1)


def test_the_class_with_the_least_expected_cost_is_predicted(run):
    found = convscope.decide(run, costs=COSTS)
    (cost, _) = found.figures
    test = convscope.evaluate(run)
    assert COSTS[test.labels, test.outputs.probabilities.argmax(1)].mean() == pytest.approx(
        cost.before.value
    )
    expected = COSTS[test.labels, (test.outputs.probabilities @ COSTS).argmin(1)].mean()
    assert cost.measured.value == pytest.approx(expected)


def test_only_the_surest_are_answered(run, images):
    found = convscope.decide(run, coverage=0.7)
    answered, errors, _ = found.figures
    assert answered.chosen.value >= 0.7
    assert errors.measured.value <= errors.before.value
    predictions = convscope.predict(run, images)
    assert {each.is_sure for each in predictions} == {True, False}
    for each in predictions:
        assert (each.label == "not sure") == (not each.is_sure)
        assert each.to_dict()["sure"] == each.is_sure
        assert (each.to_dict()["label"] is None) == (not each.is_sure)
        assert each.to_row()["answer"] == (each.top_k[0][0] if each.is_sure else "")
    with_energy = convscope.decide(run, max_error=0.0, by="energy")
    assert with_energy.figures[1].chosen.value == 0


def test_sets_have_the_coverage_on_other_images(run, images):
    found = convscope.decide(run, conformal=0.9, method="aps")
    coverage = found.figures[0]
    assert coverage.chosen.value >= 0.9
    assert coverage.measured.interval[1] > 0.9
    for each in convscope.predict(run, images):
        assert each.label in each.set
        assert each.to_dict()["set"] == [*each.set]


RULES = {
    "point": {"operating_point": OperatingPoint("3", 0.02)},
    "costs": {"costs": tuple(map(tuple, COSTS.tolist()))},
    "abstention": {"abstention": Abstention("probability", 0.9)},
    "all": {
        "temperature": 2.0,
        "operating_point": OperatingPoint("8", 0.04),
        "abstention": Abstention("energy", 12.0),
        "prediction_sets": PredictionSets("aps", 0.9, 0.8),
    },
}


def half_sure(run, images):
    """The card of a run with a threshold at the median of the images' energies."""
    card = Run(run).read_card()
    data = [*sorted(images.iterdir())], ["0"] * 29 + ["1"]
    outputs = convscope.evaluate(run, data).outputs
    energies = certainties(outputs.network_outputs, outputs.probabilities, card)["energy"]
    return replace(card, abstention=Abstention("energy", float(np.median(energies))))


@pytest.mark.parametrize("rules", RULES)
def test_every_way_of_answering_follows_the_card(run, images, tmp_path, rules):
    plain = [each.top_k for each in convscope.predict(run, images, top=10)]
    keep(Run(run), replace(Run(run).read_card(), **RULES[rules]))
    if rules == "all":
        keep(Run(run), half_sure(run, images))
    by_torch = [each.to_dict() for each in convscope.predict(run, images, top=10)]
    names = {"point": "label", "costs": "label"}.get(rules, "sure")
    assert len({str(each.get(names)) for each in by_torch}) > 1
    if rules != "abstention":
        assert [each["label"] for each in by_torch] != [top[0][0] for top in plain]
    folder = tmp_path / "exported"
    convscope.export(run, folder, engine="onnxruntime", threads=1)
    for each, other in zip(convscope.predict(folder, images, top=10), by_torch, strict=True):
        mine = each.to_dict()
        shares, others = mine.pop("probabilities"), other.pop("probabilities")
        assert shares == pytest.approx(others, abs=1e-5)
        assert mine.pop("probability") == pytest.approx(other.pop("probability"), abs=1e-5)
        assert mine == other
    parity = json.loads((folder / "parity.json").read_text())
    assert '"answers": 0' in json.dumps(parity)


def test_evaluate_says_what_rules_do(run, tmp_path):
    plain = convscope.evaluate(run)
    assert plain.rules == {}
    convscope.decide(run, coverage=0.8)
    convscope.decide(run, conformal=0.9)
    found = convscope.evaluate(run, csv=tmp_path / "images.csv")
    sure = found.outputs.answers.is_sure
    said = found.to_dict()
    assert said["answered"]["value"] == sure.mean()
    assert said["answered_top1"]["value"] == found.outputs.is_correct[sure].mean()
    rows = found.per_image
    assert said["set_coverage"]["value"] == np.mean(
        [row["label"] in row["set"].split("; ") for row in rows]
    )
    assert said["set_size"]["value"] == np.mean([len(row["set"].split("; ")) for row in rows])
    assert [row["answered"] for row in rows] == sure.tolist()
    assert "answered" in str(found)
    assert "have the true class" in str(found)
    assert (tmp_path / "images.csv").read_text().splitlines()[0].count("answered,set") == 1


def test_an_export_of_before_is_not_used(run, images):
    convscope.export(run, engine="onnxruntime", threads=1)
    convscope.decide(run, positive="8", threshold=0.9)
    predictions = convscope.predict(run, images)
    shutil.rmtree(run / "exported")
    assert any("another card" in note for note in predictions.notes)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({}, "one thing at a time"),
        ({"positive": "8"}, "one thing at a time"),
        ({"positive": "8", "sensitivity": 0.9, "conformal": 0.9}, "one thing at a time"),
        ({"sensitivity": 0.9}, "Name the class"),
        ({"positive": "x", "sensitivity": 0.9}, "no class 'x'"),
        ({"positive": "8", "coverage": 0.9}, "class of a threshold"),
        ({"positive": "8", "sensitivity": 2.0}, "above 0 and at most 1"),
        ({"costs": "0,1;1,0"}, "10 rows and 10 columns"),
        ({"conformal": 0.999}, "at least 999 images"),
    ],
)
def test_impossible_choices_are_told_and_leave_the_card(run, words, problem):
    before = (run / "card.json").read_text()
    with pytest.raises(RequestError, match=problem):
        convscope.decide(run, **words)
    assert (run / "card.json").read_text() == before


def test_a_rule_replaces_what_was_chosen_for_other_answers(run):
    convscope.decide(run, coverage=0.9)
    convscope.decide(run, positive="8", threshold=0.3)
    card = Run(run).read_card()
    assert card.abstention is None
    with pytest.raises(RequestError, match="does not say how certain"):
        convscope.decide(run, coverage=0.9)
    convscope.decide(run, coverage=0.9, by="energy")
    convscope.decide(run, costs=COSTS)
    card = Run(run).read_card()
    assert card.operating_point is card.abstention is None


def test_the_command_chooses_prints_and_takes_back(run, command, images):
    said = command("decide", run, "--positive", 8, "--specificity", 0.99).stdout
    assert "'8' is predicted from a probability of" in said
    assert "Chosen on 179 images, the val split of digits" in said
    assert "specificity" in said
    command("decide", run, "--coverage", 0.6, "--by", "energy")
    found = json.loads(command("decide", run, "--conformal", 0.9, "--json").stdout)
    assert found["prediction_sets"]["coverage"] == 0.9
    assert found["abstention"]["by"] == "energy"  # it stays
    table = command("predict", run, images).stdout
    assert "not sure" in table
    assert "set" in table.splitlines()[0]
    lines = command("predict", run, images, "--format", "csv").stdout.splitlines()
    assert lines[0].startswith("path,answer,set,label,probability,label_2")
    assert len(lines) == 31
    assert "most probable class again" in command("decide", run, "--reset").stdout
    assert Run(run).read_card() == Run(run).read_card().of_training
    refused = command("decide", run, "--reset", "--coverage", 0.5, code=2).stderr
    assert "leave out everything else" in refused


def test_the_server_answers_the_same(run, images, tmp_path):
    keep(Run(run), replace(Run(run).read_card(), **RULES["all"]))
    keep(Run(run), half_sure(run, images))
    expected = [each.to_dict() for each in convscope.predict(run, images, top=3)]
    convscope.export(run, tmp_path / "exported", engine="onnxruntime", threads=1)
    classifier = open_classifier(tmp_path / "exported", threads=1)
    pixels = [np.asarray(Image.open(path))[..., None] for path in sorted(images.iterdir())]
    answers = classifier.answers(np.stack(pixels))
    assert len(answers) == 30
    for answer, other in zip(answers, expected, strict=True):  # as the queue divides them
        (mine,) = rank_classes([other["path"]], answer, classifier.card, 3)
        assert mine.to_dict()["set"] == other["set"]
        assert (mine.to_dict()["label"], mine.is_sure) == (other["label"], other["sure"])


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    """A run whose images have a dot, a bright half, both or neither; one label all of them have."""
    rng = np.random.default_rng(0)
    truth = (rng.random((160, 3)) < [0.4, 0.5, 1.0]).astype(np.uint8)
    pixels = rng.integers(0, 120, (160, 16, 16))
    pixels[:, 11:14, 11:14] += 90 * truth[:, :1, None]
    pixels[:, :, :8] += 40 * truth[:, 1:2, None]
    data = np.clip(pixels, 0, 255).astype(np.uint8), truth
    out = tmp_path_factory.mktemp("labels") / "run"
    convscope.train(data, task="multi-label", class_names=["dot", "half", "all"], out=out, epochs=3,
                    model="tinyvgg", input_size=16, in_channels=1, lr=0.02, augment="none",
                    progress=False)  # fmt: skip
    return out, data


def test_each_label_gets_its_threshold_and_temperature(labels):
    run, data = labels
    images, truth = data[0][100:], data[1][100:]
    plain = convscope.evaluate(run, (images, truth))
    calibrated = convscope.calibrate(run, (images, truth))
    assert calibrated.loss[1].value < calibrated.loss[0].value
    assert not calibrated.is_held_out
    found = convscope.decide(run, (images, truth), sensitivity=0.9)
    card = Run(run).read_card()
    assert (card.temperature, len(card.thresholds)) == (calibrated.temperature, 3)
    assert card.thresholds[2] == 0.5
    assert any("'all' kept the threshold" in note for note in found.notes)
    shares = convscope.evaluate(run, (images, truth)).outputs.probabilities
    for index, name in enumerate(("dot", "half")):
        taken = shares[:, index] >= card.thresholds[index]
        assert recall_score(truth[:, index], taken) >= 0.9
        (figure,) = (e for e in found.figures if (e.name, e.label) == ("sensitivity", name))
        assert figure.chosen.value == recall_score(truth[:, index], taken)
    convscope.decide(run, (images, truth), positive="dot", threshold=0.125)
    assert Run(run).read_card().thresholds == (0.125, *card.thresholds[1:])
    with pytest.raises(RequestError, match=r"Every image .* of 'all'"):
        convscope.decide(run, (images, truth), positive="all", maximize="f1")
    with pytest.raises(RequestError, match="several labels"):
        convscope.decide(run, (images, truth), coverage=0.9)
    convscope.restore_card(run)
    again = convscope.evaluate(run, (images, truth))
    assert (again.outputs.probabilities == plain.outputs.probabilities).all()
