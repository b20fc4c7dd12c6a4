"""An exported network answers as the network did, or says why it cannot."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import convscope
from convscope.cli.printed_export import print_exported
from convscope.conversion import candidates
from convscope.data.normalize import normalize
from convscope.engines import splits
from convscope.engines.splits import Split
from convscope.engines.timing import EngineTimes
from convscope.errors import RequestError, WorkError
from convscope.exported import classifier as classifier_module
from convscope.exported.classifier import default_threads, open_classifier
from convscope.exported.folder import ExportedModel
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
        classifier_module, "answers_of", lambda output, card: np.full((3, 3), 1 / 3)
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


IN_PARTS = {"images": 2, "in_parallel": True}


def test_batches_are_divided_as_export_found_to_be_fastest(exported, monkeypatch):
    change(exported, batch_size=8, splits={"onnxruntime": IN_PARTS})
    sizes, open_workers = [], splits.open_workers

    def watched(name, model, **settings):
        def watch(worker):
            return lambda images: sizes.append(len(images)) or worker(images)

        return [watch(one) for one in open_workers(name, model, **settings)]

    whole = open_classifier(exported, threads=2)(pixels(9))
    monkeypatch.setattr(splits, "open_workers", watched)
    found = open_classifier(exported, threads=2, batch_size=8)(pixels(9))
    assert sorted(sizes) == [1, 2, 2, 2, 2]
    assert np.abs(found - whole).max() < 1e-6
    sizes.clear()
    open_classifier(exported, threads=2)(pixels(1))  # an image alone has both threads
    assert sizes == []


def test_predict_divides_many_images_and_gives_one_all_threads(exported, monkeypatch):
    change(exported, batch_size=8, splits={"onnxruntime": IN_PARTS})
    opened, open_split = [], classifier_module.open_split

    def watched(*args, **settings):
        opened.append((settings["batch_size"], settings["split"]))
        return open_split(*args, **settings)

    monkeypatch.setattr(classifier_module, "open_split", watched)
    images = [*pixels(9)]
    alone = convscope.predict(exported, images[:1], threads=2, batch_size=8)
    many = convscope.predict(exported, images, threads=2, batch_size=8)
    assert opened == [(1, None), (8, Split(**IN_PARTS))]
    assert many.labels[0] == alone.labels[0]
    assert len(many.labels) == 9


def test_as_many_images_are_taken_at_a_time_as_it_was_exported_for(exported):
    model = ExportedModel.open(exported)
    few = model.default_batch_size
    assert few > 1  # they are small
    change(exported, batch_size=few + 5)
    assert ExportedModel.open(exported).default_batch_size == few + 5


@pytest.mark.parametrize("wrong", [{"images": 0, "in_parallel": True}, {"images": 2}, 3])
def test_a_split_of_no_images_is_refused(exported, wrong):
    change(exported, splits={"onnxruntime": wrong})
    with pytest.raises(RequestError, match=r"export.json.* splits.onnxruntime"):
        open_classifier(exported)


def test_export_keeps_the_fastest_split(tmp_path, monkeypatch, capsys):
    def times(runners, _card, *, batch_size):
        assert batch_size == 8
        seconds = {key: 1 + (key is None) for key in runners}  # whole batches are the slowest
        return {key: EngineTimes.of([[value]], 8) for key, value in seconds.items()}

    monkeypatch.setattr(candidates, "time_engines", times)
    done = convscope.export(
        small_network(), tmp_path / "new", engine="onnxruntime", batch_size=8, threads=2
    )
    print_exported(done, json=False)
    model = ExportedModel.open(tmp_path / "new")
    assert model.manifest["batch_size"] == 8
    assert model.split("onnxruntime") == Split(images=1, in_parallel=True)
    parity = json.loads((tmp_path / "new" / "parity.json").read_text())
    assert parity["onnxruntime"]["split"] == {"images": 1, "in_parallel": True}
    assert "1 per thread" in capsys.readouterr().out.splitlines()[1]


def test_a_split_with_other_answers_is_not_kept(tmp_path, monkeypatch):
    def spoiled(name, path, *, split, **settings):
        run = splits.open_split(name, path, split=split, **settings)
        return lambda images: run(images) * (1 + 0.001 * (split.images > 1))

    def times(runners, _card, *, batch_size):
        order = [*runners]  # the last is the fastest
        return {key: EngineTimes.of([[1 / (1 + order.index(key))]], batch_size) for key in order}

    monkeypatch.setattr(candidates, "open_split", spoiled)
    monkeypatch.setattr(candidates, "time_engines", times)
    convscope.export(
        small_network(), tmp_path / "new", engine="onnxruntime", batch_size=8, threads=2
    )
    split = ExportedModel.open(tmp_path / "new").split("onnxruntime")
    assert split == Split(images=1, in_parallel=True)
