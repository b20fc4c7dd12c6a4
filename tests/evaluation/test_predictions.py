"""`predict` takes images as people have them, and gives what they want next."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

import convscope
from convscope.errors import RequestError
from convscope.predictions.result import Prediction, Predictions


@pytest.fixture(scope="module")
def digit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("digit") / "four.png"
    pixels = np.zeros((8, 8), np.uint8)
    pixels[1:7, 5] = pixels[4, 1:7] = pixels[1:4, 2] = 255
    Image.fromarray(pixels).save(path)
    return path


def test_the_same_image_in_every_form_has_the_same_prediction(digits_run: Path, digit: Path):
    pixels = np.asarray(Image.open(digit))
    (expected,) = convscope.predict(digits_run, str(digit))
    forms = [pixels, Image.fromarray(pixels), pixels / 255, torch.from_numpy(pixels.copy())[None]]
    for image in forms:
        (prediction,) = convscope.predict(digits_run, image)
        assert prediction.top_k == expected.top_k
        assert prediction.path == "image 0"
    found = convscope.predict(digits_run, [digit, *forms, np.full((2, 2), 7.5), None])
    assert found.labels == [expected.label] * 5
    assert [p.probability for p in found] == pytest.approx([expected.probability] * 5)
    assert [p.path for p in found][:2] == [str(digit), "image 1"]
    assert [name for name, _ in found.unreadable] == ["image 5", "image 6"]
    batch = torch.from_numpy(pixels.copy()).expand(3, 1, 8, 8)
    assert convscope.predict(digits_run, batch).labels == [expected.label] * 3


def test_a_folder_says_what_it_leaves_out_and_what_it_uses_in_part(
    digits_run: Path, tmp_path: Path
):
    frames = [Image.new("L", (8, 8), value) for value in (9, 99)]
    for name in "ab":
        frames[0].save(tmp_path / f"{name}.gif", save_all=True, append_images=frames[1:])
    for name in ("c.heic", "d.heic", "e.txt"):
        (tmp_path / name).write_bytes(b"...")
    left_out, animations = convscope.predict(digits_run, tmp_path).notes
    assert left_out == "Left out files that are not read as images: 2 .heic, 1 .txt."
    assert animations.startswith(f"2 images are like {tmp_path / 'a.gif'}, which is an animation")


def test_where_no_image_could_be_read_the_first_prediction_is_missed_with_the_reason(digits_run):
    found = convscope.predict(digits_run, np.zeros((3, 9, 9), np.uint8))
    with pytest.raises(IndexError, match=r"no prediction: image 0 .* channels last"):
        found[0]
    assert list(found) == []
    assert found[:1] == ()


def test_no_image_at_all_is_refused(digits_run: Path):
    for nothing in ([], "", {"a": 1}, 7):
        with pytest.raises(RequestError):
            convscope.predict(digits_run, nothing)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("top", ["three", 0, 1.5])
def test_how_many_answers_is_an_integer(digits_run: Path, digit: Path, top: int):
    with pytest.raises(RequestError, match=r"`top`.* must be integers"):
        convscope.predict(digits_run, digit, top=top)


def test_predictions_are_rows_for_tables_and_can_be_read(digits_run: Path, digit: Path):
    found = convscope.predict(digits_run, [digit, digit.read_bytes(), None], top=2)  # pyright: ignore[reportArgumentType]
    rows = found.to_dicts()
    assert [*rows[0]] == ["path", "label", "probability", "label_2", "probability_2"]
    assert (rows[0]["label"], rows[0]["probability"]) == found[0].top_k[0]
    assert found.labels == [found[0].label, found[1].label]
    assert str(found).startswith(f"{digit}: {found[0].label} ")
    assert repr(found).startswith("<Predictions of 2 images, 1 unreadable>\n")
    page = found._repr_html_()
    assert page.count("<img") == 2
    assert "image 2 is of type NoneType" in page


def test_a_page_of_many_predictions_is_short_and_escaped():
    many = Predictions((Prediction("<b>", (("cat", 0.75), ("dog", 0.25))),) * 1000, ())
    assert "<b>" not in many._repr_html_()
    assert "... and 980 more." in many._repr_html_()
    assert "dog 25.0%" in many._repr_html_()
    assert len(str(many).splitlines()) == 21


def test_a_data_set_is_pointed_to_evaluate(digits_run: Path):
    labeled = TensorDataset(torch.zeros(2, 1, 32, 32), torch.zeros(2))
    with pytest.raises(RequestError, match=r"evaluate\(run, dataset\)"):
        convscope.predict(digits_run, labeled)
