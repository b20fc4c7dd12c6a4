"""Weights of other libraries give our networks the same logits, or leave them as they are."""

import json
from dataclasses import replace

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models._hub import save_config_for_hf
from torch import nn
from torchvision import models

from convscope.card import Card
from convscope.errors import RequestError, WorkError
from convscope.runs.folder import Run
from convscope.weights import load_weights
from convscope.weights import timm as timm_weights
from convscope.weights import torchvision_releases as released
from convscope.weights.adapt import adapt_weights
from convscope.weights.source import Weights
from convscope.zoo import create_model


def stirred(net: nn.Module) -> nn.Module:
    """The network in eval mode with random statistics, so that each of its numbers counts."""
    generator = torch.Generator().manual_seed(1)
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for values, low, high in (
                (layer.running_mean, -0.1, 0.1),
                (layer.running_var, 0.5, 1.5),
                (layer.weight.data, 0.5, 1.5),
                (layer.bias.data, -0.1, 0.1),
            ):
                values.uniform_(low, high, generator=generator)
    return net.eval()


def kept(net: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


def assert_untouched(net: nn.Module, before: dict[str, torch.Tensor]) -> None:
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def assert_same_logits(ours: nn.Module, theirs: nn.Module, side: int = 64) -> None:
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        answers = theirs(images)
        assert answers.std() > 1e-4
        assert torch.allclose(ours.eval()(images), answers, rtol=1e-4, atol=1e-5 * answers.std())


@pytest.mark.parametrize("form", ["pth", "safetensors"])
@pytest.mark.parametrize("name", ["resnet18", "densenet121", "squeezenet1_1"])
def test_torchvisions_weights_give_torchvisions_logits(tmp_path, name, form):
    theirs, path = stirred(models.get_model(name)), tmp_path / f"x.{form}"
    if form == "pth":
        torch.save({"state_dict": theirs.state_dict(), "epoch": 90}, path)
    else:
        save_file(theirs.state_dict(), path)
    ours = create_model(name)
    card = load_weights(ours, path)
    assert_same_logits(ours, theirs)
    assert (card.classes[-1], card.in_channels, card.input_size, card.resize_size) == (
        "999",
        3,
        (224, 224),
        256,
    )
    told = card.provenance
    assert (told["weights"], told["weights_head"]) == (str(path), "pretrained")
    assert name in told["weights_names"]
    assert "ImageNet's" in told["weights_preprocessing"]


def test_a_googlenet_with_heads_that_ours_has_not(tmp_path):
    theirs = stirred(models.googlenet(aux_logits=True, init_weights=False))
    torch.save(theirs.state_dict(), tmp_path / "x.pth")
    ours = create_model("googlenet_bn")
    assert load_weights(ours, tmp_path / "x.pth").provenance["weights_left_out"] == "aux1, aux2"
    assert_same_logits(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("library", [models.get_model, timm.create_model])
def test_vgg_of_either_library_gives_its_logits(tmp_path, library):
    theirs = library("vgg11").eval()
    save_file(theirs.state_dict(), tmp_path / "x.safetensors")
    ours = create_model("vgg11")
    load_weights(ours, tmp_path / "x.safetensors")
    assert_same_logits(ours, theirs, side=224)


def test_timms_vgg_comes_to_our_shapes_and_each_number_to_its_place():
    with torch.device("meta"):
        theirs, ours = timm.create_model("vgg11").state_dict(), create_model("vgg11")
    fitted = adapt_weights(Weights("x", theirs, None, ""), ours)
    own = ours.state_dict()
    assert {name: tensor.shape for name, tensor in fitted.tensors.items()} == {
        name: tensor.shape for name, tensor in own.items()
    }
    window = nn.Conv2d(4, 6, 3)
    dense = nn.Sequential(nn.Flatten(), nn.Linear(36, 6))
    renamed = {f"1.{name}": tensor for name, tensor in window.state_dict().items()}
    adapt_weights(Weights("x", renamed, None, ""), dense).load_into(dense)
    maps = torch.randn(2, 4, 3, 3)
    assert torch.allclose(dense(maps), window(maps).flatten(1), atol=1e-6)


HEADS = {"resnet18": {"fc"}, "densenet121": {"fc"}, "squeezenet1_1": {"conv10"}}


@pytest.mark.parametrize("name", HEADS)
def test_another_number_of_classes_leaves_the_head_as_it_was_built(tmp_path, name):
    theirs = create_model(name, num_classes=11)
    torch.save(theirs.state_dict(), tmp_path / "x.pth")
    ours = create_model(name, num_classes=3)
    before = kept(ours)
    card = load_weights(ours, tmp_path / "x.pth")
    assert card.classes == ("0", "1", "2")
    assert card.provenance["weights_head"] == "initialized"
    for key, tensor in ours.state_dict().items():
        in_head = key.rpartition(".")[0] in HEADS[name]
        assert torch.equal(tensor, before[key] if in_head else theirs.state_dict()[key]), key


def test_all_the_heads_of_googlenet_stay(tmp_path):
    theirs = create_model("googlenet", num_classes=11, input_size=(79, 79))
    torch.save(theirs.state_dict(), tmp_path / "x.pth")
    ours = create_model("googlenet", num_classes=3, input_size=(79, 79))
    before = kept(ours)
    load_weights(ours, tmp_path / "x.pth")
    stayed = {name for name, t in ours.state_dict().items() if torch.equal(t, before[name])}
    weights = {name for name in stayed if name.endswith("weight")}
    assert len(weights) == 3
    assert all(ours.state_dict()[name].shape[0] == 3 for name in weights)


class Chain(nn.Sequential):
    def __init__(self, *, channels=3, maps=4, classes=5):
        super().__init__()
        self.first = nn.Conv2d(channels, maps, 3)
        self.middle = nn.Conv2d(maps, 6, 3)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(6, classes)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (dict(maps=8), r"first\.weight is \(4, 3, 3, 3\) in the weights and \(8, 3, 3, 3\) in"),
        (dict(maps=8, classes=10), r"first\.weight is"),
        (dict(channels=4), r"first\.weight is \(4, 3, 3, 3\) in the weights and \(4, 4, 3, 3\) in"),
    ],
    ids=str,
)
def test_any_other_difference_is_refused_and_nothing_is_touched(tmp_path, change, named):
    torch.save(Chain().state_dict(), tmp_path / "x.pth")
    ours = Chain(**change)
    before = kept(ours)
    with pytest.raises(RequestError, match=named):
        load_weights(ours, tmp_path / "x.pth")
    assert_untouched(ours, before)


