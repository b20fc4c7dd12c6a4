"""Training, evaluation, prediction, explanation and the lab give an output the same class name."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.data.spellings import match_names
from convscope.errors import RequestError
from convscope.runs.data import open_run_data
from convscope.runs.folder import Run
from convscope.webapp.inspect.open_run import RunOpener
from convscope.webapp.inspect.store import ModelStore
from tests.cards import write_card
from tests.conftest import make_image_folder

NAMES = ("plum", "apple", "leaf")  # not sorted, as folders are


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = make_image_folder(tmp_path_factory.mktemp("data") / "fruit", NAMES, each=12)
    for name, other in itertools.pairwise((*NAMES, NAMES[0])):  # some have the wrong label
        for number in (0, 1, 2):
            pixels = np.asarray(Image.open(root / name / f"{number:02d}.png"))
            Image.fromarray(pixels[::-1]).save(root / other / f"{name}{number}.png")
    return root


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """A run whose classes are in another order than those of the folder of its images."""
    files = sorted(folder.rglob("*.png"))
    images = [np.asarray(Image.open(file)) for file in files]
    labels = [NAMES.index(file.parent.name) for file in files]
    out = tmp_path_factory.mktemp("runs") / "run"
    convscope.train(
        (images, labels), class_names=[*NAMES], model="tinyvgg", out=out, epochs=6, engine="torch"
    )
    return out


def test_accuracy_by_hand_from_predictions_is_that_of_evaluate(run, folder, command):
    assert Run(run).read_card().classes == NAMES
    done = command("predict", run, folder, "--format", "csv")
    rows = list(csv.DictReader(done.stdout.splitlines()))
    correct = [row["label"] == Path(row["path"]).parent.name for row in rows]
    found = convscope.evaluate(run, folder)
    assert 0 < found.metrics.num_correct < len(rows) == 45
    assert sum(correct) == found.metrics.num_correct
    by_path = {Path(row["path"]).name + row["predicted"] for row in found.per_image}
    assert by_path == {Path(row["path"]).name + row["label"] for row in rows}
    numbers = [NAMES.index(Path(row["path"]).parent.name) for row in rows]
    images = [np.asarray(Image.open(row["path"])) for row in rows]
    assert convscope.evaluate(run, (images, numbers)).metrics.num_correct == sum(correct)


def test_all_give_an_image_the_same_name(run, folder):
    store = ModelStore()
    opened = RunOpener(store).open(run)
    for name in NAMES:
        image = folder / name / "03.png"
        label = convscope.predict(run, image)[0].label
        outputs = {each: convscope.explain(run, image, at=each).model_value for each in NAMES}
        assert max(outputs, key=lambda each: outputs[each]) == label
        assert opened.predictions(store.add(opened, "image", image))[0]["class"] == label
        assert convscope.evaluate(run, ([np.asarray(Image.open(image))], [label])).top1 == 1


@pytest.fixture
def own_data(folder, tmp_path):
    """A run of the folder itself."""
    out = tmp_path / "run"
    convscope.train(folder, model="tinyvgg", out=out, epochs=1, engine="torch")
    return out


def test_names_that_the_images_of_a_run_do_not_have_are_refused(own_data):
    """Labels in the order of the folder, with other names for the outputs, would look right."""
    write_card(own_data, classes=("leaf", "plum", "pear"))
    for load in (
        convscope.evaluate,
        lambda run: open_run_data(Run(run), Run(run).read_config(), "val"),
    ):
        with pytest.raises(
            RequestError, match="classes that the network was not trained on: 'apple'"
        ):
            load(own_data)


def test_names_are_matched_once_each():
    assert match_names(["b", "a"], ["a", "b"]) == [1, 0]
    assert match_names(["A_1", "b"], ["b", "a 1", "c"]) == [1, 0]
    assert match_names(["cat", "Cat"], ["Cat", "dog"]) == [None, 0]  # the data tell them apart
    assert match_names(["cat", "CAT"], ["Cat"]) == [0, None]
    assert match_names(["cat"], ["Cat", "CAT"]) == [None]
    many = [f"class {number}" for number in range(1000)]
    assert match_names([name.title() for name in many[::-1]], many) == [*range(999, -1, -1)]
