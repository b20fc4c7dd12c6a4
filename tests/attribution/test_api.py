"""`convscope.attribute` and `convscope attribute`: files, facts, refusals."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.attribution.api import attribute_opened
from convscope.attribution.coloring import color_bar, overlay
from convscope.attribution.methods import METHOD_NAMES
from convscope.errors import RequestError
from convscope.models import OpenedModel
from tests.attribution.networks import CLASSES, Residual, card_for, image, randomize


@pytest.fixture(scope="module")
def net():
    return randomize(Residual()).float()


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(2):
        pixels = random.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"photo{number}.png")
    return folder


def _attribute(net, images, **options):
    card = card_for(3, 8)
    return convscope.attribute(net, images, card=card, random_orders=2, **options)


def test_all_methods_on_a_folder_give_maps_of_the_input_and_sentences(net, photos):
    found = _attribute(net, photos, method="all")
    assert [each.photo.name for each in found] == ["photo0.png", "photo1.png"]
    for explained in found:
        assert tuple(explained.maps) == METHOD_NAMES
        assert sum(explained.probabilities) == pytest.approx(1)
        for each in explained.maps.values():
            assert each.map.shape == (8, 8)
            assert each.map.dtype == np.float64
            assert each.problem or each.faithfulness is not None
            assert all(line.endswith((".", "it.")) for line in each.facts)
    json.dumps(found.to_dict())


def test_methods_that_a_network_refuses_are_left_out_of_all_and_refused_alone(photos):
    layers = nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(144, 4)
    net = randomize(nn.Sequential(*layers)).float()
    found = _attribute(net, next(photos.iterdir()), method="all")
    assert not {"cam", "guided-backprop", "deconvolution"} & found[0].maps.keys()
    assert found.left_out["cam"].startswith("CAM is for networks")
    with pytest.raises(RequestError, match="CAM is for networks"):
        _attribute(net, next(photos.iterdir()), method="cam")


def test_the_network_is_left_as_it_was(net):
    net.train()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    random = torch.get_rng_state()
    _attribute(net, image().float()[0], method="all")
    assert net.training
    assert net.bn1.training
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())
    net.eval()


@pytest.mark.parametrize("ending", ["png", "svg", "html", "json", "npz", ""])
def test_pictures_and_facts_are_files(net, photos, tmp_path, ending):
    found = _attribute(net, photos, method=["grad-cam", "occlusion"], random_weights=False)
    path = tmp_path / (f"out.{ending}" if ending else "out")
    written = found.save(path)
    assert all(each.stat().st_size for each in written)
    match ending:
        case "png":
            with Image.open(path) as picture:
                assert picture.width == 3 * 316 + 16
        case "svg":
            assert path.read_text().count("<image") == 2 * 3 + 2 * 2
        case "html":
            text = path.read_text()
            assert text.count("<figure>") == 6
            assert "http" not in text.replace("http-equiv", "")
            assert "photo1.png" in text
        case "json":
            content = json.loads(path.read_text())
            assert [each["image"] for each in content["images"]] == ["photo0.png", "photo1.png"]
            peak = content["images"][0]["methods"][0]["map"]["max"]
            assert peak == found[0]["grad-cam"].map.max()
        case "npz":
            with np.load(path) as arrays:
                assert np.array_equal(arrays["1/occlusion"], found[0]["occlusion"].map)
                assert arrays["2/grad-cam/cells"].shape == (8, 8)
        case _:
            assert sorted(each.name for each in written) == [
                "01_photo0.png", "02_photo1.png", "attributions.json", "index.html",
            ]  # fmt: skip


def test_colors_end_at_the_largest_value_and_zero_has_none():
    photo = np.full((1, 3, 3), 128, np.uint8)
    found = overlay(photo, np.array([[0.0, 2, -2]]), 2.0, is_signed=True)
    neutral = overlay(photo, np.zeros((1, 3)), 0.0, is_signed=True)
    assert (found[0, 0] == neutral[0, 0]).all()
    assert found[0, 1, 0] > found[0, 1, 2]  # red
    assert found[0, 2, 2] > found[0, 2, 0]  # blue
    bar = color_bar(3, 1, is_signed=True)
    assert len({tuple(color) for color in bar[0]}) == 3
    high = overlay(photo, np.array([[1.5, 2, 1.5]]), 2.0, is_signed=False)
    assert (high[0, 0] != overlay(photo, np.zeros((1, 3)), 2.0, is_signed=False)[0, 0]).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "gradcam"}, "no method 'gradcam'. Did you mean 'grad-cam'"),
        ({"target": "cta"}, "no class 'cta'. Did you mean 'cat'"),
        ({"target": 4}, "`target` is 4, and the network has 4 classes, 0 to 3"),
        ({"target": "dog", "instead_of": 1}, "both 'dog'"),
        ({"method": "saliency", "layer": "conv1"}, "`layer` is for methods that weigh"),
        ({"layer": "conv9"}, "There is no layer 'conv9'"),
        ({"steps": 0}, "`steps` is 0"),
        ({"method": "occlusion", "window": 9}, "`window` is 9"),
    ],
)
def test_a_wrong_request_names_the_thing_and_the_remedy(net, options, message):
    with pytest.raises(RequestError) as raised:
        _attribute(net, image().float()[0], **options)
    assert message in str(raised.value)


def test_instead_of_without_a_target_takes_the_most_probable_other_class(net):
    opened = OpenedModel("net", net, card_for(3, 8))
    x = image().float()[0]
    with torch.no_grad():
        order = net(x[None])[0].argsort(descending=True).tolist()
    (found,) = attribute_opened(
        opened, x, methods=["hires-cam"], instead_of=CLASSES[order[0]], random_orders=0
    )
    assert found.target.index == order[1]
    assert f"logit({CLASSES[order[1]]}) - logit({CLASSES[order[0]]})" in found.caption
    assert set(found.maps) == {"hires-cam"}


@pytest.mark.filterwarnings("ignore")
def test_the_command_writes_the_page_and_prints_the_facts(digits_run, tmp_path, command):
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 12:16] = 255
    Image.fromarray(pixels).save(tmp_path / "one.png")
    page, facts = tmp_path / "page.html", tmp_path / "facts.json"
    words = [digits_run, tmp_path / "one.png", "--random-orders", 2, "--method", "grad-cam", "lrp"]
    done = command("attribute", *words, "-o", page, facts, "--json")
    assert f"Wrote {page}." in done.stderr
    assert json.loads(done.stdout) == json.loads(facts.read_text())
    shown = command("attribute", *words, "--no-random-weights").stdout
    assert "Grad-CAM of " in shown
    assert "Deletion: area under P(" in shown
    assert "Rank correlation" not in shown
    assert "Next:  convscope attribute" in shown


def test_a_wrong_ending_is_refused_before_any_work(digits_run, tmp_path, command):
    Image.new("L", (28, 28)).save(tmp_path / "a.png")
    words = [digits_run, tmp_path / "a.png", "-o", tmp_path / "page.pdf"]
    assert "has the ending .pdf; give .png" in command("attribute", *words, code=2).stderr
    assert "takes a network and images" in command("attribute", digits_run, code=2).stderr
