"""A cross-validation: every image predicted once, by a network that never saw its patient."""

import csv
import json
import os
import re
import shutil
import signal

import numpy as np
import pytest
from PIL import Image
from torch import nn

import convscope
from convscope.errors import Interrupted, RequestError, WorkError
from convscope.evaluation.clustered import effective_size
from convscope.training.folds.result import CrossValidationResult
from tests.forked import FORKS
from tests.training.small import Act, assert_same_bits
from tests.training.test_resume import StopAt

FOLDS, PATIENTS, IMAGES = 3, 14, 4
SETTINGS = dict(
    folds=FOLDS,
    epochs=2,
    batch_size=16,
    lr=0.05,
    val=0.2,
    group_pattern=r"(p\d+)_",
    engine="torch",
    threads=1,
    input_size=8,
    in_channels=1,
    checkpoint_seconds=0.0,
    progress=False,
)


class Tiny(nn.Sequential):
    def __init__(self, num_classes: int = 2) -> None:
        super().__init__(
            nn.Conv2d(1, 4, 3),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Flatten(),
            nn.Linear(144, num_classes),
        )


MODEL = f"{__name__}:Tiny"


@pytest.fixture(scope="session")
def patients(tmp_path_factory):
    """Folders `sick` and `well`, with several images of each patient."""
    root, random = tmp_path_factory.mktemp("patients") / "eyes", np.random.default_rng(0)
    for patient in range(PATIENTS):
        folder = root / ("sick" if patient % 2 else "well")
        folder.mkdir(parents=True, exist_ok=True)
        for image in range(IMAGES):
            pixels = random.integers(0, 200, (8, 8)) + 50 * (patient % 2)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"p{patient}_{image}.png")
    return root


def cross_validate(data, out, **more):
    return convscope.cross_validate(data, out=out, **{**SETTINGS, "model": MODEL, **more})


@pytest.fixture(scope="module")
def unbroken(patients, tmp_path_factory):
    out = tmp_path_factory.mktemp("unbroken") / "cv"
    return cross_validate(patients, out)


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_image_is_predicted_once_by_a_network_that_never_saw_its_patient(unbroken):
    rows = rows_of(unbroken.path / "predictions.csv")
    assert len({row["path"] for row in rows}) == len(rows) == PATIENTS * IMAGES
    for row in rows:
        splits = {
            line["key"]: line["split"]
            for line in rows_of(unbroken.path / f"fold-{row['fold']}" / "splits.csv")
        }
        patient = row["group"]
        same = {split for key, split in splits.items() if f"/{patient}_" in key}
        assert same == {"test"}
        assert set(splits.values()) == {"train", "val", "test"}
        assert row["repeat"] == "1"


def test_the_summary_is_that_of_the_predictions(unbroken):
    rows = rows_of(unbroken.path / "predictions.csv")
    correct = [row["label"] == row["predicted"] for row in rows]
    summary = json.loads((unbroken.path / "summary.json").read_text())
    assert summary["accuracy"] == unbroken.accuracy == pytest.approx(np.mean(correct))
    by_fold = [
        np.mean([row["label"] == row["predicted"] for row in rows if row["fold"] == str(fold)])
        for fold in (1, 2, 3)
    ]
    assert [fold["top1"] for fold in summary["folds"]] == pytest.approx(by_fold)
    assert summary["mean"]["top1"] == pytest.approx(np.mean(by_fold))
    assert summary["std"]["top1"] == pytest.approx(np.std(by_fold, ddof=1))
    [pooled] = summary["pooled"]
    confusion = np.zeros((2, 2), int)
    for row in rows:
        place = pooled["classes"].index(row["label"]), pooled["classes"].index(row["predicted"])
        confusion[place] += 1
    assert pooled["confusion"] == confusion.tolist()
    assert pooled["loss"] == pytest.approx(np.mean([float(row["loss"]) for row in rows]), rel=1e-4)
    for row in rows:
        shares = [float(row[f"probability of {name}"]) for name in pooled["classes"]]
        assert sum(shares) == pytest.approx(1, abs=1e-4)
        assert float(row["probability"]) == max(shares)
        truth = float(row[f"probability of {row['label']}"])
        assert float(row["loss"]) == pytest.approx(-np.log(truth), abs=1e-3)
    size = effective_size(np.array(correct, float), [row["group"] for row in rows])
    assert summary["independent_images"] == pytest.approx(size)
    assert str(unbroken) + "\n" == (unbroken.path / "summary.txt").read_text()
    assert f"{unbroken.accuracy:.2%} of 56 images" in str(unbroken)


