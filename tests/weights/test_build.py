"""Networks of the zoo and of libraries with weights of their own, through `convscope.predict`."""

import json

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torchvision import models

import convscope
from convscope.errors import RequestError
from convscope.weights.build import build_with_weights
from convscope.zoo import create_model

IMAGE = np.random.default_rng(0).integers(0, 256, (70, 60, 3), dtype=np.uint8)


def test_released_weights_answer_with_imagenets_names(squeezenet):
    theirs = squeezenet
    answers = convscope.predict("squeezenet1_1", IMAGE, weights="torchvision:squeezenet1_1")
    names = models.SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["categories"]
    transform = models.SqueezeNet1_1_Weights.IMAGENET1K_V1.transforms()
    with torch.inference_mode():
        logits = theirs(transform(torch.tensor(IMAGE).permute(2, 0, 1))[None])[0]
    assert answers[0].label in {names[index] for index in logits.topk(3).indices}
    assert not any("assumed" in note for note in answers.notes)


def test_timms_folder_has_its_own_names_and_preprocessing(tmp_path):
    theirs = timm.create_model("resnet18", num_classes=3)
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    config = dict(theirs.pretrained_cfg, num_classes=3, label_names=["ant", "bee", "cow"])
    (tmp_path / "config.json").write_text(json.dumps({"pretrained_cfg": config}, default=str))
    for name in ("resnet18", "timm:resnet18"):
        built = build_with_weights(name, tmp_path)
        assert built.card.classes == ("ant", "bee", "cow")
        assert built.card.interpolation == config["interpolation"]
        assert (built.note, built.warning) == ("", "")
        with torch.inference_mode():
            x = torch.randn(1, 3, 64, 64)
            assert torch.allclose(built.net(x), theirs.eval()(x), atol=1e-5)


def test_a_bare_file_for_a_librarys_network_is_prepared_as_the_library_states(tmp_path):
    theirs = timm.create_model("resnet18", num_classes=5)
    torch.save({"state_dict": theirs.state_dict(), "arch": "resnet18"}, tmp_path / "x.pth")
    answers = convscope.predict("timm:resnet18", IMAGE, weights=tmp_path / "x.pth", top=9)
    assert {name for name, _ in answers[0].top_k} == set("01234")
    assert any("assumed: 224x224 pixels" in note for note in answers.notes)


def test_a_network_for_another_size_is_built_for_the_size_that_is_said(tmp_path):
    torch.save(create_model("lenet5", input_size=(48, 48)).state_dict(), tmp_path / "x.pth")
    with pytest.raises(RequestError, match="for images of the same size"):
        convscope.predict("lenet5", IMAGE, weights=tmp_path / "x.pth")
    answers = convscope.predict("lenet5", IMAGE, weights=tmp_path / "x.pth", input_size=48)
    assert len(answers) == 1


def test_evaluate_takes_a_network_with_weights_and_matches_classes_by_name(digits_run):
    stored = convscope.load(digits_run)[0].state_dict()
    card = convscope.load(digits_run)[1]
    words = dict(mean=card.mean, std=card.std, resize_mode=card.resize_mode)
    names = list(card.classes)
    result = convscope.evaluate("lenet5", "digits", weights=stored, class_names=names, **words)
    own = convscope.evaluate(digits_run, "digits")
    assert result.metrics.top1 == own.metrics.top1 > 0.5
    with pytest.raises(RequestError, match="is not a run, and has no test images"):
        convscope.evaluate("lenet5", weights=stored)
