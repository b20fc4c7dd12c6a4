"""Slices that are worse are found, by exact tests, and none where there is none."""

import numpy as np
import pytest
from PIL import Image
from scipy import stats

import convscope
from convscope.evaluation.attributes import quarters
from convscope.evaluation.slices import find_slices
from convscope.evaluation.stratified_test import (
    chance_by_groups,
    chance_of_as_many,
    holm,
    student_tail,
)

CLASSES = ("disc", "square")


def test_of_one_class_it_is_fishers_test():
    rng = np.random.default_rng(0)
    for _ in range(20):
        wrong, chosen = rng.random(60) < 0.3, rng.random(60) < 0.4
        table = [[(wrong & chosen).sum(), (~wrong & chosen).sum()],
                 [(wrong & ~chosen).sum(), (~wrong & ~chosen).sum()]]  # fmt: skip
        expected = stats.fisher_exact(table, alternative="greater").pvalue
        found = chance_of_as_many(wrong, chosen, np.zeros(60, np.int64))
        assert found == pytest.approx(expected)


def test_of_several_classes_it_is_how_often_shuffled_images_are_as_bad():
    rng = np.random.default_rng(1)
    strata = rng.integers(0, 4, 120)
    chosen = rng.random(120) < 0.2 + 0.15 * strata
    wrong = rng.random(120) < 0.1 + 0.15 * strata + 0.15 * chosen
    observed, as_many, draws = (wrong & chosen).sum(), 0, 8_000
    for _ in range(draws):
        shuffled = wrong.copy()
        for stratum in range(4):
            of = strata == stratum
            shuffled[of] = rng.permutation(wrong[of])
        as_many += (shuffled & chosen).sum() >= observed
    assert chance_of_as_many(wrong, chosen, strata) == pytest.approx(as_many / draws, abs=0.015)
    assert chance_of_as_many(strata == 3, strata == 3, strata) == 1  # the slice is a class


def test_students_distribution_and_holm():
    for degrees in (1, 2, 7, 200):
        for t in (-2.0, 0.0, 0.5, 3.0, 9.0):
            expected = stats.t.sf(t, degrees)
            assert student_tail(t, degrees) == pytest.approx(expected, rel=1e-3)
    chances = np.array([0.3, 0.001, 0.02, 0.0166, 0.9])
    assert holm(chances, 0.05).tolist() == [False, True, False, False, False]
    assert holm(np.array([0.02, 0.001, 0.025]), 0.05).all()


def test_the_planted_slice_is_found_and_not_the_harder_class():
    rng = np.random.default_rng(0)
    strata = rng.integers(0, 2, 600)
    camera = np.where(rng.random(600) < 0.25, "Topcon", "Canon")
    hospital = np.where(strata == 1, "north", rng.choice(["north", "south"], 600))
    right = rng.random(600) > 0.05 + 0.3 * strata + 0.25 * (camera == "Topcon")
    attributes = {
        "camera": camera.tolist(),
        "scanner": np.where(camera == "Topcon", "B", "A").tolist(),  # the same images
        "hospital": hospital.tolist(),  # where all images of the harder class are from
        "class": strata.astype(str).tolist(),
    }
    found = find_slices(right, strata, attributes)
    [slice_] = found.found
    assert slice_.title == "camera: Topcon, scanner: B"
    assert slice_.indices.tolist() == np.flatnonzero(camera == "Topcon").tolist()
    assert slice_.accuracy.value == right[camera == "Topcon"].mean()
    others = camera == "Canon"
    shares = [right[others & (strata == c)].mean() for c in strata[camera == "Topcon"]]
    assert slice_.expected == pytest.approx(np.mean(shares))
    assert found.num_compared == 4  # two cameras, two hospitals
    assert "class" not in found.properties
    assert found.rows()[1][0] == slice_.title
    assert find_slices(right, strata, {}).describe().startswith("No slices were compared")


