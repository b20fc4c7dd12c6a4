"""The map of images: coordinates, its trust, neighbors, and what is written."""

import csv
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import trustworthiness
from sklearn.preprocessing import StandardScaler
from torch import nn

import convscope
from convscope.card import Card
from convscope.errors import RequestError
from convscope.features.embedding.projection import check_method, pca
from convscope.features.embedding.trust import measure_trust, nearest_images
from convscope.features.linear import fit_linear

CARD = Card(
    classes=("dark", "light"), input_size=(6, 6), in_channels=1, resize_mode="crop",
    mean=(0.0,), std=(1.0,),
)  # fmt: skip


def clouds(count=90, size=7):
    random = np.random.default_rng(1)
    labels = random.integers(0, 3, count)
    return (random.normal(size=(count, size)) + 2 * labels[:, None]).astype(np.float32), labels


def test_principal_components_are_those_of_scikit_learn():
    values, _ = clouds()
    points, shares = pca(values.astype(np.float64))
    model = PCA(2, svd_solver="full").fit(values.astype(np.float64))
    expected = model.transform(values.astype(np.float64))
    signs = np.sign((points * expected).sum(0))
    assert np.abs(points - expected * signs).max() < 1e-9
    assert shares == pytest.approx(model.explained_variance_ratio_)
    one, share = pca(np.array([[1.0], [3.0]]))
    assert np.abs(one) == pytest.approx(np.array([[1, 0], [1, 0]]))
    assert share == pytest.approx((1, 0))


@pytest.mark.parametrize("neighbors", [1, 5, 10])
def test_trustworthiness_is_that_of_scikit_learn(neighbors):
    values, labels = clouds()
    for points in (
        pca(values.astype(np.float64))[0],
        np.random.default_rng(0).normal(size=(90, 2)),
    ):
        trust = measure_trust(values, points, labels, neighbors)
        expected = trustworthiness(values, points, n_neighbors=neighbors)
        assert trust.trustworthiness == pytest.approx(expected, abs=1e-12)


def test_neighbors_that_are_kept_are_those_of_a_loop():
    values, labels = clouds(40)
    points = pca(values.astype(np.float64))[0]
    trust = measure_trust(values, points, labels, 6)

    def near(rows, i):
        others = [j for j in range(40) if j != i]
        return sorted(others, key=lambda j: float(np.square(rows[i] - rows[j]).sum()))[:6]

    pairs = [(i, near(values, i), near(points, i)) for i in range(40)]
    total = 40 * 6
    assert trust.kept == sum(len({*a} & {*b}) for _, a, b in pairs) / total
    assert trust.same_class == sum(labels[j] == labels[i] for i, a, _ in pairs for j in a) / total
    in_map = sum(labels[j] == labels[i] for i, _, b in pairs for j in b) / total
    assert trust.same_class_in_map == in_map


