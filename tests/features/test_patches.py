"""Strongest patches: planted patterns are found, and a slow loop finds the same."""

import csv
import io
import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

import convscope
from convscope import patches, record
from convscope.data.batch_sources import MemoryBatchSource
from convscope.data.normalize import normalize
from convscope.errors import RequestError, WorkError
from convscope.features.layer_pass import LayerPass
from convscope.features.patches import collection
from convscope.features.patches.activity import Activity, selectivity
from convscope.features.patches.alike import ALIKE, averaged, distinct
from convscope.features.patches.crops import crop
from convscope.features.patches.strongest import StrongestImages
from tests.features.patches import gray_card, network_of, noise

EDGE = np.repeat([[-1.0, -1, 1, 1]], 4, 0)  # dark at the left, bright at the right
LABELS = np.arange(40) % 2


def test_an_edge_filter_finds_the_edges_where_they_were_planted():
    images = noise(40)
    planted = {3: (5, 7), 11: (0, 12), 20: (17, 1), 37: (9, 16)}
    for n, (index, (row, column)) in enumerate(planted.items()):
        images[index, row : row + 4, column : column + 2] = 10 - n  # a little stronger each time
        images[index, row : row + 4, column + 2 : column + 4] = 240 + n
    result = patches(network_of([EDGE]), (images, LABELS), card=gray_card(), top=4)
    (found,) = result["conv"].filters
    assert found.patches[0].box == ((9, 13), (16, 20))
    first = [found.patches[0]]
    assert {(p.index, p.row, p.column) for p in first} == {(37, 9, 16)}
    ((pixels, outside),) = result.pixels(first)
    assert not outside.any()
    assert (pixels[..., 0] == np.repeat([[7, 7, 243, 243]], 4, 0)).all()
    assert found.patches[0].alike == 3  # the other edges, which look like it


def test_a_filter_tied_to_a_planted_patch_finds_exactly_these_images_and_positions():
    random = np.random.default_rng(1)
    images, template = noise(40), random.integers(0, 256, (5, 5))
    planted = {2: (0, 0), 9: (19, 19), 17: (6, 11), 30: (12, 3)}
    for n, (index, (row, column)) in enumerate(planted.items()):
        brighter = np.clip(template * (0.7 + 0.1 * n), 0, 255)
        images[index, row : row + 5, column : column + 5, 0] = brighter
    net = network_of([(template - template.mean()) / 255, -EDGE_5])
    result = patches(net, (images, LABELS), card=gray_card(), layers="conv", top=1)
    strongest = collected(net, images, 4)[0]
    assert strongest == {(index, *place) for index, place in planted.items()}
    top = result["conv"].filters[0].patches[0]
    assert (top.index, top.row, top.column) == (30, 12, 3)
    assert top.image.endswith("30")
    assert top.label == "a"


EDGE_5 = np.repeat([[-1.0, -1, 0, 1, 1]], 5, 0)