@pytest.mark.parametrize("grouped", [False, True])
def test_of_data_without_slices_one_in_twenty_at_most_has_a_finding(grouped):
    """Of a patient, all images have one camera, and are right or wrong together."""
    rng = np.random.default_rng(2)
    named = 0
    for _ in range(100):
        strata = rng.integers(0, 3, 240)
        patients = np.repeat(np.arange(60), 4) if grouped else np.arange(240)
        count = patients[-1] + 1
        bad = np.where(rng.random(count) < 0.2, 0.7, 0.05)[patients] if grouped else 0.2
        right = rng.random(240) > bad
        attributes = {
            name: rng.integers(0, 3, count)[patients].astype(str).tolist() for name in "abcd"
        }
        groups = patients.astype(str).tolist() if grouped else None
        named += bool(find_slices(right, strata, attributes, groups).found)
    assert named <= 11  # 5 are expected, and 11 are exceeded once in two hundred


def test_a_slice_of_one_group_is_not_claimed():
    wrong, groups = np.arange(60) < 20, np.arange(60) // 20
    assert chance_of_as_many(wrong, wrong, np.zeros(60, np.int64)) < 1e-10
    assert chance_by_groups(wrong, wrong, np.zeros(60, np.int64), groups) == 1


def test_quarters_keep_equal_numbers_together():
    assert quarters(np.array([1.0, 2, 3, 4]), str) == [
        "1.0 to 1.75", "1.75 to 2.5", "2.5 to 3.25", "3.25 to 4.0",
    ]  # fmt: skip
    assert quarters(np.array([5.0, 5, 5, np.nan]), str) == ["5.0", "5.0", "5.0", ""]
    assert len(set(quarters(np.array([0.0] * 60 + [1, 2, 3]), str))) == 1
    assert quarters(np.array([np.nan]), str) == [""]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A run, and its test images from two cameras, of which one is darker and mislabeled."""
    root = tmp_path_factory.mktemp("shapes")
    rng = np.random.default_rng(0)
    rows = ["path,label,split,nurse,age"]
    for number in range(300):
        label, is_test = number % 2, number >= 120
        pixels = rng.normal(120, 10, (16, 16))
        pixels[4:12, 4:12] += 90 if label else 0
        bad = is_test and number % 3 == 0
        said = 1 - label if bad and rng.random() < 0.5 else label
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = ("Topcon", "TRC") if bad else ("Canon", "CR-2")
        values = np.clip(pixels * (0.5 if bad else 1), 0, 255).astype(np.uint8)
        Image.fromarray(values).save(root / f"{number}.png", exif=exif)
        split = "test" if is_test else "train"
        rows.append(
            f"{number}.png,{CLASSES[said]},{split},{'AB'[number % 7 < 3]},{20 + number % 31}"
        )
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    run = convscope.train(str(root / "labels.csv"), out=root / "run", model="tinyvgg", epochs=6).run
    return root, run


def test_the_camera_of_files_and_the_columns_of_their_table_are_looked_at(shapes):
    _, run = shapes
    result = convscope.evaluate(run)
    assert {"camera", "brightness", "nurse", "age"} == set(result.slices.properties)
    titles = [found.title for found in result.slices.found]
    assert any("camera: Topcon TRC" in title for title in titles), titles
    assert not any("nurse" in title or "age" in title for title in titles)
    assert all(found.accuracy.value < found.expected for found in result.slices.found)


def test_the_command_prints_slices_and_writes_a_page_of_mistakes(shapes, command, tmp_path):
    root, run = shapes
    said = command("evaluate", run, "--slices", "--html", tmp_path / "m.html").stdout
    assert "camera: Topcon TRC" in said
    assert "Holm's test, 5% for all together" in said
    assert f"Wrote the page of mistakes to {tmp_path / 'm.html'}." in said
    page = (tmp_path / "m.html").read_text()
    result = convscope.evaluate(run)
    assert f"{result.mistakes.wrong} of 180 images are wrong" in page
    assert (root / "labels.csv").exists()
    command("evaluate", run, "--html", tmp_path / "gone" / "m.html", code=2)