def test_nearest_images_are_by_euclidean_distance():
    values, _ = clouds()
    order, distances = nearest_images(values, values[7], 4)
    assert order[0] == 7
    assert distances[0] == 0
    every = [float(np.linalg.norm(row - values[7])) for row in values]
    assert distances == pytest.approx(sorted(every)[:4], rel=1e-6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten dark and ten light images; one of each class lies in the other's folder."""
    root = tmp_path_factory.mktemp("shades")
    for number in range(20):
        is_light = number % 2
        folder = root / ("light" if is_light != (number in (4, 5)) else "dark")
        folder.mkdir(exist_ok=True)
        shade = 150 + 4 * number if is_light else 10 + 4 * number
        Image.new("L", (6, 6), shade).save(folder / f"{number:02d}.png")
    return root


@pytest.fixture(scope="module")
def net():
    """Says light above the middle; its hidden layer has the mean and twice the mean."""
    net = nn.Sequential()
    net.add_module("map", nn.Conv2d(1, 2, 1, bias=False))
    net.add_module("pool", nn.AdaptiveAvgPool2d(1))
    net.add_module("flat", nn.Flatten())
    net.add_module("out", nn.Linear(2, 2))
    with torch.no_grad():
        net.map.weight[:] = torch.tensor([1.0, 2.0])[:, None, None, None]
        net.out.weight[:] = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
        net.out.bias[:] = torch.tensor([0.5, 0.0])
    return net


def test_a_map_of_shades_has_them_in_their_order_and_mistakes_marked(net, folder, tmp_path):
    query = tmp_path / "query.png"
    Image.new("L", (6, 6), 90).save(query)
    page = tmp_path / "map.html"
    result = convscope.embed(
        net, folder, card=CARD, layer="map", nearest=[query], num_nearest=2, output=page
    )
    shades = np.array([float(pixels.mean()) for pixels in result.pixels])
    assert abs(np.corrcoef(shades, result.points[:, 0])[0, 1]) > 0.9999
    assert sorted(name[-6:-4] for name, wrong in zip(
        result.names, result.labels != result.predicted, strict=True) if wrong
    ) == ["04", "05"]  # fmt: skip
    [near] = result.neighbors
    assert [result.names[index][-6:] for index in near.indices] == ["18.png", "16.png"]
    expected = 8 / 255 * np.sqrt(1 + 4)  # 90 and 82, by the mean and its double
    assert near.distances[0] == pytest.approx(expected, rel=1e-4)
    rows = list(csv.DictReader((tmp_path / "map.csv").read_text().splitlines()))
    assert len(rows) == 20
    assert sum(row["correct"] == "0" for row in rows) == 2
    assert float(rows[3]["x"]) == pytest.approx(result.points[3, 0], rel=1e-5)
    text = page.read_text()
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    content = json.loads(re.search(r'id="data">(.*?)</script>', text)[1])
    assert content["names"] == list(result.names)
    assert max(content["x"]) == 1
    assert "2 are predicted wrong" in text


def test_of_many_images_some_are_shown_and_this_is_said(net, folder):
    result = convscope.embed(net, folder, card=CARD, max_images=5)
    assert result.layer == "map"  # the last before that of the classes
    assert len(result.points) == 5
    assert str(result).startswith("5 of 20 images")
    assert "evenly out of all" in str(result)


def test_tsne_keeps_groups_and_is_the_same_for_a_seed(net, folder):
    one, again = (
        convscope.embed(net, folder, card=CARD, method="tsne", seed=3).points for _ in range(2)
    )
    assert (one == again).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"method": "lda"}, "`method` must be one of 'pca', 'tsne', 'umap'"),
        ({"layer": "conv7"}, "no layer 'conv7'"),
        ({"max_images": 3}, "`max_images` must be at least 4"),
        ({"output": "map.png"}, r"must end in \.html"),
        ({"nearest": ["none.png"]}, r"none\.png"),
    ],
)
def test_a_wrong_request_is_named(net, folder, words, message):
    with pytest.raises(RequestError, match=message):
        convscope.embed(net, folder, card=CARD, **words)


def test_a_method_without_its_package_names_the_extra(monkeypatch):
    monkeypatch.setattr("convscope.features.embedding.projection.find_spec", lambda name: None)
    with pytest.raises(RequestError, match=r"convscope\[umap\]"):
        check_method("umap")
    assert check_method("pca") == "pca"


def test_a_probe_is_the_logistic_regression_of_scikit_learn():
    values, labels = clouds(200)
    values[:, 3] = 1  # a constant feature
    others = clouds(300)[0][200:]
    score = fit_linear(values, labels, 3)
    scaler = StandardScaler().fit(values)
    model = LogisticRegression(C=1.0, tol=1e-8, max_iter=2000).fit(scaler.transform(values), labels)
    assert (score(values).argmax(1) == model.predict(scaler.transform(values))).all()
    others[:, 3] = 1
    assert (score(others).argmax(1) == model.predict(scaler.transform(others))).all()


def test_probes_of_labels_are_one_logistic_regression_of_scikit_learn_each():
    values, labels = clouds(120)
    truth = np.stack([labels > 0, labels == 1], 1).astype(np.int64)
    scores = fit_linear(values, truth, 2)(values)
    scaled = StandardScaler().fit_transform(values.astype(np.float64))
    for k in range(2):
        model = LogisticRegression(C=1.0, tol=1e-8, max_iter=2000).fit(scaled, truth[:, k])
        assert np.abs(scores[:, k] - model.decision_function(scaled)).max() < 1e-3


def test_a_layer_without_the_classes_probes_at_chance_and_one_with_them_at_all(tmp_path):
    random = np.random.default_rng(0)
    for split, each in (("train", 30), ("test", 20)):
        for label, name in enumerate(("dark", "light")):
            for number in range(each):
                folder = tmp_path / split / name
                folder.mkdir(parents=True, exist_ok=True)
                pixels = random.integers(0, 100, (6, 6)).astype(np.uint8) + np.uint8(120 * label)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    net = nn.Sequential()
    net.add_module("none", nn.Conv2d(1, 3, 1))
    net.add_module("all", nn.Conv2d(3, 2, 1))
    net.add_module("pool", nn.AdaptiveAvgPool2d(1))
    net.add_module("flat", nn.Flatten())
    with torch.no_grad():
        net.none.weight[:] = 0
        net.none.weight[2] = 1
    result = convscope.probes(net, tmp_path, card=CARD, layers=["none", "all"])
    assert [each.accuracy for each in result.layers] == [1.0, 1.0]
    with torch.no_grad():
        net.none.weight[2] = 0
    blind = convscope.probes(net, tmp_path, card=CARD, layers=["none", "all"])
    assert [each.accuracy for each in blind.layers] == [0.5, 0.5]
    assert blind.num_train == 60
    assert [each.majority for each in blind.baselines] == [0.5]
    low, high = blind.layers[0].interval
    assert low == pytest.approx(0.35, abs=0.01)
    assert high == pytest.approx(0.65, abs=0.01)
    assert "none" in str(blind)
    assert blind.to_dict()["layers"][1]["layer"] == "all"


