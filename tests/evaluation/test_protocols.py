"""The papers' ways to test: each equals what a plain loop over explicit crops finds."""

import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.card import Card
from convscope.data.streaming import load_ahead
from convscope.data.views import views_of
from convscope.errors import RequestError
from convscope.evaluation import answers, kept_outputs, views
from convscope.evaluation.protocol import Protocol
from convscope.evaluation.published_table import published_of, published_table
from convscope.models import OpenedModel

CLASSES = tuple(f"class {n}" for n in range(7))
CARD = Card(
    classes=CLASSES, input_size=(8, 8), in_channels=3, resize_mode="crop",
    mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4),
)  # fmt: skip


def network(seed=0, card=CARD):
    """Without padding, so that a window sees what its crop has: 8x8 to 6x6, 3x3, dense."""
    torch.manual_seed(seed)
    net = nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(45, 7)
    )
    with torch.no_grad():
        net[4].weight.mul_(8)  # answers that are not all alike
    net.card = card
    return net.eval()


@pytest.fixture(scope="module")
def photos():
    """Images that are as high as the scale, 12, and of different widths; so nothing is scaled."""
    random = np.random.default_rng(1)
    pixels = [random.integers(0, 256, (12, width, 3), dtype=np.uint8) for width in (12, 16, 20, 16)]
    return pixels, [CLASSES[place] for place in (0, 3, 6, 3)]


def logits(net, crops):
    """Of explicit crops (h, w, 3), by a plain forward pass of each."""
    mean, std = torch.tensor(net.card.mean), torch.tensor(net.card.std)
    rows = []
    for crop in crops:
        image = torch.from_numpy(np.ascontiguousarray(crop)).double() / 255
        with torch.inference_mode():
            rows.append(net(((image - mean) / std).permute(2, 0, 1)[None].float())[0].double())
    return torch.stack(rows)


def mean_softmax(net, crops):
    return logits(net, crops).softmax(1).mean(0).numpy()


def windows(image, corners):
    """The crops at some corners, then their mirrored versions."""
    crops = [image[top : top + 8, left : left + 8] for top, left in corners]
    return crops + [crop[:, ::-1] for crop in crops]


def test_ten_crops_are_ten_explicit_ones(photos):
    net, expected = network(), []
    found = convscope.evaluate(net, photos, crops="ten", scales=12)
    for image in photos[0]:
        start = (image.shape[1] - 12) // 2  # of the central square
        corners = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
        crops = windows(image, [(y, x + start) for y, x in corners])
        assert len(crops) == 10
        expected.append(mean_softmax(net, crops))
    np.testing.assert_allclose(found.outputs.probabilities, expected, atol=1e-6)
    assert "on all of arrays, ten crops of 8x8 at scale 12" in str(found)
    assert found.to_dict()["protocol"] == "ten crops of 8x8 at scale 12"
    of_truth = np.array(expected)[range(4), [0, 3, 6, 3]]
    assert found.loss == pytest.approx(-np.log(of_truth).mean(), rel=1e-5)


def test_150_crops_are_a_grid_of_the_whole_image(photos):
    net, expected = network(), []
    found = convscope.evaluate(net, photos, crops="150", scales=[12])
    for image in photos[0]:
        lefts = [round((image.shape[1] - 8) * at / 4) for at in range(5)]
        expected.append(
            mean_softmax(net, windows(image, [(y, x) for y in range(5) for x in lefts]))
        )
    np.testing.assert_allclose(found.outputs.probabilities, expected, atol=1e-6)


@pytest.mark.parametrize("is_portrait", [False, True])
def test_144_crops_are_of_three_squares_at_each_of_four_scales(is_portrait):
    image = np.random.default_rng(2).integers(0, 256, (12, 18, 3), dtype=np.uint8)
    seen = image.swapaxes(0, 1) if is_portrait else image
    found = list(views_of(seen, CARD, "144", flip=False))
    assert len(found) == 144 / 4
    turned = [view.swapaxes(0, 1) for view in found] if is_portrait else found
    for place, start in zip((0, 6, 12), (0, 3, 6), strict=True):
        square = image[:, start : start + 12]
        corners = {view.tobytes() for view in turned[place : place + 5]}
        places = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
        assert corners == {square[y : y + 8, x : x + 8].tobytes() for y, x in places}
        resized = Image.fromarray(np.ascontiguousarray(square)).resize((8, 8), Image.BILINEAR)
        assert np.abs(turned[place + 5] - np.asarray(resized, np.int64)).max() <= 2
    for plain, mirrored in zip(found[:18], found[18:], strict=True):
        assert np.array_equal(plain[:, ::-1], mirrored)


