"""`pretrained` wherever a network is named: `create_model`, and the verbs that open one."""

import json

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models

import convscope
from convscope.errors import RequestError, WorkError
from convscope.webapp.inspect.store import ModelStore
from tests.conftest import make_image_folder

IMAGE = np.random.default_rng(0).integers(0, 256, (70, 60, 3), dtype=np.uint8)
NAMES = models.SqueezeNet1_1_Weights.IMAGENET1K_V1.meta["categories"]


def logits_of(theirs):
    transform = models.SqueezeNet1_1_Weights.IMAGENET1K_V1.transforms()
    with torch.inference_mode():
        return theirs(transform(torch.tensor(IMAGE).permute(2, 0, 1))[None])[0]


def test_it_computes_what_torchvision_does_and_is_downloaded_once(squeezenet, library):
    net = convscope.create_model("SqueezeNet1.1", pretrained=True)
    assert net.training  # as timm's create_model leaves it
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(net.eval()(images), squeezenet(images))
    assert net.card.classes == tuple(NAMES)
    convscope.create_model("squeezenet1_1", pretrained=True)
    assert len(library.asked) == 1


def test_for_other_classes_the_last_layer_alone_is_new_and_small(squeezenet):
    theirs = [*squeezenet.state_dict().values()]
    torch.manual_seed(1)
    net = convscope.create_model("squeezenet1_1", pretrained=True, class_names=["cat", "dog"])
    assert net.card.classes == ("cat", "dog")
    ours = net.state_dict()
    differing = [name for name in ours if not any(torch.equal(ours[name], each) for each in theirs)]
    [weight] = [name for name in differing if name.endswith("weight")]
    assert ours[weight].shape[0] == 2
    assert float(ours[weight].std()) == pytest.approx(0.01, rel=0.1)
    assert {name.rpartition(".")[0] for name in differing} == {weight.rpartition(".")[0]}
    other = convscope.create_model("squeezenet1_1", pretrained=True, num_classes=2)
    assert not torch.equal(other.state_dict()[weight], ours[weight])  # by the program's own seed
    gray = convscope.create_model("squeezenet1_1", pretrained=True, in_channels=1)
    assert (gray.card.in_channels, gray.card.classes) == (1, tuple(NAMES))


def test_it_is_fine_tuned_as_its_own_network(squeezenet, tmp_path):
    data = str(make_image_folder(tmp_path / "fruit", ("apple", "leaf"), each=8))
    net = convscope.create_model("squeezenet1_1", pretrained=True, num_classes=2)
    done = convscope.train(
        data, model=net, pretrained=True, input_size=32, steps=1, lr=1e-6, out=tmp_path / "run",
        progress=False,
    )  # fmt: skip
    card = convscope.load(done.run)[1]
    assert card.mean == (0.485, 0.456, 0.406)
    assert "weights_preprocessing" not in card.provenance
    first, theirs = (next(iter(each.parameters())) for each in (net, squeezenet))
    assert torch.allclose(first, theirs, atol=1e-4)


def test_every_verb_that_takes_weights_takes_it(squeezenet):
    logits = logits_of(squeezenet)
    name = "squeezenet1_1"
    [answer] = convscope.predict(name, IMAGE, pretrained=True)
    best = logits.topk(3).indices.tolist()
    assert answer.label in {NAMES[index] for index in best}
    unit = convscope.explain(name, IMAGE, pretrained=True, at=best[0])
    assert unit.model_value == pytest.approx(float(logits[best[0]]), abs=0.05)
    labels = np.array([0, 1])
    result = convscope.evaluate(name, (np.stack([IMAGE] * 2), labels), pretrained=True)
    assert result.top1 in (0.0, 0.5)
    opened = ModelStore().open(name, pretrained=True)
    assert opened.card.classes == tuple(NAMES)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (dict(name="lenet5"), "No weights are published for lenet5"),
        (dict(name="resnet50", stride_in_1x1=True), "leave out stride_in_1x1"),
        (dict(name="resnet50", num_classes=0), "`num_classes` must be at least 1"),
        (
            dict(name="resnet50", num_classes=3, class_names="a,b"),
            "has 2 names; `num_classes` is 3",
        ),
        (dict(name="resnt50"), "no network named 'resnt50'"),
        (dict(name="resnet50", pretrained=False, class_names="a,b"), "has with `pretrained`"),
    ],
)
def test_what_has_no_sense_is_refused(arguments, told):
    with pytest.raises(RequestError, match=told):
        convscope.create_model(**{"pretrained": True, **arguments})


def test_what_has_weights_already_is_refused(digits_run, squeezenet):
    for model, told in (
        (digits_run, "is a run, which has its own weights; leave out `pretrained`"),
        (squeezenet, "handed over has its own weights; leave out `pretrained`"),
        (3, "not of type int"),
        ("lenet5", "No weights are published for lenet5"),
    ):
        with pytest.raises(RequestError, match=told):
            convscope.predict(model, IMAGE, pretrained=True)
    with pytest.raises(RequestError, match="`pretrained` and `weights` exclude each other"):
        convscope.explain("resnet18", IMAGE, pretrained=True, weights="x.pth")


@pytest.mark.usefixtures("squeezenet")
def test_a_failed_download_is_told(library):
    library.files.clear()
    with pytest.raises(WorkError, match="Could not download squeezenet1_1"):
        convscope.create_model("squeezenet1_1", pretrained=True)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """timm's test_resnet as if it had been downloaded, and a photograph."""
    folder = tmp_path / "cache" / "weights"
    folder.mkdir(parents=True)
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path / "cache"))
    net = timm.create_model("test_resnet", num_classes=1000).eval()
    save_file(net.state_dict(), folder / "timm-test_resnet.r160_in1k.safetensors")
    config = {"pretrained_cfg": timm.get_pretrained_cfg("test_resnet").to_dict()}
    text = json.dumps(config, default=str)
    (folder / "timm-test_resnet.r160_in1k.json").write_text(text)
    Image.fromarray(IMAGE).save(tmp_path / "photo.png")
    return net


def test_on_the_command_line(kept, command, tmp_path):
    subject = ("timm:test_resnet", "--pretrained", "photo.png")
    done = command("predict", *subject, "--json", cwd=tmp_path)
    [answer] = json.loads(done.stdout)["predictions"]
    expected = convscope.predict(kept, tmp_path / "photo.png")[0]
    assert answer["probability"] == pytest.approx(expected.probability, rel=1e-4)
    explained = command("explain", *subject, cwd=tmp_path).stdout
    assert "Random weights" not in explained
    assert "Next:  convscope explain timm:test_resnet photo.png --pretrained --at" in explained
    refused = command("predict", "timm:test_resnet", "photo.png", cwd=tmp_path, code=2).stderr
    assert "Take its published ones with --pretrained, or name others with --weights" in refused
