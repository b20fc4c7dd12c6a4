"""Each check finds what was planted, and nothing in a data set without faults."""

import csv
import json
from io import StringIO

import numpy as np
import pytest
from PIL import Image, ImageFilter

import convscope
from convscope.checks.api import CHECKS
from convscope.checks.page import page
from convscope.cli import main
from convscope.errors import RequestError
from convscope.words.csv_text import from_cell
from tests.checks.pictures import TURN, leaves

CLASSES = ("cat", "dog")


def save(path, image, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(5)
    return [leaves(random, 96, 72, 60) for _ in range(60)]


@pytest.fixture
def clean(tmp_path, images):
    """A folder of 60 images of two classes, without faults."""
    root = tmp_path / "pets"
    for number, image in enumerate(images):
        save(root / CLASSES[number % 2] / f"{number // 2:03d}.png", image)
    return root


def found(root, **options):
    return {outcome.check: outcome for outcome in convscope.check(root, **options).outcomes}


def test_nothing_is_found_in_clean_images(clean):
    report = convscope.check(clean)
    assert report.outcomes == ()
    assert report.to_dict()["checks"] == []
    assert list(csv.reader(StringIO(report.to_csv())))[1:] == []


def plant_unreadable(root, _images):
    (root / "cat" / "bad.png").write_bytes(b"")
    return {"unreadable": [("cat/bad.png", "is empty (0 bytes)")]}


def plant_repeated(root, images):
    save(root / "dog" / "copy.bmp", images[1])
    return {"duplicates": [("dog/copy.bmp", "has equal pixels")]}


def plant_conflict(root, images):
    save(root / "dog" / "z.png", images[0])
    return {"conflicting-labels": [("dog/z.png", "is dog, and cat")]}


def plant_near_duplicate(root, images):
    save(root / "dog" / "z.jpg", images[1].transpose(TURN.ROTATE_90), quality=80)
    return {"near-duplicates": [("dog/z.jpg", "turned by 90° to the left, similarity")]}


def plant_blank(root, _images):
    save(root / "dog" / "z.png", Image.new("RGB", (96, 72), "teal"))
    return {"blank": [("dog/z.png", "mean")]}


def plant_dark(root, _images):
    random = np.random.default_rng(9)
    save(root / "dog" / "z.png", leaves(random, 96, 72).point(lambda value: value // 6))
    return {"dark": [("dog/z.png", "mean")]}


def plant_bright(root, _images):
    random = np.random.default_rng(9)
    save(root / "dog" / "z.png", leaves(random, 96, 72).point(lambda value: 215 + value // 7))
    return {"bright": [("dog/z.png", "mean")]}


def plant_faint(root, _images):
    random = np.random.default_rng(9)
    save(root / "dog" / "z.png", leaves(random, 96, 72).point(lambda value: 110 + value // 10))
    return {"low-contrast": [("dog/z.png", "mean")]}


def plant_blurred(root, _images):
    image = leaves(np.random.default_rng(9), 96, 72)
    save(root / "dog" / "z.png", image.filter(ImageFilter.GaussianBlur(4)))
    return {"blurred": [("dog/z.png", "sharpness")]}


def plant_size(root, _images):
    save(root / "dog" / "z.png", leaves(np.random.default_rng(9), 16, 12))
    return {"sizes": [("dog/z.png", "16x12 pixels")]}


def plant_gray(root, _images):
    save(root / "dog" / "z.png", leaves(np.random.default_rng(9), 96, 72).convert("L"))
    return {"mixtures": [("dog/z.png", "gray")]}


def plant_outlier(root, _images):
    colors = np.array([[255, 0, 255], [0, 255, 0]], np.uint8)
    halves = colors[np.indices((72, 96))[1] // 48]
    halves[::2] //= 2  # lines: it is not blurred
    save(root / "dog" / "z.png", Image.fromarray(halves))
    return {"outliers": [("dog/z.png", "standard deviations")]}


PLANTS = [
    plant_unreadable, plant_repeated, plant_conflict, plant_near_duplicate, plant_blank, plant_dark,
    plant_bright, plant_faint, plant_blurred, plant_size, plant_gray, plant_outlier,
]  # fmt: skip


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_what_is_planted_is_found_alone(plant, clean, images):
    planted = plant(clean, images)
    report = convscope.check(clean, skip=["shortcuts", "wrong-labels"])
    (name,) = planted
    assert report.images(name) == [key for key, _ in planted[name]]
    assert all(
        finding.detail.startswith(detail) or detail in finding.detail
        for finding, (_, detail) in zip(report[name].findings, planted[name], strict=True)
    )
    others = {
        (outcome.check, report.inspection.key(finding.images[0]))
        for outcome in report.outcomes
        for finding in outcome.findings
        if outcome.check != name
    }
    assert {key for _, key in others} <= {key for key, _ in planted[name]}


@pytest.fixture
def leaking(tmp_path, images):
    """A folder with splits: an equal image, a mirrored one and a patient are in two of them."""
    root = tmp_path / "leaking"
    for number, image in enumerate(images[:40]):
        split = "train" if number < 28 else "test"
        save(root / split / CLASSES[number % 2] / f"p{number:03d}_a.png", image)
    save(root / "test" / "cat" / "p100_a.bmp", images[0])
    save(root / "test" / "dog" / "p101_a.png", images[1].transpose(TURN.FLIP_LEFT_RIGHT))
    save(root / "test" / "cat" / "p002_b.png", images[50])
    return root


def test_leaks_over_splits_are_errors_and_come_first(leaking):
    report = convscope.check(leaking, group_pattern=r"p\d+")
    leaks = report.outcomes[0]
    assert (leaks.check, leaks.severity) == ("leaks", "error")
    told = {report.inspection.key(f.images[0]): f.detail for f in leaks.findings}
    key = report.inspection.key
    pairs = {tuple(sorted(map(key, finding.images))) for finding in leaks.findings}
    assert pairs == {
        ("test/cat/p100_a.bmp", "train/cat/p000_a.png"),
        ("test/dog/p101_a.png", "train/dog/p001_a.png"),
        ("test/cat/p002_b.png", "train/cat/p002_a.png"),
    }
    assert any("with equal pixels" in detail for detail in told.values())
    assert any("mirrored, similarity" in detail for detail in told.values())
    assert any("group 'p002' is in" in detail for detail in told.values())


def test_classes_of_unlike_sizes_are_told(tmp_path, images):
    for number, image in enumerate(images):
        save(tmp_path / CLASSES[number < 2] / f"{number}.png", image)
    outcome = found(tmp_path, skip=["near-duplicates", "wrong-labels"])["class-balance"]
    assert "'cat' has 58 images, 'dog' has 2" in outcome.summary


def test_a_size_that_tells_the_class_is_a_shortcut(tmp_path, images):
    for number, image in enumerate(images):
        label = number % 2
        save(tmp_path / CLASSES[label] / f"{number}.png", image.crop((0, 0, 90 - 10 * label, 70)))
    outcome = found(tmp_path, skip=["near-duplicates", "wrong-labels"])["shortcuts"]
    assert "The size of an image alone tells its class" in outcome.summary


def test_arrays_are_checked_as_files_are(images):
    pixels = np.stack([np.asarray(image) for image in images])
    report = convscope.check((np.concatenate([pixels, pixels[:1]]), [0, 1] * 30 + [1]))
    assert [outcome.check for outcome in report.outcomes] == ["conflicting-labels"]


def test_an_unknown_check_cannot_be_left_out():
    with pytest.raises(RequestError, match="no check 'dupes'"):
        convscope.check("digits", skip=["dupes"])


def test_data_of_which_nothing_can_be_read_are_refused(tmp_path):
    for name in CLASSES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(b"")
    with pytest.raises(RequestError, match=r"None of the 2 images .* is empty"):
        convscope.check(tmp_path)


def run(*words):
    with pytest.raises(SystemExit) as exit_:
        main(["check", *map(str, words)])
    return exit_.value.code


def test_the_command_writes_json_csv_and_a_page_and_changes_nothing(leaking, tmp_path, capsys):
    before = {path: path.read_bytes() for path in leaking.rglob("*.*")}
    html, table = tmp_path / "out.html", tmp_path / "out.csv"
    assert run(leaking, "--group-pattern", r"p\d+", "--json", "--html", html, "--csv", table) == 0
    output = capsys.readouterr()
    report = json.loads(output.out)
    assert "leaks" in output.err
    assert report["checks"][0]["check"] == "leaks"
    rows = list(csv.DictReader(StringIO(table.read_text("utf-8"))))
    assert len(rows) == sum(len(one["findings"]) for one in report["checks"])
    assert {from_cell(row["image"]) for row in rows} >= {"train/cat/p002_a.png"}
    text = html.read_text("utf-8")
    assert "http:" not in text
    assert "https:" not in text
    assert "<script" not in text
    assert "data:image/jpeg" in text
    assert {path: path.read_bytes() for path in leaking.rglob("*.*")} == before


def test_strict_fails_for_errors_alone(leaking, clean, images):
    assert run(leaking, "--skip", "wrong-labels") == 0
    assert run(leaking, "--strict", "--skip", "wrong-labels") == 1
    plant_near_duplicate(clean, images)
    assert run(clean, "--strict", "--skip", "wrong-labels") == 0


def test_names_are_text_in_the_page(tmp_path, images):
    for number, image in enumerate(images[:4]):
        save(tmp_path / CLASSES[number % 2] / f"<b>{number}.png", image)
    save(tmp_path / "<i>" / "copy<u>.png", images[0])
    text = page(convscope.check(tmp_path))
    assert "&lt;i&gt;" in text
    assert "copy&lt;u&gt;" in text
    assert "<u>" not in text


def test_every_check_is_described():
    assert all(find.__module__.startswith("convscope.checks.") for find in CHECKS.values())


def test_several_labels_are_counted_and_told_apart(tmp_path, images, capsys):
    root = tmp_path / "pets"
    rows = ["path,labels"]
    for number, image in enumerate(images[:40]):
        save(root / f"{number:02d}.png", image)
        labels = ["cat"] * (number % 2) + ["dog"] * (number % 3 == 0) + ["fox"] * (number == 5)
        rows.append(f"{number:02d}.png,{'; '.join(labels)}")
    save(root / "copy.bmp", images[1])
    rows.append("copy.bmp,dog")
    (root / "labels.csv").write_text("\n".join(rows))
    report = convscope.check(root / "labels.csv", task="multi-label")
    assert "'fox' is on 1 of 41 images" in report["class-balance"].summary
    assert "Fewer than 10 images: 'fox' (1)." in report["class-balance"].summary
    (finding,) = report["conflicting-labels"].findings
    assert {report.inspection.label(index) for index in finding.images} == {"cat", "dog"}
    assert report.skipped["shortcuts"] == "an image may have several labels"
    assert "tells none of the labels" in report.skipped["wrong-labels"]
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["check", str(root / "labels.csv"), "--task", "multi-label"])
    assert "Not checked: shortcuts" in capsys.readouterr().out