def test_a_layer_with_other_outputs_is_no_head_where_the_last_is_as_it_should_be():
    class Gather(Chain):
        def __init__(self, *, features):
            super().__init__()
            self.middle = nn.Conv2d(4, features, 3)

    weights = Weights("x", Gather(features=6).state_dict(), None, "")
    ours = Gather(features=7)
    with pytest.raises(RequestError, match=r"middle\.weight is \(6, .* and \(7, "):
        adapt_weights(weights, ours)


def test_batch_norm_in_a_head_stays_with_it_also_its_counter():
    def net(classes):
        return nn.Sequential(nn.Conv2d(3, classes, 1), nn.BatchNorm2d(classes), nn.Flatten())

    theirs, ours = net(5), net(4)
    theirs(torch.randn(2, 3, 1, 1))
    adapt_weights(Weights("x", theirs.state_dict(), None, ""), ours).load_into(ours)
    assert (int(theirs[1].num_batches_tracked), int(ours[1].num_batches_tracked)) == (1, 0)


def test_the_first_filters_need_not_be_the_first_weights(tmp_path):
    ours = nn.Sequential(nn.PReLU(), Chain(channels=1))
    torch.save(nn.Sequential(nn.PReLU(), Chain()).state_dict(), tmp_path / "x.pth")
    assert load_weights(ours, tmp_path / "x.pth").in_channels == 1