def test_scales_are_the_papers_and_the_cards():
    card = Card(
        classes=CLASSES, input_size=(224, 224), in_channels=3, resize_mode="crop", resize_size=256,
        mean=(0.0,) * 3, std=(1.0,) * 3,
    )  # fmt: skip
    assert Protocol(crops="ten").scales_for(card) == (256,)
    assert Protocol(crops="144").scales_for(card) == (256, 288, 320, 352)
    assert Protocol(crops="150").scales_for(card) == (256, 384, 512)
    assert Protocol(crops="144").num_views(card) == 144
    assert Protocol(crops="150").num_views(card) == 150
    assert Protocol(crops="dense", scales=(256, 384, 512), flip=True).num_views(card) == 6
    larger = Protocol(size=(288, 288)).card(card)
    assert (larger.input_size, larger.resize_size) == ((288, 288), 329)


@pytest.mark.parametrize("scales", [(12,), (10, 12)])
def test_dense_is_the_mean_over_the_sliding_native_crops(photos, scales):
    net, expected = network(), []
    found = convscope.evaluate(net, photos, crops="dense", scales=scales, flip=True)
    for pixels in photos[0]:
        shares = []
        for scale in scales:
            size = scale * pixels.shape[1] // 12, scale
            whole = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))
            for image in (whole, whole[:, ::-1]):
                corners = [
                    (y, x)
                    for y in range(0, image.shape[0] - 7, 2)  # a pooling of 2
                    for x in range(0, image.shape[1] - 7, 2)
                ]
                crops = windows(image, corners)[: len(corners)]
                shares.append(logits(net, crops).mean(0).softmax(0).numpy())
        expected.append(np.mean(shares, 0))
    np.testing.assert_allclose(found.outputs.probabilities, expected, atol=1e-6)
    plain = convscope.evaluate(net, photos).outputs.probabilities
    assert np.abs(plain - expected).max() > 0.01


def test_a_network_that_pools_all_places_is_dense_as_it_is_and_takes_other_sizes(photos):
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 5, 3), nn.Linear(5, 7)

        def forward(self, images):
            return self.fc(self.conv(images).mean((2, 3)))

    torch.manual_seed(0)
    net = Pooled().eval()
    net.card = CARD
    found = convscope.evaluate(net, photos, crops="dense", scales=12)
    assert "takes as it is" in found.notes[0]
    expected = [mean_softmax(net, [image]) for image in photos[0]]
    np.testing.assert_allclose(found.outputs.probabilities, expected, atol=1e-6)
    found = convscope.evaluate(net, photos, test_size=12)
    starts = [(image.shape[1] - 12) // 2 for image in photos[0]]
    centers = [image[:, at : at + 12] for image, at in zip(photos[0], starts, strict=True)]
    expected = [mean_softmax(net, [center]) for center in centers]
    np.testing.assert_allclose(found.outputs.probabilities, expected, atol=1e-6)


def test_an_ensemble_is_the_mean_of_probabilities_by_the_names_of_classes(photos):
    first, second = network(0), network(1, card=CARD)
    turned = network(2)
    turned.card = Card(**{**vars(CARD), "classes": CLASSES[::-1]})
    found = convscope.evaluate(first, photos, ensemble=[second, turned])
    expected = []
    for image in photos[0]:
        start = (image.shape[1] - 12) // 2
        box = start, 0, start + 12, 12
        crop = np.array(Image.fromarray(image).resize((8, 8), Image.Resampling.BILINEAR, box))
        shares = [logits(net, [crop]).softmax(1)[0].numpy() for net in (first, second, turned)]
        expected.append((shares[0] + shares[1] + shares[2][::-1]) / 3)
    np.testing.assert_allclose(found.outputs.probabilities, expected, atol=1e-6)
    assert found.model.count("+") == 2
    turned.card = Card(**{**vars(CARD), "classes": ("other", *CLASSES[1:])})
    with pytest.raises(RequestError, match=r"only one of them has 'class 0', 'other'"):
        convscope.evaluate(first, photos, ensemble=turned)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"crops": "twelve"}, r"`crops` must be 'center', 'ten', '144', '150', 'dense'"),
        ({"scales": [7], "crops": "ten"}, r"`scales` has 7, and the network's input has 8 pixels"),
        ({"scales": [0]}, "`scales` must be numbers of pixels"),
        ({"crops": "dense", "test_size": 9}, "Leave one out"),
        ({"test_size": 10}, r"does not take images of 10x10: .* made for 8x8.*`crops='dense'`"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(photos, asked, said):
    with pytest.raises(RequestError, match=said):
        convscope.evaluate(network(), photos, **asked)


def test_a_network_that_cannot_slide_is_refused(photos):
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d((4, 5)), nn.Flatten(),
                        nn.Linear(100, 7))  # fmt: skip
    net.card = CARD
    with pytest.raises(RequestError, match=r"1 pools 6 units to 4.*Or choose `crops='144'`"):
        convscope.evaluate(net, photos, crops="dense")