def test_a_fold_is_an_ordinary_run(unbroken):
    run = unbroken.path / "fold-2"
    tested = convscope.evaluate(run, model=MODEL).metrics
    assert tested.to_json() == (run / "test.json").read_text()


@pytest.mark.parametrize("step", [1, 3])
def test_a_stop_within_a_fold_changes_no_bit(patients, tmp_path, unbroken, step):
    class StopInSecond(StopAt):
        def on_run_start(self, event):
            self.is_second = event.path.name == "fold-2"

        def on_step_end(self, state, event):
            if self.is_second:
                super().on_step_end(state, event)

    out, act = tmp_path / "cv", Act()
    with pytest.raises(Interrupted, match=rf"in fold 2 of 3; .* `convscope resume {out}`"):
        cross_validate(patients, out, callbacks=[StopInSecond(step)])
    assert not (out / "fold-3").exists()
    before = (out / "fold-1" / "model.safetensors").stat().st_mtime_ns
    result = cross_validate(patients, out, callbacks=[act])
    assert "1 of 3 folds" in act.notes[0]
    assert (out / "fold-1" / "model.safetensors").stat().st_mtime_ns == before
    assert_same(result, unbroken)


def assert_same(result: CrossValidationResult, other: CrossValidationResult):
    for fold in range(1, FOLDS + 1):
        assert_same_bits(result.path / f"fold-{fold}", other.path / f"fold-{fold}")
    for name in ("predictions.csv", "summary.txt"):
        assert (result.path / name).read_bytes() == (other.path / name).read_bytes()


def die(patients, out, operation, number):
    real, count = getattr(os, operation), 0

    def counted(*arguments):
        nonlocal count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    setattr(os, operation, counted)
    cross_validate(patients, out)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 5, 7, 20, 33, 34, 35, 38, 41, 55, 66, 67, 99, 101, 102])
def test_a_kill_at_any_write_changes_no_bit(patients, tmp_path, unbroken, number):
    out = tmp_path / "cv"
    process = FORKS.Process(target=die, args=(patients, out, "replace", number))
    process.start()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    assert_same(cross_validate(patients, out), unbroken)


@pytest.mark.parametrize("gone", ["predictions.csv", "test.json"])
def test_a_fold_that_was_killed_at_its_end_is_tested_again(patients, tmp_path, unbroken, gone):
    out = tmp_path / "cv"
    shutil.copytree(unbroken.path, out)
    (out / "fold-3" / gone).unlink()
    (out / "summary.json").unlink()
    assert_same(cross_validate(patients, out), unbroken)


def test_another_request_in_the_same_folder_is_refused(patients, unbroken):
    for more, message in [
        (dict(folds=4), "folds is 3, not 4"),
        (dict(lr=0.1), "lr is 0.05, not 0.1"),
        (dict(group_pattern=None), r"group_pattern is '\(p\\\\d\+\)_', not None"),
    ]:
        with pytest.raises(RequestError, match=f"is another cross-validation: {message}"):
            cross_validate(patients, unbroken.path, **more)


