"""An exported network answers as the network did, or says why it cannot."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from convscope.data.normalize import normalize
from convscope.errors import RequestError, WorkError
from convscope.exported import classifier as classifier_module
from convscope.exported.classifier import default_threads, open_classifier
from convscope.exported.golden import golden_difference
from tests.exported.conftest import CARD, small_network


def pixels(count=5):
    shape = (count, *CARD.input_size, CARD.in_channels)
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def change(folder, **values):
    path = folder / "export.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_probabilities_are_those_of_the_network(exported):
    classifier = open_classifier(exported)
    with torch.inference_mode():
        logits = small_network()(normalize(torch.from_numpy(pixels()), CARD))
    expected = logits.double().softmax(1).numpy()
    assert np.abs(classifier(pixels()) - expected).max() < 1e-6
    assert np.ptp(expected[:, 0]) > 0.01  # the images do differ
    assert classifier.card == CARD
    assert classifier.engine_name == "onnxruntime"


def test_torch_is_not_imported(exported):
    code = (
        "import sys, numpy; from convscope.exported.classifier import open_classifier\n"
        f"classifier = open_classifier({str(exported)!r})\n"
        "print(classifier(numpy.zeros((1, 16, 20, 3), 'uint8')).shape, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(1, 3) False\n"


@pytest.mark.parametrize("name", ["model.onnx"])
def test_a_file_that_was_changed_is_refused(exported, name):
    content = bytearray((exported / name).read_bytes())
    content[len(content) // 2] ^= 1
    (exported / name).write_bytes(content)
    with pytest.raises(RequestError, match=r"model.onnx is not the file that was exported"):
        open_classifier(exported)


def test_a_file_that_is_missing_is_named(exported):
    (exported / "model.onnx").unlink()
    with pytest.raises(RequestError, match=r"model.onnx could not be read: No such file"):
        open_classifier(exported)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no pipes in its file system")
def test_a_pipe_is_not_waited_for(exported):
    (exported / "model.onnx").unlink()
    os.mkfifo(exported / "model.onnx")
    with pytest.raises(RequestError, match="it is a pipe"):
        open_classifier(exported)


def test_an_engine_that_is_not_installed_is_named(exported, monkeypatch):
    monkeypatch.setattr(classifier_module, "is_installed", lambda name: False)
    change(exported, engines=["openvino", "onnxruntime"])
    with pytest.raises(RequestError, match="runs in openvino or onnxruntime, and none of them is"):
        open_classifier(exported)


def test_the_first_installed_engine_of_the_manifest_is_taken(exported, monkeypatch):
    monkeypatch.setattr(classifier_module, "is_installed", lambda name: name == "onnxruntime")
    change(exported, engines=["openvino", "onnxruntime"])
    assert open_classifier(exported).engine_name == "onnxruntime"


def test_an_engine_that_it_was_not_exported_for_is_refused(exported):
    with pytest.raises(RequestError, match="was not exported for 'openvino'; it has files for: o"):
        open_classifier(exported, engine="openvino")


def test_a_later_version_of_the_folder_is_refused(exported):
    change(exported, version=99)
    with pytest.raises(RequestError, match="version"):
        open_classifier(exported)


def test_another_version_of_the_engine_must_give_the_answers_of_then(exported, monkeypatch):
    change(exported, made_with={"onnxruntime": "1.0.0"})
    open_classifier(exported)  # it does
    monkeypatch.setattr(
        classifier_module, "probabilities", lambda output, card: np.full((3, 3), 1 / 3)
    )
    with pytest.raises(WorkError, match=r"answers otherwise than onnxruntime 1.0.0, in which"):
        open_classifier(exported)


def test_the_same_version_of_the_engine_is_not_checked_again(exported, monkeypatch):
    monkeypatch.setattr(
        classifier_module, "check_golden", lambda classifier: pytest.fail("checked")
    )
    open_classifier(exported)


def test_answers_that_are_no_numbers_never_agree(exported):
    path = exported / "golden.safetensors"
    wrong = np.full((3, 3), np.nan)
    assert golden_difference(path, "onnxruntime", lambda images: wrong) == np.inf
    assert golden_difference(path, "onnxruntime", lambda images: wrong[:, :2]) == np.inf
    assert golden_difference(path, "openvino", lambda images: wrong) is None


def test_damaged_golden_images_are_refused(exported):
    (exported / "golden.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    with pytest.raises(RequestError, match="is damaged"):
        golden_difference(exported / "golden.safetensors", "onnxruntime", lambda images: images)


def test_threads_follow_omp_num_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert default_threads() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "none")
    assert 1 <= default_threads() <= os.cpu_count()