@pytest.fixture
def folder(photos, tmp_path):
    for number in range(30):
        name = CLASSES[number % 7]
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        pixels = photos[0][number % 4] // 2 + number
        Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number:02d}.png")
    return tmp_path / "photos"


@pytest.mark.parametrize("asked", [{}, {"crops": "ten"}])
def test_a_killed_evaluation_is_continued_and_says_the_same(folder, tmp_path, monkeypatch, asked):
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path / "cache"))
    monkeypatch.setattr(kept_outputs, "SECONDS", 0.0)
    net = network()
    kwargs = dict(batch_size=10 if asked else 3, threads=1, **asked)
    whole = convscope.evaluate(net, folder, **kwargs)
    monkeypatch.setattr(answers, "FEWEST", 1)
    passes, fails_at = [], 4

    def counted(net, images, *rest):
        if len(passes) == fails_at:
            raise KeyboardInterrupt
        passes.append(len(images))
        return real(net, images, *rest)

    module = views if asked else __import__("convscope.evaluation.measure", fromlist=["measure"])
    real = module.compute_logits
    monkeypatch.setattr(module, "compute_logits", counted)
    with pytest.raises(KeyboardInterrupt):
        convscope.evaluate(net, folder, **kwargs)
    assert any((tmp_path / "cache").rglob("*.npz"))
    passes.clear()
    fails_at = -1
    again = convscope.evaluate(net, folder, **kwargs)
    assert len(passes) == (30 if asked else 10) - 4
    assert np.array_equal(again.outputs.probabilities, whole.outputs.probabilities)
    assert f"had answered {4 if asked else 12} of these images" in again.notes[0]
    assert not any((tmp_path / "cache").rglob("*.npz"))


def test_other_weights_images_or_crops_begin_anew(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path / "cache"))
    data = convscope.data.source.open_source(folder)
    indices = np.arange(len(data))

    def place(net, *facts):
        return kept_outputs.kept_outputs(net, data.images, indices, *facts).folder

    first = place(network(), "ten")
    assert place(network(), "ten") == first
    assert place(network(1), "ten") != first
    assert place(network(), "dense") != first
    file = folder / data.images.key(3)
    time.sleep(0.01)
    shutil.copy(folder / data.images.key(4), file)
    assert place(network(), "ten") != first


def test_a_damaged_file_of_kept_answers_costs_its_batches_alone(tmp_path):
    kept = kept_outputs.KeptOutputs(tmp_path)
    for number in range(2):
        kept.add(number, torch.full((2, 7), float(number)))
        kept.write()
    files = sorted(tmp_path.iterdir())
    files[0].write_bytes(files[0].read_bytes()[:50])
    known = kept_outputs.KeptOutputs(tmp_path).load(7)
    assert list(known) == [1]
    assert known[1].tolist() == [[1.0] * 7] * 2
    assert kept_outputs.KeptOutputs(tmp_path).load(8) == {}


def test_images_are_read_only_a_few_ahead():
    """So that the memory does not grow with the number of images."""
    begun = []

    class Source:
        def key(self, index):
            return str(index)

    batches = [np.arange(start, start + 5) for start in range(0, 1000, 5)]
    loaded = load_ahead(begun.append, batches, Source(), workers=2, ahead=8)
    for number, _ in zip(range(3), loaded, strict=False):
        assert len(begun) <= 8 + 5 * (number + 1)


