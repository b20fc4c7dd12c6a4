"""`evaluate` matches classes by name, sees each image once, and counts alike at any batch size."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import convscope
from convscope.errors import RequestError
from convscope.evaluation import batch_size, measure
from tests.cards import write_card


@pytest.fixture(scope="module")
def digit_files(tmp_path_factory):
    """Some digits as a folder of PNGs, in classes."""
    root = tmp_path_factory.mktemp("digit-files")
    digits = load_digits()
    pixels = np.round(digits.images * 255 / 16).astype(np.uint8)
    for number, (image, label) in enumerate(zip(pixels[:200], digits.target, strict=False)):
        (root / str(label)).mkdir(exist_ok=True)
        Image.fromarray(image).save(root / str(label) / f"{number}.png")
    return root


def test_without_data_the_test_split_of_the_run_is_used(digits_run):
    found = convscope.evaluate(digits_run)
    with (digits_run / "splits.csv").open() as file:
        test = [row for row in csv.DictReader(file) if row["split"] == "test"]
    assert found.metrics.num_images == len(test)
    assert "test split" in found.data


def test_the_test_at_the_end_of_training_is_this_evaluation(digits_run):
    kept = json.loads((digits_run / "test.json").read_text())
    again = convscope.evaluate(digits_run).metrics.to_dict()
    assert again["confusion"] == kept["confusion"]
    assert again["loss"] == pytest.approx(kept["loss"], rel=1e-6)


def test_validation_test_evaluate_and_predict_agree_to_the_bit(digit_files, tmp_path, monkeypatch):
    """All take as many images at a time."""
    monkeypatch.setattr(batch_size, "LARGEST", 8)
    call, sizes = measure.call_network, []

    def counted(net, images, num_classes):
        sizes.append(len(images))
        return call(net, images, num_classes)

    monkeypatch.setattr(measure, "call_network", counted)
    kwargs = dict(model="lenet5", engine="torch", threads=1, steps=3, progress=False)
    run = convscope.train(digit_files, **kwargs, out=tmp_path / "run").run
    assert set(sizes[:2]) == {8}  # of the validation
    taken = len(sizes)
    found = convscope.evaluate(run, threads=1)
    assert found.metrics.loss == json.loads((run / "test.json").read_text())["loss"]
    paths = [digit_files / path for path in found.paths]
    answers = convscope.predict(run, paths, top=1, threads=1)
    assert [one.probability for one in answers] == found.outputs.confidence.tolist()
    assert max(sizes[taken:]) == 8


def test_batches_of_1_7_and_64_count_the_same(digits_run):
    found = [convscope.evaluate(digits_run, batch_size=n).metrics for n in (1, 7, 64)]
    assert np.array_equal(found[0].confusion, found[1].confusion)
    assert np.array_equal(found[0].confusion, found[2].confusion)
    assert found[0].loss == pytest.approx(found[2].loss, rel=1e-5)


def test_other_data_are_evaluated_whole_and_by_name(digits_run, digit_files):
    found = convscope.evaluate(digits_run, str(digit_files))
    assert found.metrics.num_images == 200
    assert "all of" in found.data
    assert found.metrics.top1 > 0.8


def test_missing_classes_are_told_and_their_order_does_not_matter(
    digits_run, digit_files, tmp_path
):
    whole = convscope.evaluate(digits_run, str(digit_files)).metrics
    for name in ("3", "8"):
        shutil.copytree(digit_files / name, tmp_path / "some" / name)
    found = convscope.evaluate(digits_run, str(tmp_path / "some"))
    assert any("no images of '0', '1', '2', '4', '5' and 3 more" in note for note in found.notes)
    assert [row["name"] for row in found.per_class] == ["3", "8"]
    for place in (3, 8):
        assert np.array_equal(found.metrics.confusion[place], whole.confusion[place])


@pytest.mark.parametrize("kind", ["folder", "table", "arrays"])
def test_images_of_one_class_alone_are_evaluated(digits_run, digit_files, tmp_path, kind):
    data = tmp_path / "one"
    shutil.copytree(digit_files / "3", data / "3")
    files = sorted((data / "3").iterdir())
    if kind == "table":
        rows = "".join(f"3/{file.name},3\n" for file in files)
        (data / "list.csv").write_text(f"path,label\n{rows}")
        data /= "list.csv"
    if kind == "arrays":
        data = [np.asarray(Image.open(file)) for file in files], ["3"] * len(files)
    whole = convscope.evaluate(digits_run, str(digit_files)).metrics
    found = convscope.evaluate(digits_run, data)
    assert np.array_equal(found.metrics.confusion[3], whole.confusion[3])
    assert found.metrics.num_images == len(files)
    assert found.per_class == [dict(name="3", images=len(files), recall=found.top1)]
    assert "precision and F1" in found.notes[0]
    assert "f1" not in found.to_dict()
    assert "mean F1" not in str(found)


def test_a_class_that_the_network_does_not_know_is_refused(digits_run, digit_files, tmp_path):
    shutil.copytree(digit_files, tmp_path / "more")
    (tmp_path / "more" / "3").rename(tmp_path / "more" / "three")
    with pytest.raises(RequestError, match="'three'"):
        convscope.evaluate(digits_run, str(tmp_path / "more"))


def test_classes_that_are_only_spelled_differently_are_matched_and_said(
    digits_run, digit_files, tmp_path
):
    shutil.copytree(digit_files, tmp_path / "spaced")
    shutil.copytree(digits_run, tmp_path / "run")
    write_card(tmp_path / "run", classes=tuple(f"Digit_{name}" for name in "0123456789"))
    for name in "0123456789":
        (tmp_path / "spaced" / name).rename(tmp_path / "spaced" / f"digit {name}")
    found = convscope.evaluate(tmp_path / "run", tmp_path / "spaced")
    whole = convscope.evaluate(digits_run, digit_files)
    assert np.array_equal(found.metrics.confusion, whole.metrics.confusion)
    assert "'digit 0' as 'Digit_0'" in found.notes[0]


def test_integer_labels_are_indices_of_the_classes_where_these_are_not_numbers(
    digits_run, digit_files, tmp_path
):
    images = [np.asarray(Image.open(path)) for path in sorted(digit_files.rglob("*.png"))]
    labels = [int(path.parent.name) for path in sorted(digit_files.rglob("*.png"))]
    whole = convscope.evaluate(digits_run, (images, labels))
    shutil.copytree(digits_run, tmp_path / "run")
    write_card(tmp_path / "run", classes=tuple("abcdefghij"))
    found = convscope.evaluate(tmp_path / "run", (images, labels))
    assert np.array_equal(found.metrics.confusion, whole.metrics.confusion)
    assert "0 is a, 1 is b ..." in found.notes[0]


def test_a_network_in_memory_is_evaluated_on_data(digits_run, digit_files):
    net, card = convscope.load(digits_run)
    whole = convscope.evaluate(digits_run, digit_files).metrics
    for found in (
        convscope.evaluate(net, digit_files),
        convscope.evaluate(net, digit_files, card=card),
        convscope.evaluate("lenet5", digit_files, weights=digits_run),
    ):
        assert np.array_equal(found.metrics.confusion, whole.confusion)
        assert found.in_training is None
    with pytest.raises(RequestError, match="not a run, and has no test images of its own"):
        convscope.evaluate(net)


def test_a_card_that_does_not_fit_the_weights_is_refused(digits_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(digits_run, run)
    write_card(run, classes=(*"0123456789", "ten"))
    with pytest.raises(RequestError, match=r"is of another network: fc2\.bias is \(10,\)"):
        convscope.evaluate(run)


def test_a_run_without_weights_says_how_to_go_on(digits_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(digits_run, run)
    (run / "model.safetensors").unlink()
    with pytest.raises(RequestError, match=r"is missing.*`convscope train --config"):
        convscope.evaluate(run)


def test_predict_agrees_with_evaluate_file_by_file(digits_run, digit_files):
    found = convscope.predict(digits_run, [digit_files], top=10)
    assert convscope.predict(digits_run, str(digit_files), top=10) == found
    assert len(found) == 200
    hits = sum(answer.label == answer.path.split("/")[-2] for answer in found)
    assert hits == convscope.evaluate(digits_run, str(digit_files)).metrics.num_correct
    for answer in found:
        shares = [share for _, share in answer.top_k]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1)


def test_predict_takes_globs_and_lists_what_it_cannot_read(digits_run, digit_files, tmp_path):
    shutil.copytree(digit_files / "0", tmp_path / "zero")
    (tmp_path / "zero" / "broken.png").write_bytes(b"")
    (tmp_path / "zero" / "page.jpg").write_text("<html>not found</html>")
    found = convscope.predict(digits_run, [str(tmp_path / "zero" / "*")], batch_size=4)
    assert len(found) == len(list((digit_files / "0").iterdir()))
    assert {path.split("/")[-1] for path, _ in found.unreadable} == {"broken.png", "page.jpg"}


def test_evaluate_names_the_splits_that_there_are(digits_run):
    with pytest.raises(RequestError, match="must be 'train', 'val', 'test' or None"):
        convscope.evaluate(digits_run, split="validation")


def test_predict_names_a_path_that_is_not_there(digits_run, tmp_path):
    with pytest.raises(RequestError, match=r"gone\.png"):
        convscope.predict(digits_run, [tmp_path / "gone.png"])
    with pytest.raises(RequestError, match="no images below"):
        convscope.predict(digits_run, [tmp_path])


def test_images_that_were_moved_are_asked_for(image_folder, tmp_path):
    run = tmp_path / "run"
    words = {"model": "lenet5", "input_size": 32, "in_channels": 1, "steps": 1, "progress": False}
    convscope.train(image_folder, out=run, **words)
    moved = image_folder.rename(tmp_path / "moved")
    with pytest.raises(RequestError, match=r"does not exist.*`convscope evaluate .*run DATA`"):
        convscope.evaluate(run)
    assert convscope.evaluate(run, moved).metrics.num_images == 36
