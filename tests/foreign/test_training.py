"""A network of another library is trained on other classes, and its run needs the file no more."""

import json

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import RequestError
from tests.foreign.keras_files import layer, sequential, write_h5, write_keras
from tests.foreign.test_convnetjs import fully, made, volume

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 255, (24, 8, 8, 3), dtype=np.uint8)
LABELS = np.arange(24) % 3
SETTINGS = {"epochs": 1, "batch_size": 8, "val": 0, "test": 0.25, "augment": "none"}


def network(units, activation="softmax"):
    kernel, bias = RNG.normal(size=(3, 3, 3, 4)) / 3, RNG.normal(size=4)
    head = [RNG.normal(size=(64, units)) / 8, RNG.normal(size=units)]
    return sequential(
        (8, 8, 3),
        layer("Conv2D", "conv", [kernel, bias], filters=4, kernel_size=[3, 3], padding="same"),
        layer("MaxPooling2D", "pool", pool_size=[2, 2]),
        layer("Flatten", "flatten"),
        layer("Dense", "head", head, units=units, activation=activation),
    )


def keras(path):
    pytest.importorskip("h5py", reason="needs the extra keras")
    return write_keras(path.with_suffix(".keras"), network(10))


def keras_2(path):
    pytest.importorskip("h5py", reason="needs the extra keras")
    return write_h5(path.with_suffix(".h5"), network(1, "sigmoid"))


def convnetjs(path):
    kernels = [volume(RNG.normal(size=(3, 3, 3)) / 3) for _ in range(4)]
    conv = made("conv", (8, 8, 4), sx=3, sy=3, stride=1, pad=1, filters=kernels)
    conv["biases"] = volume(RNG.normal(size=(1, 1, 4)))
    layers = [
        made("input", (8, 8, 3)), conv, made("pool", (4, 4, 4), sx=2, sy=2, stride=2, pad=0),
        fully(5, 64)[0], made("softmax", (1, 1, 5)),
    ]  # fmt: skip
    path = path.with_suffix(".json")
    path.write_text(json.dumps({"layers": layers}))
    return path


@pytest.mark.parametrize("write", [keras, keras_2, convnetjs])
def test_a_run_is_loaded_without_the_file(write, tmp_path):
    path = write(tmp_path / "net")
    untrained = convscope.create_model(path).state_dict()
    first = next(iter(untrained))
    run = tmp_path / "run"
    convscope.train((IMAGES, LABELS), model=str(path), lr=1e-9, weight_decay=0, out=run, **SETTINGS)
    path.unlink()
    net, card = convscope.load(run)
    assert not net.training
    assert len(card.classes) == 3
    assert card.output == "logits"
    torch.testing.assert_close(net.state_dict()[first], untrained[first], rtol=0, atol=1e-6)
    assert net(torch.zeros(1, 3, 8, 8)).shape == (1, 3)
    assert convscope.evaluate(run, (IMAGES, LABELS)).top1 >= 0


def test_preprocessing_is_that_of_the_file(tmp_path):
    path = convnetjs(tmp_path / "net")
    convscope.train((IMAGES, LABELS), model=str(path), out=tmp_path / "run", **SETTINGS)
    _, card = convscope.load(tmp_path / "run")
    assert (card.mean, card.std) == ((0.5,) * 3, (1.0,) * 3)


def test_a_network_that_was_created_for_the_classes_is_trained_and_named(tmp_path):
    path = keras(tmp_path / "net")
    net = convscope.create_model(path, num_classes=3)
    convscope.train((IMAGES, LABELS), model=net, out=tmp_path / "run", **SETTINGS)
    loaded, _ = convscope.load(tmp_path / "run")
    torch.testing.assert_close(loaded.state_dict(), net.state_dict())


def test_the_logits_are_those_before_the_softmax(tmp_path):
    path = keras(tmp_path / "net")
    images = torch.tensor(RNG.normal(size=(2, 3, 8, 8)), dtype=torch.float32)
    whole, trainable = convscope.create_model(path), convscope.create_model(path, num_classes=10)
    torch.testing.assert_close(trainable(images).softmax(1), whole(images))


def test_a_changed_architecture_is_refused(tmp_path):
    run = tmp_path / "run"
    convscope.train((IMAGES, LABELS), model=str(convnetjs(tmp_path / "n")), out=run, **SETTINGS)
    table = run / "network.toml"
    table.write_text(table.read_text().replace("relu", "tanh") + "\n")
    with pytest.raises(RequestError, match=r"network\.toml is not the one"):
        convscope.load(run)


def test_weights_alone_go_into_a_network_of_the_same_layers(tmp_path):
    path = convnetjs(tmp_path / "net")
    table = tmp_path / "own.toml"
    table.write_text(
        'input = "3x8x8"\nlayers = """\nlayer filters size padding\nconv1 4 3 same\n'
        'maxpool1 . 2 .\nfc1 classes . .\n"""\n'
    )
    convscope.train(
        (IMAGES, LABELS), model=str(table), weights=str(path), lr=1e-9, weight_decay=0,
        out=tmp_path / "run", **SETTINGS,
    )  # fmt: skip
    found = convscope.load(tmp_path / "run")[0].state_dict()["conv1.weight"]
    expected = convscope.create_model(path).state_dict()["conv1.weight"]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_weights_of_another_network_are_refused(tmp_path):
    path = convnetjs(tmp_path / "net")
    with pytest.raises(RequestError, match=r"net\.json"):
        convscope.train(
            (IMAGES, LABELS), model="tinyvgg", input_size=32, weights=str(path), **SETTINGS
        )


def test_classes_of_a_network_with_another_end_are_refused(tmp_path):
    pytest.importorskip("h5py", reason="needs the extra keras")
    kernel = [RNG.normal(size=(1, 1, 3, 5)), np.zeros(5)]
    conv = layer("Conv2D", "conv", kernel, filters=5, kernel_size=[1, 1])
    net = sequential((8, 8, 3), conv, layer("GlobalAveragePooling2D", "mean"))
    path = write_keras(tmp_path / "net.keras", net)
    with pytest.raises(RequestError, match="ends in mean"):
        convscope.create_model(path, num_classes=3)
    assert convscope.create_model(path) is not None