def test_imagenet_is_evaluated_with_the_devkits_truth(tmp_path):
    """Five classes, whose numbers in the devkit are not the order of their synsets."""
    synsets = ["n01440764", "n02012849", "n03126707", "n03710721", "n04356056"]
    numbers = [4, 1, 5, 2, 3]  # ILSVRC2012_ID of each
    root = tmp_path / "imagenet"
    (root / "val").mkdir(parents=True)
    truth = [2, 0, 1, 4, 3, 2, 0, 1]
    for number, label in enumerate(truth, 1):
        image = Image.new("RGB", (9 + number, 9), (label * 50, 0, 0))
        image.save(root / "val" / f"ILSVRC2012_val_{number:08d}.JPEG", quality=95)
    devkit = root / "ILSVRC2012_devkit_t12" / "data"
    devkit.mkdir(parents=True)
    lines = [str(numbers[label]) for label in truth]
    (devkit / "ILSVRC2012_validation_ground_truth.txt").write_text("\n".join(lines) + "\n")
    words = zip(synsets, numbers, ("tench", "crane", "cradle", "suit", "glasses"), strict=True)
    (devkit / "map_clsloc.txt").write_text("\n".join(f"{s} {n} {w}" for s, n, w in words))

    class Red(nn.Module):
        """The class whose red is nearest: right for all, whatever the crop."""

        def __init__(self):
            super().__init__()
            self.of_class = nn.Parameter(torch.arange(5) * 50 / 255)

        def forward(self, images):
            return -100 * (images[:, 0].mean((1, 2))[:, None] - self.of_class) ** 2

    net = Red().eval()
    names = ("tench", "crane bird", "cradle", "maillot tank suit", "glasses")
    net.card = Card(classes=names, input_size=(8, 8), in_channels=3, resize_mode="crop",
                    mean=(0.0,) * 3, std=(1.0,) * 3)  # fmt: skip
    by_order = [numbers[label] - 1 for label in truth]
    assert np.mean(np.array(by_order) == truth) < 0.2  # where the trap would lead
    for asked in ({}, {"crops": "ten"}, {"crops": "dense", "scales": 9}):
        found = convscope.evaluate(net, root, **asked)
        assert found.top1 == 1.0
        assert found.labels.tolist() == truth
    assert "the val split" not in found.data  # there is nothing else in it
    shutil.rmtree(devkit.parent)
    boxes = root / "Annotations" / "CLS-LOC" / "val"
    boxes.mkdir(parents=True)
    for number, label in enumerate(truth, 1):
        content = f"<annotation><object><name>{synsets[label]}</name></object></annotation>"
        (boxes / f"ILSVRC2012_val_{number:08d}.xml").write_text(content)
    (root / "synset_words.txt").write_text(
        "\n".join(f"{s} {w}" for s, w in zip(synsets, names, strict=True))
    )
    assert convscope.evaluate(net, root).top1 == 1.0


def test_the_validation_images_of_imagenet_are_those_that_are_evaluated(tmp_path):
    synsets = ["n01440764", "n02012849"]
    for split, count in (("train", 3), ("val", 2)):
        for place, synset in enumerate(synsets):
            folder = tmp_path / "imagenet" / split / synset
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (9, 9), (place * 200, number, 0)).save(folder / f"{number}.png")
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    net.card = Card(**{**vars(CARD), "classes": tuple(synsets)})
    found = convscope.evaluate(net, tmp_path / "imagenet")
    assert found.metrics.num_images == 4
    assert "the val split" in found.data
    assert Path(found.paths[0]).parts[0] == "val"


def test_what_papers_state_of_the_network_on_these_data_is_shown():
    def opened(name, classes=1000):
        names = tuple(map(str, range(classes)))
        return OpenedModel(name, nn.Identity(), Card(**{**vars(CARD), "classes": names}))

    def stated(name, data="photos", split="test", classes=1000):
        dataset = SimpleNamespace(name=data)
        found = published_of(opened(name, classes), dataset, split)
        return [one.top5_error or one.error for one in found]

    assert stated("googlenet")[:2] == [pytest.approx(0.111), pytest.approx(0.1007)]
    assert stated("torchvision:vgg16") == stated("vgg16")
    assert stated("torchvision:googlenet") == []  # with batch norm
    assert stated("torchvision:alexnet") == []  # another network of the name
    assert stated("resnet50", classes=10) == []
    assert stated("lenet5_1998", "mnist", classes=10) == [pytest.approx(0.0095)]
    assert stated("lenet5_1998", "mnist", "train", classes=10) == []
    assert stated("lenet5_1998", "digits", classes=10) == []
    found = published_of(opened("vgg16"), SimpleNamespace(name="photos"), "val")
    header, own, first, *_ = published_table(found, 0.7, 0.9, "dense at scale 256")
    assert header[1:3] == ["top-1 error", "top-5 error"]
    assert own == ["here", "30.00%", "10.00%", "dense at scale 256"]
    assert first[1:3] == ["27.00%", "8.80%"]
    assert "dense at 256" in first[3]