@pytest.mark.parametrize("classes", [5, 7])
def test_a_head_that_sees_other_maps_is_not_left_as_it_was_built(classes):
    """As the dense layers of a VGG do for images of another size."""
    weights = Weights("x", nn.Sequential(nn.Flatten(), nn.Linear(36, 5)).state_dict(), None, "")
    ours = nn.Sequential(nn.Flatten(), nn.Linear(64, classes))
    with pytest.raises(
        RequestError, match=r"1\.weight is \(5, 36\) in the weights .*of the same size"
    ):
        adapt_weights(weights, ours)


def test_a_head_of_one_answer_has_no_card_and_is_refused_before_anything_is_written(tmp_path):
    torch.save(Chain().state_dict(), tmp_path / "x.pth")
    ours = Chain(classes=1)
    before = kept(ours)
    with pytest.raises(RequestError, match="at least two classes"):
        load_weights(ours, tmp_path / "x.pth")
    assert_untouched(ours, before)


def test_a_gray_network_says_of_gray_what_the_color_one_says_of_three_equal_channels(tmp_path):
    theirs = stirred(models.resnet18())
    torch.save(theirs.state_dict(), tmp_path / "x.pth")
    ours = create_model("resnet18", in_channels=1)
    card = load_weights(ours, tmp_path / "x.pth")
    gray = torch.randn(2, 1, 64, 64)
    with torch.inference_mode():
        answers = theirs(gray.repeat(1, 3, 1, 1))
        assert torch.allclose(ours.eval()(gray), answers, rtol=1e-3, atol=1e-4 * answers.std())
    assert (card.in_channels, card.mean, card.std) == (1, (0.449,), (pytest.approx(0.226),))
    assert card.provenance["weights_input"] == "sum over the colors"


def test_color_from_gray_is_refused(tmp_path):
    torch.save(Chain(channels=1).state_dict(), tmp_path / "x.pth")
    with pytest.raises(RequestError, match=r"first\.weight is \(4, 1, 3, 3\) in the weights"):
        load_weights(Chain(), tmp_path / "x.pth")


def test_a_run_gives_its_weights_and_its_own_card(digits_run):
    own = Run.open(digits_run).read_card()
    for source in (digits_run, str(digits_run), digits_run / "model.safetensors"):
        net = create_model("lenet5")
        card = load_weights(net, source)
        assert vars(net)["card"] == card
        assert replace(card, provenance=own.provenance) == own
        assert card.provenance.items() > own.provenance.items()
        stored = Run.open(digits_run).read_weights().tensors
        assert all(torch.equal(t, stored[name]) for name, t in net.state_dict().items())
    other = load_weights(create_model("lenet5", num_classes=4), digits_run)
    assert other.classes == ("0", "1", "2", "3")
    assert (other.mean, other.resize_mode) == (own.mean, own.resize_mode)


