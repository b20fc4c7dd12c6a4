"""`convscope synthesize`: pictures of units of a run, and layer inversion, as files and figures."""

import json

import numpy as np
import pytest
from PIL import Image


def test_a_class_of_a_run_beside_the_best_test_image(command, digits_run, tmp_path):
    page = tmp_path / "three.html"
    done = command("synthesize", digits_run, "3", "conv1[2]", "--steps", "3", "-o", page)
    assert "; best of " in done.stdout
    text = page.read_text()
    assert text.count("data:image/png") == 4
    assert "Feature Visualization" in text
    sheet = tmp_path / "three.png"
    again = command(
        "synthesize", digits_run, "3", "conv1[2]", "--steps", "3", "--max-images", "9", "-o",
        sheet, "--json",
    )  # fmt: skip
    payload = json.loads(again.stdout)
    assert [each["target"] for each in payload["pictures"]] == ["3", "conv1[2]"]
    assert payload["pictures"][0]["best"]["num_images"] == 9
    assert payload["file"] == str(sheet)
    with Image.open(sheet) as image:
        assert image.width > 300


def test_an_image_is_found_again(command, digits_run, tmp_path):
    image = tmp_path / "digit.png"
    Image.fromarray(np.eye(8, dtype=np.uint8) * 255).save(image)
    done = command(
        "synthesize", digits_run, "--invert", image, "--layers", "conv1", "fc1", "--steps", "3",
        "-o", tmp_path / "found.html", "--json",
    )  # fmt: skip
    payload = json.loads(done.stdout)
    assert [each["layer"] for each in payload["layers"]] == ["conv1", "fc1"]
    assert "relative error" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["conv1[99]"], "conv1 has no unit '99'"),
        (["conv1[0]", "-o", "x.gif"], "--output: x.gif must end in .html"),
        (["--layers", "conv1", "3"], "--layers belongs to --invert"),
        (["3", "--tv", "1"], "--tv belongs to --invert"),
        (["3", "--invert", "x.png"], "With --invert, name layers with --layers; leave out '3'."),
        ([], "Name what is to be excited"),
    ],
)
def test_a_wrong_request_is_named(command, digits_run, tmp_path, words, message):
    assert message in command("synthesize", digits_run, *words, cwd=tmp_path, code=2).stderr