def collected(net, images, count):
    """(image, row, column) of the strongest units of each filter, without looking at likeness."""
    layer_pass = LayerPass(net, gray_card(images.shape[1:3]), ["conv"], batch_size=7)
    (layer,) = layer_pass.layers
    strongest = StrongestImages(layer.shape[0], count)
    source = MemoryBatchSource(torch.from_numpy(images))
    for batch in layer_pass.batches(source, np.arange(len(images))):
        units = batch.units["conv"]
        strongest.update(units, units.amax((2, 3)), batch.indices)
    width = layer.shape[2]
    return [
        {(int(i), int(p) // width, int(p) % width) for i, p in zip(*pair, strict=True)}
        for pair in zip(strongest.images, strongest.positions, strict=True)
    ]


def test_of_equal_peaks_the_earlier_images_are_kept_and_of_equal_units_the_first():
    strongest = StrongestImages(2, 5)
    for start in range(0, 200, 50):
        units = torch.zeros(50, 2, 3, 3)
        units[:, 0, 1:] = 1
        units[:, 1, 2, 2] = torch.arange(start, start + 50) // 4
        strongest.update(units, units.amax((2, 3)), np.arange(start, start + 50))
    assert strongest.images[0].tolist() == [0, 1, 2, 3, 4]
    assert strongest.positions[0].tolist() == [3] * 5
    assert strongest.images[1].tolist() == [196, 197, 198, 199, 192]
    assert strongest.positions[1].tolist() == [8] * 5


@pytest.mark.parametrize("padding", [0, 2])
def test_patches_are_those_of_a_slow_loop_over_recordings(padding):
    random = np.random.default_rng(2)
    images = random.integers(0, 256, (17, 12, 12, 1), dtype=np.uint8)
    images[5], images[6] = images[4], images[4]  # equal ones: the first stands for the others
    filters = [random.normal(size=(4, 4)) for _ in range(5)]
    net, card = network_of(filters, padding=padding, size=12), gray_card((12, 12))
    result = patches(
        net, (images, np.arange(17) % 2), card=card, top=17, batch_size=4, layers=["conv", "fc"]
    )
    equal = (4, 5, 6)  # the first stands for all, or which rounding made larger in a dense layer
    recordings = [
        record(net, normalize(torch.tensor(image)[None], card, channels_last=False))
        for image in images
    ]
    for layer in result.layers:
        for one in layer.filters:
            peaks = []
            for index, recording in enumerate(recordings):
                values = recording[layer.source].tensor[0, one.filter].reshape(-1).numpy()
                peaks.append((-float(values.max()), index, int(values.argmax())))
            # A dense layer rounds otherwise in a batch: what is nearly the smallest may be missing.
            least = one.summary.smallest + 1e-5 * abs(one.summary.smallest)
            expected = [
                (index, position) for value, index, position in sorted(peaks)
                if -value > least and index not in (5, 6)
            ]  # fmt: skip
            width = layer.shape[2] if len(layer.shape) == 3 else 1
            found = [
                (4 if p.index in equal else p.index, p.row * width + p.column)
                for p in one.patches if p.value > least
            ]  # fmt: skip
            assert found == expected
            for patch in one.patches:
                at = (one.filter, patch.row, patch.column)[: len(layer.shape)]
                own = recordings[patch.index].explain(layer.source, at)
                assert patch.box == own.receptive_field.box
                assert patch.value == pytest.approx(own.model_value, rel=1e-5, abs=1e-6)
                if layer.name == "conv":
                    assert patch.alike == (2 if patch.index in equal else 0)


def test_a_duplicated_filter_has_the_same_patches_and_a_dead_and_a_constant_one_are_told():
    filters = [EDGE, EDGE, -np.abs(EDGE), 0 * EDGE, np.abs(EDGE), -EDGE]
    net = network_of(filters, [0.0, 0, 0, 2, 0, 0])
    (layer, _) = patches(net, (noise(40, low=60), LABELS), card=gray_card()).layers
    assert layer.filters[0].patches == layer.filters[1].patches != layer.filters[5].patches
    assert layer.with_state("dead") == [2, 3]
    assert layer.with_state("always on") == [4]
    assert not layer.filters[2].patches
    assert layer.filters[2].summary.selectivity is None
    assert layer.filters[3].summary.largest == layer.filters[3].summary.smallest == 2


def test_summaries_are_those_of_all_units_at_once():
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (23, 24, 24, 1), dtype=np.uint8)
    labels = random.integers(0, 3, 23)
    card = gray_card(classes=("a", "b", "c"))
    net = network_of([random.normal(size=(4, 4)) for _ in range(4)], classes=3)
    result = patches(net, (images, labels), card=card, batch_size=5)
    with torch.no_grad():
        maps = torch.relu(net.conv(normalize(torch.tensor(images), card, channels_last=False)))
    for one in result["conv"].filters:
        units, summary = maps[:, one.filter].double().numpy(), one.summary
        means = [units[labels == label].mean() for label in range(3)]
        assert summary.class_means == pytest.approx(means, rel=1e-5)
        assert summary.preferred == "abc"[int(np.argmax(means))]
        others = [mean for mean in means if mean != max(means)]
        index = (max(means) - np.mean(others)) / (max(means) + np.mean(others))
        assert summary.selectivity == pytest.approx(index, rel=1e-4)
        assert summary.mean == pytest.approx(units.mean(), rel=1e-5)
        assert summary.largest == pytest.approx(units.max(), rel=1e-6)
        assert summary.active_units == pytest.approx((units > 0).mean())
        assert summary.active_images == pytest.approx((units.max((1, 2)) > 0).mean())
        assert sum(count for _, count in summary.top_classes) == 23


def test_the_memory_format_of_units_does_not_matter():
    units = torch.randn(5, 6, 7, 8, generator=torch.Generator().manual_seed(0))
    has_class = torch.eye(5, 2, dtype=torch.float64)
    plain, last = Activity(6, 2), Activity(6, 2)
    peaks = plain.update(units, has_class)
    assert torch.equal(peaks, last.update(units.to(memory_format=torch.channels_last), has_class))
    assert torch.allclose(plain.sums, last.sums, atol=1e-6)
    assert torch.equal(plain.active_units, last.active_units)
    assert torch.equal(plain.active_units, (units > 0).sum((0, 2, 3)).double())


def test_cells_are_means_over_the_pixels_that_they_touch():
    random = np.random.default_rng(4)
    pixels = random.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    boxes = [((0, 16), (8, 24)), ((2, 5), (1, 4)), ((-5, 11), (20, 36)), ((0, 20), (0, 30))]
    padded = np.full((60, 70, 3), 128.0)
    padded[20:40, 20:50] = pixels
    for (rows, columns), cells in zip(boxes, averaged(pixels, boxes), strict=True):
        for y in range(8):
            for x in range(8):
                (top, bottom), (left, right) = (
                    (start + (stop - start) * n // 8, start - (-(stop - start) * (n + 1) // 8))
                    for (start, stop), n in ((rows, y), (columns, x))
                )
                part = padded[20 + top : 20 + bottom, 20 + left : 20 + right]
                assert np.allclose(cells[y, x], part.mean((0, 1)), atol=1e-3)


def test_patches_of_a_field_far_larger_than_the_image_differ_by_what_is_shown_of_them():
    images = np.full((2, 24, 24, 1), 90, np.uint8)
    images[0, :, :12], images[1, :12] = 150, 150
    wide = network_of([np.random.default_rng(0).random((121, 121))], padding=60)
    (found,) = patches(wide, (images, np.arange(2)), card=gray_card(), top=2, layers="conv")[
        "conv"
    ].filters
    assert len(found.patches) == 2


def test_of_patches_that_look_alike_the_strongest_stands_for_all():
    cells = np.zeros((6, 8, 8, 1), np.uint8)
    for number, level in enumerate((100, 100 + int(ALIKE), 200, 105, 215, 0)):
        cells[number] = level
    assert distinct(cells, 9) == ([0, 2, 5], [2, 1, 0])
    assert distinct(cells, 1) == ([0], [2])
    assert distinct(cells[:0], 3) == ([], [])


def test_what_lies_outside_of_an_image_is_marked():
    pixels = np.random.default_rng(5).integers(1, 256, (16, 16, 1), dtype=np.uint8)
    patch, outside = crop(pixels, ((-2, 6), (12, 18)))
    padded = np.pad(pixels[..., 0], 2)
    assert (patch == padded[:8, 14:20, None]).all()
    assert (outside == (padded[:8, 14:20] == 0)).all()
    patch, outside = crop(pixels, ((-100, 100), (-100, 100)))
    assert patch.shape == (20, 20, 3)
    assert (~outside).sum() == 256


def test_a_pass_that_was_stopped_goes_on_and_ends_with_the_same(tmp_path):
    random = np.random.default_rng(6)
    images = random.integers(0, 256, (40, 24, 24, 1), dtype=np.uint8)
    net = network_of([random.normal(size=(4, 4)) for _ in range(5)])
    whole = patches(net, (images, LABELS), card=gray_card(), batch_size=6)
    target, started = tmp_path / "page.json", []

    def run(stop_at=None, error=KeyboardInterrupt):
        def progress(activity, done, _total):
            if activity == "Running the network":
                started.append(done)
                if done == stop_at:
                    raise error

        return patches(
            net, (images, LABELS), card=gray_card(), batch_size=6, output=target,
            on_progress=progress,
        )  # fmt: skip

    with pytest.raises(KeyboardInterrupt):
        run(18)
    with pytest.raises(ZeroDivisionError):  # whatever stops it
        run(30, ZeroDivisionError)
    assert not target.exists()
    (partial,) = tmp_path.iterdir()
    assert partial.name == ".page.json.partial"
    resumed = run()
    assert started == [6, 12, 18, 24, 30, 36, 40]
    assert resumed.to_dict() == whole.to_dict()
    assert json.loads(target.read_text()) == json.loads(json.dumps(whole.to_dict()))
    assert [path.name for path in tmp_path.iterdir()] == ["page.json"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_pass_that_was_killed_goes_on_and_ends_with_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(collection, "_SECONDS", -1.0)
    random = np.random.default_rng(7)
    images = random.integers(0, 256, (40, 24, 24, 1), dtype=np.uint8)
    net, target, done = network_of([random.normal(size=(4, 4))] * 3), tmp_path / "p.json", []

    def run(progress):
        words = {"card": gray_card(), "batch_size": 6, "output": target, "on_progress": progress}
        return patches(net, (images, LABELS), **words)

    def kill(activity, count, _total):
        if (activity, count) == ("Running the network", 24):
            os.kill(os.getpid(), signal.SIGKILL)

    if (child := os.fork()) == 0:
        try:
            run(kill)
        finally:  # whatever happens: this process is not to go on with the tests
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert not target.exists()
    resumed = run(lambda activity, count, _: done.append((activity, count)))
    counts = [count for activity, count in done if activity == "Running the network"]
    assert counts == [24, 30, 36, 40]  # the batch that ended with 24 was not saved yet
    whole = patches(net, (images, LABELS), card=gray_card(), batch_size=6)
    assert resumed.to_dict() == whole.to_dict()


def test_an_image_counts_for_each_of_its_labels():
    random = np.random.default_rng(8)
    images = random.integers(0, 256, (12, 24, 24, 1), dtype=np.uint8)
    labels = random.integers(0, 2, (12, 3))
    labels[0], labels[1] = 1, 0
    card = replace(gray_card(classes=("a", "b", "c")), task="multi-label")
    net = network_of([EDGE, -EDGE], classes=3)
    result = patches(net, (images, labels), card=card, layers="conv", top=12)
    with torch.no_grad():
        maps = torch.relu(net.conv(normalize(torch.tensor(images), card, channels_last=False)))
    for one in result["conv"].filters:
        means = maps[:, one.filter].double().mean((1, 2)).numpy()
        expected = [means[labels[:, label] == 1].mean() for label in range(3)]
        assert one.summary.class_means == pytest.approx(expected, rel=1e-5)
    texts = {patch.index: patch.label for patch in result["conv"].filters[0].patches}
    assert texts[0] == "a; b; c"
    counts = dict(result["conv"].filters[0].summary.top_classes)
    assert counts == {"abc"[label]: int(labels[:, label].sum()) for label in range(3)}


def test_what_another_request_has_saved_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(collection, "_SECONDS", -1.0)
    target, done = tmp_path / "out.csv", []

    def run(net, stop):
        def progress(activity, count, _total):
            done.append(count)
            if activity == "Running the network" and count == stop:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            patches(
                net, (noise(40), LABELS), card=gray_card(), batch_size=10, output=target,
                on_progress=progress,
            )  # fmt: skip

    run(network_of([EDGE]), 30)
    done.clear()
    run(network_of([-EDGE]), 10)
    assert 10 in done


def test_files_have_every_filter_and_pages_the_most_selective(tmp_path, digits_run):
    result = patches(digits_run, layers=["conv2", "fc2"], top=3, filters=2, output=tmp_path / "all")
    names = sorted(path.name for path in (tmp_path / "all").iterdir())
    assert names == ["01_conv2.png", "02_fc2.png", "index.html", "patches.csv", "patches.json"]
    saved = json.loads((tmp_path / "all" / "patches.json").read_text())
    assert saved == json.loads(json.dumps(result.to_dict()))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "all" / "patches.csv").read_text())))
    first = result["conv2"].filters[0].patches[0]
    assert rows[0]["image"] == first.image
    assert float(rows[0]["value"]) == first.value
    assert len({(row["layer"], row["filter"]) for row in rows}) == 16 + 10
    page = (tmp_path / "all" / "index.html").read_text()
    assert page.count("<h3>") == 4
    assert "http:" not in page
    assert "https:" not in page
    assert first.box == (
        (first.row * 2, first.row * 2 + 14),
        (first.column * 2, first.column * 2 + 14),
    )
    evaluated = convscope.evaluate(digits_run)
    assert result.num_images == len(evaluated.paths)
    assert {p.image for one in result["fc2"].filters for p in one.patches} <= set(evaluated.paths)


