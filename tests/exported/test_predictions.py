"""`predict` on an exported network, on a run that has one, and by PyTorch: the same answers."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope import startup
from convscope.errors import RequestError
from convscope.evaluation import network_predictions
from convscope.exported import of_run
from convscope.exported.folder import MANIFEST, ExportedModel
from convscope.exported.of_run import OF_RUN
from convscope.exported.predictions import predict_exported
from convscope.predictions.answering import collect
from convscope.predictions.object_options import ObjectOptions
from tests.exported.conftest import CARD, small_network

FILE_TOLERANCE = 0.01  # of a probability: Pillow scales all images, PyTorch some
RANDOM = np.random.default_rng(0)


def noise(*shape):
    """Smooth enough for scaling to matter little, and different in each part."""
    small = RANDOM.integers(0, 256, (5, 4, *shape[2:]), np.uint8)
    image = Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(image)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Files of every kind that people have."""
    folder = tmp_path_factory.mktemp("images")
    color, gray = Image.fromarray(noise(61, 97, 3)), Image.fromarray(noise(33, 18))
    color.save(folder / "color.jpg")
    color.save(folder / "color.png")
    gray.save(folder / "gray.png")
    gray.save(folder / "gray.jpg")
    Image.fromarray(noise(*CARD.input_size, 3)).save(folder / "native.png")
    Image.fromarray(noise(1999, 1501, 3)).save(folder / "large.jpg")
    Image.fromarray(noise(1, 1, 3)).save(folder / "one.png")
    color.convert("RGBA").save(folder / "alpha.png")
    color.convert("P").save(folder / "palette.gif")
    color.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(noise(40, 50).astype(np.uint16) * 256).save(folder / "deep.png")
    exif = Image.Exif()
    for orientation in range(2, 9):
        exif[0x0112] = orientation
        color.save(folder / f"turned{orientation}.jpg", exif=exif)
    (folder / "bad.jpg").write_bytes(b"<html>not an image</html>")
    (folder / "cut.jpg").write_bytes((folder / "color.jpg").read_bytes()[:900])
    (folder / "notes.txt").write_text("no image")
    return folder


def differences(found, expected):
    assert [one.path for one in found] == [one.path for one in expected]
    return [
        max(abs(dict(one.top_k)[name] - p) for name, p in other.top_k)
        for one, other in zip(found, expected, strict=True)
    ]


def test_answers_are_those_of_pytorch_for_files_of_every_kind(exported, images):
    by_torch = convscope.predict(small_network(), images, top=3)
    found = convscope.predict(exported, images, top=3)
    assert max(differences(found, by_torch)) < FILE_TOLERANCE
    assert len(found) == 18
    assert len({round(one.probability, 3) for one in found}) > 8  # the images do differ
    assert found.unreadable == by_torch.unreadable
    assert len(found.unreadable) == 2
    assert found.notes == by_torch.notes
    assert [small.tobytes() for small in found.thumbnails] == [
        small.tobytes() for small in by_torch.thumbnails
    ]


def test_dicom_files_are_read_as_by_pytorch(exported, tmp_path):
    dicom = pytest.importorskip("tests.data.dicom_files", exc_type=ImportError).dicom
    pixels = noise(44, 31).astype(np.uint16) * 16
    (tmp_path / "scan.dcm").write_bytes(dicom(pixels, bits=12))
    found = convscope.predict(str(exported), tmp_path / "scan.dcm", top=3)
    expected = convscope.predict(small_network(), tmp_path / "scan.dcm", top=3)
    assert max(differences(found, expected)) < FILE_TOLERANCE


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_the_number_of_images_at_a_time_changes_nothing(exported, images, batch_size):
    seen = []
    found = convscope.predict(
        exported, images, top=3, batch_size=batch_size, on_progress=lambda *at: seen.append(at)
    )
    expected = convscope.predict(exported, images, top=3)
    assert max(differences(found, expected)) < 1e-6
    assert found.unreadable == expected.unreadable
    assert seen[-1] == (20, 20)
    assert len(seen) == -(-20 // batch_size)


def test_what_is_no_file_is_taken_too(exported):
    pixels = noise(30, 40, 3)
    tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)
    found = convscope.predict(exported, [pixels, Image.fromarray(pixels), tensor])
    assert len({one.top_k for one in found}) == 1
    assert [one.path for one in found] == ["image 0", "image 1", "image 2"]