def test_data_that_have_changed_are_refused(patients, tmp_path, unbroken):
    data, out = tmp_path / "eyes", tmp_path / "cv"
    shutil.copytree(patients, data)
    shutil.copytree(unbroken.path, out)
    for name in ("cross-validation.toml", "fold-1/config.toml", "fold-2/config.toml"):
        path = out / name
        path.write_text(path.read_text().replace(str(patients), str(data)))
    shutil.rmtree(out / "fold-3")
    image = next((data / "sick").glob("*.png"))
    Image.new("L", (8, 8), 77).save(image)
    with pytest.raises(RequestError, match=r"they have changed since\. Restore them and remove"):
        cross_validate(data, out)
    shutil.rmtree(out / "fold-3")
    image.unlink()
    with pytest.raises(RequestError, match="the images, their labels or their groups have changed"):
        cross_validate(data, out)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (dict(folds=1), "`folds` must be at least 2, not 1."),
        (dict(repeats=0), "`repeats` must be at least 1, not 0."),
        (dict(folds=8), "too few groups of 'sick' (7): each class needs at least 8 for 8 folds"),
        (dict(folds=500, repeats=3), "are 1,500 trainings; at most 1,000"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(patients, tmp_path, more, message):
    with pytest.raises(RequestError, match=re.escape(message)):
        cross_validate(patients, tmp_path / "cv", **more)
    assert not (tmp_path / "cv").exists()


def test_train_and_resume_say_where_folds_are(unbroken):
    with pytest.raises(RequestError, match=r"There is no `n_splits` here: .*cross_validate\(data"):
        convscope.train("digits", n_splits=5)
    with pytest.raises(
        RequestError, match=r"is a cross-validation\. Call convscope\.cross_validate"
    ):
        convscope.resume(unbroken.path)


def test_repeats_have_other_folds_and_a_network_handed_over_is_not_trained(patients, tmp_path):
    network, act = Tiny(), Act()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    result = cross_validate(
        patients, tmp_path / "cv", model=network, repeats=2, epochs=1, callbacks=[act]
    )
    assert all((before[name] == tensor).all() for name, tensor in network.state_dict().items())
    rows = rows_of(result.path / "predictions.csv")
    assert len(rows) == 2 * PATIENTS * IMAGES
    folds = {
        repeat: {row["path"]: row["fold"] for row in rows if row["repeat"] == repeat}
        for repeat in "12"
    }
    assert folds["1"].keys() == folds["2"].keys()
    assert folds["1"] != folds["2"]
    assert len(result.pooled) == 2
    assert result.accuracy == pytest.approx(np.mean([metrics.top1 for metrics in result.pooled]))
    assert "mean of 2 repeats" in str(result)
    assert any(note.startswith("Repeat 2 of 2, fold 3 of 3, in ") for note in act.notes)


def test_copies_lie_in_one_fold_in_all_trainings(patients, tmp_path):
    data = tmp_path / "eyes"
    shutil.copytree(patients, data)
    for copy, of in (("p0_0", "p8_1"), ("p4_2", "p12_3")):  # of two patients each
        shutil.copy(data / "well" / f"{of}.png", data / "well" / f"{copy}.png")
    result = cross_validate(data, tmp_path / "cv", epochs=1)
    rows = {row["path"]: row["fold"] for row in rows_of(result.path / "predictions.csv")}
    assert len(rows) == PATIENTS * IMAGES
    assert rows["well/p0_3.png"] == rows["well/p8_3.png"]
    assert rows["well/p4_0.png"] == rows["well/p12_0.png"]


def test_images_of_the_datas_own_test_split_stay_apart(patients, tmp_path):
    data, act = tmp_path / "eyes", Act()
    for name in ("sick", "well"):
        for path in (patients / name).glob("*.png"):
            split = "test" if path.name.startswith(("p0_", "p1_")) else "train"
            (data / split / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, data / split / name)
    result = cross_validate(data, tmp_path / "cv", epochs=1, callbacks=[act])
    assert any("The 8 images of the test split of eyes stay apart" in note for note in act.notes)
    rows = rows_of(result.path / "predictions.csv")
    assert len(rows) == (PATIENTS - 2) * IMAGES
    assert not any(row["path"].startswith("test/") for row in rows)


def test_a_prediction_that_is_missing_is_noticed(patients, tmp_path, unbroken):
    out = tmp_path / "cv"
    shutil.copytree(unbroken.path, out)
    path = out / "fold-1" / "predictions.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(WorkError, match="is in the test of 0 folds, not of 1"):
        cross_validate(patients, out)


def test_the_command_goes_on_in_its_own_folder_and_resume_too(command, tmp_path):
    words = ("train", "digits", "--folds", 2, "--steps", 1, "--engine", "torch")
    first = json.loads(command(*words, "--json", cwd=tmp_path).stdout)
    folder = tmp_path / first["run"]
    assert folder.name.endswith("_lenet5_digits_2-folds")
    (folder / "summary.json").unlink()
    shutil.rmtree(folder / "fold-2")
    again = command(*words, "--json", cwd=tmp_path)
    assert json.loads(again.stdout) == first
    assert "1 of 2 folds" in again.stderr
    (folder / "fold-2" / "predictions.csv").unlink()
    done = command("resume", folder, cwd=tmp_path)
    for part in ("Fold 2 of 2, in", "All folds together:", "true \\ predicted", "summary.json)"):
        assert part in done.stdout
    refused = command("resume", folder, "--epochs", 3, code=2).stderr
    assert "is a cross-validation, whose trainings all have the settings" in refused


def test_an_effective_size_is_that_of_independent_images_where_groups_say_nothing():
    random = np.random.default_rng(0)
    alone = (random.random(4000) < 0.8).astype(float)
    assert effective_size(alone, range(4000)) == 4000
    assert 3200 < effective_size(alone, [n // 4 for n in range(4000)]) <= 4000
    together = np.repeat(alone[:1000], 4)  # all four of a patient are right or wrong
    assert effective_size(together, [n // 4 for n in range(4000)]) == pytest.approx(1000, rel=0.01)
    assert effective_size(np.ones(12), [n // 4 for n in range(12)]) == 3


def test_several_labels_are_summarized_over_all_folds(tmp_path):
    metrics = pytest.importorskip("sklearn.metrics")
    pixels = np.random.default_rng(0).integers(0, 256, (24, 8, 8), np.uint8)
    labels = np.stack([np.arange(24) % 2, np.arange(24) // 2 % 2, np.arange(24) % 3 < 2], 1)
    more = dict(group_pattern=None, folds=2, task="multi-label")
    result = cross_validate((pixels, labels), tmp_path / "cv", model=Tiny(3), **more)
    rows = rows_of(tmp_path / "cv" / "predictions.csv")
    assert len({row["path"] for row in rows}) == 24
    index = [int(row["path"]) for row in rows]
    scores = np.array([[float(row[f"probability of {name}"]) for name in "012"] for row in rows])
    expected = metrics.average_precision_score(labels[index], scores, average="macro")
    [pooled] = result.pooled
    assert pooled.map == pytest.approx(expected, abs=1e-4)
    assert pooled.value("micro_f1") == pytest.approx(
        metrics.f1_score(labels[index], scores >= 0.5, average="micro")
    )
    exact = ((scores >= 0.5) == labels[index]).all(1).mean()
    assert result.accuracy == pooled.top1 == pytest.approx(exact)
    summary = json.loads((tmp_path / "cv" / "summary.json").read_text())
    assert summary["task"] == summary["pooled"][0]["task"] == "multi-label"
    assert summary["mean"]["map"] == pytest.approx(np.mean([one.test.map for one in result.folds]))
    assert "Out-of-fold mAP" in repr(result)
    assert "exact match" in str(result)
    assert rows[0]["label"] in ("no label", "; ".join(c for c in "012" if c in rows[0]["label"]))


def test_grades_stay_grades_over_all_folds(patients, tmp_path):
    result = cross_validate(patients, tmp_path / "cv", folds=2, grades="well,sick", epochs=1)
    [pooled] = result.pooled
    assert (pooled.task, pooled.classes) == ("ordinal", ("well", "sick"))
    apart = abs(np.subtract.outer(range(2), range(2)))
    assert pooled.mae == pytest.approx((pooled.confusion * apart).sum() / pooled.num_images)
    summary = json.loads((tmp_path / "cv" / "summary.json").read_text())
    assert summary["mean"]["mae"] == pytest.approx(result.mean("mae"))
    assert "kappa" in str(result)