def test_a_released_file_is_downloaded_once_and_its_digest_is_checked(
    library, monkeypatch, tmp_path
):
    theirs = stirred(models.squeezenet1_1())
    torch.save(theirs.state_dict(), tmp_path / "x.pth")
    body = (tmp_path / "x.pth").read_bytes()
    monkeypatch.setattr(released, "HOST", library.url())
    file = released.release("squeezenet1_1").file
    library.files[file] = body
    with pytest.raises(WorkError, match=r"wrong checksum.*give the path of the file itself"):
        load_weights(create_model("squeezenet1_1"), "torchvision:squeezenet1_1")
    assert list((tmp_path / "cache" / "weights").iterdir()) == []
    library.asked.clear()

    import hashlib  # noqa: PLC0415

    honest = f"squeezenet1_1-{hashlib.sha256(body).hexdigest()[:8]}.pth"
    monkeypatch.setattr(released, "TABLE", released.TABLE.replace(file, honest))
    released.releases.cache_clear()
    try:
        library.files[honest] = body
        ticks = []
        for _ in range(2):
            ours = create_model("squeezenet1_1")
            card = load_weights(
                ours, "torchvision:squeezenet1_1", on_progress=lambda *tick: ticks.append(tick)
            )
            assert_same_logits(ours, theirs)
        assert library.asked == [honest]
        assert ticks[-1] == (honest, len(body), len(body))
        assert card.provenance["weights"] == "torchvision:squeezenet1_1"
        assert "weights_preprocessing" not in card.provenance
        again = load_weights(create_model("squeezenet1_1"), tmp_path / "x.pth")
        assert (
            "weights_preprocessing" not in again.provenance
        )  # known by its digest, whatever its name
    finally:
        released.releases.cache_clear()


def test_a_model_of_timm_comes_with_its_own_preparation(library, monkeypatch, tmp_path):
    theirs = stirred(timm.create_model("resnet18"))
    theirs.pretrained_cfg = timm.models.get_pretrained_cfg("resnet18.a1_in1k").to_dict()
    save_config_for_hf(theirs, tmp_path / "config.json")
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    for name in ("config.json", "model.safetensors"):
        there = f"resnet18.a1_in1k/resolve/main/{name}"
        library.files[there] = (tmp_path / name).read_bytes()
    monkeypatch.setattr(timm_weights, "HOST", library.url())
    for _ in range(2):
        ours = create_model("resnet18")
        card = load_weights(ours, "timm:resnet18.a1_in1k")
        assert_same_logits(ours, theirs)
    assert len(library.asked) == 2
    assert (card.interpolation, card.resize_size, card.input_size) == ("bicubic", 235, (224, 224))
    with pytest.raises(WorkError, match="status 404"):
        load_weights(create_model("resnet18"), "timm:resnet19")


def test_an_address_is_fetched_once_whole_and_two_of_one_name_are_two(library, tmp_path):
    nets = {"one": Chain(), "two": Chain()}
    for folder, net in nets.items():
        torch.save(net.state_dict(), tmp_path / "x")
        library.files[f"{folder}/model.pth"] = (tmp_path / "x").read_bytes()
    library.cut = "one/model.pth"
    ours = Chain()
    before = kept(ours)
    with pytest.raises(WorkError, match="Could not download"):
        load_weights(ours, library.url("one/model.pth"))
    assert_untouched(ours, before)
    assert list((tmp_path / "cache" / "weights").iterdir()) == []
    library.cut = ""
    library.asked.clear()
    for _ in range(2):
        for folder, net in nets.items():
            load_weights(ours, library.url(f"{folder}/model.pth"))
            assert_untouched(net, ours.state_dict())
    assert library.asked == ["one/model.pth", "two/model.pth"]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("resnet50", r"Did you mean 'torchvision:resnet50'\? Weights come from"),
        ("imagenet", "`weights=imagenet` does not say of which network"),
        ("torchvision:resnet500", "Did you mean 'resnet50'"),
        ("no/such/file.pth", "No weights found for 'no/such/file.pth'"),
        ("resnet-18", "Did you mean 'torchvision:resnet18'"),
        ("DEFAULT", "`weights=DEFAULT` does not say of which network"),
        ("https:///x.pth", "has no host"),
        (".", "not a run folder"),
    ],
)
def test_a_source_that_is_none_is_told(tmp_path, monkeypatch, source, told):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=told):
        load_weights(Chain(), source)


def test_the_card_survives_its_file(tmp_path):
    torch.save(Chain().state_dict(), tmp_path / "x.pth")
    card = load_weights(Chain(classes=2), tmp_path / "x.pth")
    assert Card.from_json(card.to_json()) == card
    assert json.loads(card.to_json())["provenance"]["weights_sha256"]