@pytest.fixture(scope="module")
def labeled(tmp_path_factory):
    """Images whose left and right halves are light or not: the labels, independent of each other.

    Of two test images the label `right` is not what they show.
    """
    root = tmp_path_factory.mktemp("halves")
    rows = ["path,split,left,right"]
    for number in range(48):
        left, right = number % 2, number // 2 % 2
        pixels = np.full((6, 6), 20 + number, np.uint8)
        pixels[:, :3] += np.uint8(120 * left)
        pixels[:, 3:] += np.uint8(120 * right)
        Image.fromarray(pixels).save(root / f"{number:02d}.png")
        split = "test" if number % 3 == 0 else "train"
        rows.append(f"{number:02d}.png,{split},{left},{right ^ (number % 24 == 0)}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root / "labels.csv"


@pytest.fixture(scope="module")
def halves_net():
    """Its first maps have the means of the halves, of all and of nothing; it answers by these."""
    net = nn.Sequential()
    net.add_module("blind", nn.Conv2d(1, 1, 1, bias=False))
    net.add_module("halves", nn.Conv2d(1, 2, (6, 6), bias=False))
    net.add_module("flat", nn.Flatten())
    net.add_module("out", nn.Linear(2, 2))
    with torch.no_grad():
        net.blind.weight[:] = 1
        net.halves.weight[:] = 0
        for k in range(2):
            net.halves.weight[k, 0, :, 3 * k : 3 * k + 3] = 1 / 18
        net.out.weight[:] = 20 * torch.eye(2)
        net.out.bias[:] = -20 * 105 / 255
    return net


LABELS = Card(
    classes=("left", "right"), input_size=(6, 6), in_channels=1, resize_mode="crop",
    mean=(0.0,), std=(1.0,), task="multi-label",
)  # fmt: skip


def test_of_several_labels_one_colors_the_map(halves_net, labeled, tmp_path):
    page = tmp_path / "map.html"
    result = convscope.embed(halves_net, labeled, card=LABELS, layer="halves", output=page)
    assert result.label == "right"  # 10 of the 16 have it, and 8 the other
    assert result.classes == ("without right", "with right")
    expected = [(n // 2 % 2) ^ (n % 24 == 0) for n in range(0, 48, 3)]
    assert result.labels.tolist() == expected
    assert result.predicted.tolist() == [n // 2 % 2 for n in range(0, 48, 3)]
    assert "2 are predicted wrong for right." in str(result)  # 0 and 24
    content = json.loads(re.search(r'id="data">(.*?)</script>', page.read_text())[1])
    assert [each["name"] for each in content["colors"]] == ["left", "right"]
    assert content["labels"] == content["colors"][1]["labels"] == expected
    assert "<option selected>right</option>" in page.read_text()
    rows = list(csv.DictReader((tmp_path / "map.csv").read_text().splitlines()))
    assert [rows[0][key] for key in ("label", "predicted", "correct")] == ["right", "no label", "0"]
    other = convscope.embed(halves_net, labeled, card=LABELS, layer="halves", label="left")
    assert (other.labels == other.predicted).all()
    with pytest.raises(RequestError, match="no label 'rihgt'"):
        convscope.embed(halves_net, labeled, card=LABELS, label="rihgt")


def test_labels_are_probed_one_by_one_with_intervals(halves_net, labeled):
    result = convscope.probes(halves_net, labeled, card=LABELS, layers=["blind", "halves"])
    assert [(each.layer, each.label) for each in result.layers] == [
        *(("blind", "left"), ("blind", "right"), ("halves", "left"), ("halves", "right"))
    ]
    left, right = result.of("halves")
    assert (left.accuracy, left.area.value) == (1, 1)
    assert right.accuracy == 14 / 16  # 0 and 24 of the 16 are mislabeled
    assert right.area.interval[0] < right.area.value < right.area.interval[1]
    assert max(each.accuracy for each in result.of("blind")) < 1
    assert [each.network_correct for each in result.baselines] == [16, 14]
    payload = result.to_dict()
    assert payload["labels"]["right"] == {"network_accuracy": 14 / 16, "majority": 10 / 16}
    assert payload["layers"][2]["auc"]["value"] == 1
    assert "AUC 1.000" in str(result)