def test_the_command_says_what_it_found(command, tmp_path, digits_run):
    done = command("patches", digits_run, "--convolutions", "1,3", "-o", tmp_path / "p.html")
    assert "conv1" in done.stdout
    assert "conv3" in done.stdout
    assert "conv2" not in done.stdout
    assert (tmp_path / "p.html").read_text().count("<section") == 2
    failed = command("patches", digits_run, "--layers", "conf1", "-o", tmp_path / "q.html", code=2)
    assert "Did you mean 'conv1'" in failed.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"output": "nowhere/p.html"}, "does not exist"),
        ({"output": "p.png"}, "must be a folder"),
        ({"layers": ["conv"], "convolutions": [1]}, "exclude each other"),
        ({"convolutions": [7]}, "has 1 convolutions"),
        ({"layers": ["con"]}, "Did you mean 'conv'"),
        ({"top": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_done_is_refused(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=message):
        patches(network_of([EDGE]), (noise(4), [0, 1, 0, 1]), card=gray_card(), **words)
    assert not list(tmp_path.iterdir())


def test_units_that_are_not_finite_stop_the_pass():
    net = network_of([EDGE], [np.inf])
    with pytest.raises(WorkError, match="conv returns values that are not finite"):
        patches(net, (noise(4), [0, 1, 0, 1]), card=gray_card())


@pytest.mark.parametrize(
    ("means", "expected"),
    [([2.0, 2, 2], 0.0), ([3.0, 0, 0], 1.0), ([0.0, 0], None), ([1.0], None),
     ([1.0, float("nan")], None), ([1.0, -0.1], None)],
)  # fmt: skip
def test_selectivity_is_defined_for_means_of_at_least_two_classes(means, expected):
    assert selectivity(means) == expected