PROGRAM = """
import sys
from convscope.__main__ import main
try:
    main()
except SystemExit as end:
    print(end.code, "torch" in sys.modules, file=sys.stderr)
"""


def run_command(*words):
    """The command line in a process of its own; whether it imported torch."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, words)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    *errors, last = done.stderr.splitlines()
    code, has_torch = last.split()
    return done.stdout, errors, int(code), has_torch == "True"


def test_the_command_imports_no_torch_whatever_its_format(exported, images):
    by_torch = convscope.predict(small_network(), images / "color.jpg", top=2)
    for words in ([], ["--format", "csv"], ["--json"]):
        output, errors, code, has_torch = run_command(
            "predict", exported, images / "color.jpg", "--top", 2, "--threads", 1, *words
        )
        assert (errors, code, has_torch) == ([], 0, False)
        assert str(images / "color.jpg") in output
        assert by_torch[0].label in output
    told = json.loads(output)["predictions"][0]
    assert told.keys() == by_torch[0].to_dict().keys()


def test_without_options_no_parser_is_imported(exported, images):
    """It would take as long as the engine to start; what is printed is the same."""
    program = (
        "import sys; from convscope.cli import main\n"
        "try: main()\n"
        "except SystemExit: print('cyclopts' in sys.modules, file=sys.stderr)"
    )
    files = [images / "color.jpg", images / "bad.jpg"]
    plain, full = (
        subprocess.run(
            [sys.executable, "-c", program, "predict", exported, *files, *more],
            capture_output=True, text=True, check=True,
        )
        for more in ([], ["--top", "3"])
    )  # fmt: skip
    assert plain.stdout == full.stdout
    assert plain.stderr.splitlines()[:-1] == full.stderr.splitlines()[:-1]
    assert (plain.stderr.splitlines()[-1], full.stderr.splitlines()[-1]) == ("False", "True")


def test_an_unreadable_image_is_told_and_fails_alone(exported, images):
    _, errors, code, has_torch = run_command("predict", exported, images / "bad.jpg")
    assert errors[0].startswith(f"{images / 'bad.jpg'} is ")
    assert errors[1] == "convscope: None of the 1 images could be read."
    assert (code, has_torch) == (1, False)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--weights", "torchvision:resnet18"], "leave out --weights."),
        (["--trust", "--model", "a:b"], "leave out --model and --trust."),
        (["--class-names", "a,b,c"], "leave out --class-names."),
        (["--input-size", "8"], "leave out --input-size."),
        (["--device", "cuda"], "leave out --device, or predict with the run"),
    ],
)
def test_options_of_networks_are_refused(exported, images, words, sentence):
    _, errors, code, has_torch = run_command("predict", exported, images, *words)
    assert f"{exported} is an exported network, " in errors[0]
    assert sentence in errors[0]
    assert (code, has_torch) == (2, False)


def test_other_commands_say_what_to_do(exported, images):
    answer = "is an exported network, with which `convscope predict` classifies images"
    with pytest.raises(RequestError, match=answer):
        convscope.evaluate(exported, images)
    with pytest.raises(RequestError, match=answer):
        convscope.explain(exported, images / "color.jpg", at="conv1[0,0,0]")
    with pytest.raises(RequestError, match=answer):
        convscope.summary(str(exported))
    with pytest.raises(RequestError, match=answer):
        convscope.export(exported, "elsewhere")
    _, errors, code, _ = run_command("lab", exported)
    assert "name the run that it was exported from" in errors[0]
    assert code == 2


def test_damaged_folders_say_what_is_damaged(exported, images):
    path = exported / MANIFEST
    path.write_text(path.read_text()[:-20])
    _, errors, code, has_torch = run_command("predict", exported, images)
    assert str(path) in errors[0]
    assert (code, has_torch) == (2, False)
    assert len(errors) == 1


@pytest.fixture(scope="module")
def _exported_run(digits_run, tmp_path_factory):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    run = shutil.copytree(digits_run, tmp_path_factory.mktemp("runs") / "digits")
    assert convscope.export(run, engine="onnxruntime").path == run / OF_RUN
    return run


@pytest.fixture
def exported_run(_exported_run, tmp_path):
    return shutil.copytree(_exported_run, tmp_path / "run")


@pytest.fixture
def notes_for_torch(monkeypatch):
    """The notes with which PyTorch was asked to predict; None where it was not."""
    asked = []
    monkeypatch.setattr(
        network_predictions, "predict_by_torch", lambda *_, **settings: asked.append(settings)
    )
    return lambda: asked[0]["notes"] if asked else None


def test_a_run_answers_by_its_exported_network(exported_run, images, monkeypatch):
    by_torch = convscope.predict(exported_run, images, device="cpu", top=10)
    _, errors, code, has_torch = run_command("predict", exported_run, images / "color.jpg")
    assert (errors, code, has_torch) == ([], 0, False)
    monkeypatch.setattr(network_predictions, "predict_by_torch", None)
    found = convscope.predict(exported_run, images, top=10)
    assert max(differences(found, by_torch)) < FILE_TOLERANCE
    assert found.notes == by_torch.notes


@pytest.mark.parametrize("setting", [{"device": "cpu"}, {"trust": True}])
def test_options_of_pytorch_ask_for_it(exported_run, images, notes_for_torch, setting):
    convscope.predict(exported_run, images, **setting)
    assert notes_for_torch() == []


def test_other_weights_than_those_exported_are_never_mixed_up(exported_run, images):
    path = exported_run / OF_RUN / MANIFEST
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"weights": "0" * 64}))
    _, errors, _, has_torch = run_command("predict", exported_run, images / "color.jpg")
    assert has_torch
    assert "other weights or another card than the run has now. Export it again." in errors[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / MANIFEST).write_text("{}"),
        lambda folder: (folder / "card.json").unlink(),
        lambda folder: (folder.parent / "card.json").write_text(
            (folder / "card.json").read_text().replace("0.", "0.1", 1)
        ),
    ],
)
def test_what_is_damaged_is_not_used_and_this_is_said(
    exported_run, images, change, notes_for_torch
):
    change(exported_run / OF_RUN)
    convscope.predict(exported_run, images)
    assert f"{exported_run / OF_RUN} is not used: " in notes_for_torch()[0]


def test_a_network_of_lower_precision_answers_only_where_it_is_named(
    exported_run, images, notes_for_torch
):
    path = exported_run / OF_RUN / MANIFEST
    path.write_text(path.read_text().replace('"float32"', '"int8"'))
    assert convscope.predict(exported_run / OF_RUN, images)
    assert notes_for_torch() is None
    convscope.predict(exported_run, images)
    assert notes_for_torch() == []


def test_pytorch_is_not_loaded_ahead_for_an_exported_network(exported_run, tmp_path):
    own = exported_run / OF_RUN
    assert startup.exported_folder(["predict", "--json", str(exported_run), "a"]) == str(own)
    assert startup.exported_folder(["predict", str(own)]) == str(own)
    assert not startup.exported_folder(["predict", str(tmp_path), "no\0path"])
    assert not startup.exported_folder(["evaluate", str(own)])


def test_a_network_that_is_no_run_needs_a_folder_for_its_export():
    with pytest.raises(RequestError, match="is no run, into whose folder it could be exported"):
        convscope.export(small_network())


def test_processes_that_torchrun_started_share_the_images(exported, images):
    parts = [
        predict_exported(
            ExportedModel.open(exported),
            images,
            top=3,
            batch_size=3,
            threads=1,
            objects=ObjectOptions(),
            rank=rank,
            size=2,
        )
        for rank in range(2)
    ]
    card = ExportedModel.open(exported).card
    found = collect([answers for answers, _ in parts], parts[0][1], card, ObjectOptions())
    expected = convscope.predict(exported, images, top=3, batch_size=3)
    assert list(found) == list(expected)
    assert (found.unreadable, found.notes) == (expected.unreadable, expected.notes)


def test_without_its_engine_the_run_itself_answers_and_this_is_said(
    exported_run, images, monkeypatch, notes_for_torch
):
    monkeypatch.setattr(of_run, "is_installed", lambda _name: False)
    convscope.predict(exported_run, images)
    assert "and none of them is installed." in notes_for_torch()[0]
