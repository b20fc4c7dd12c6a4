"""Average precision against COCO's own program, slow loops, and numbers by hand."""

import contextlib
import io
import math
from itertools import pairwise

import numpy as np
import pytest

from convscope.boxes.average_precision import (
    average_precision,
    bootstrap_interval,
    mean_average_precision,
    precision_recall,
)
from convscope.boxes.by_size import COCO_SIDES, average_precision_by_size, size_sides
from convscope.boxes.detections import Detections
from convscope.boxes.matching import COCO_THRESHOLDS, Matches, match
from convscope.boxes.mistakes import MISTAKES, mistakes
from convscope.boxes.truth import COUNTS, CROWD, DIFFICULT, Objects, unpadded
from tests.reference import boxes as slow

CLASSES = 3


def scene(seed, *, states=(COUNTS,), images=12):
    """Objects on a lattice, some images without any, and boxes near them with tied scores."""
    random = np.random.default_rng(seed)
    boxes, labels, kinds, found = [], [], [], []
    for image in range(images):
        n = int(random.integers(0, 5)) if image else 0
        low = random.integers(0, 40, (n, 2))
        objects = np.concatenate([low, low + random.integers(4, 24, (n, 2))], 1).astype(float)
        boxes.append(objects)
        labels.append(random.integers(0, CLASSES - 1, n))  # the last class has no objects
        kinds.append(random.choice(states, n))
        copies = np.repeat(objects, 2, 0)
        near = copies + random.integers(-4, 5, copies.shape)
        low = random.integers(0, 50, (3, 2))
        stray = np.concatenate([low, low + random.integers(4, 14, (3, 2))], 1)
        every = np.concatenate([near, stray]).astype(float)
        every[:, 2:] = np.maximum(every[:, 2:], every[:, :2] + 1)
        m = len(every)
        classes = np.concatenate([np.repeat(labels[-1], 2), random.integers(0, CLASSES, 3)])
        flipped = random.random(m) < 0.2
        classes = np.where(flipped, random.integers(0, CLASSES, m), classes).astype(np.int64)
        scores = random.integers(1, 9, m) / 8
        found.append(Detections(every, scores, classes, np.zeros((m, 3), np.int64)))
    return Objects.of(boxes, labels, kinds), found


def by_pycocotools(truth, found, ranges=None):
    """AP (thresholds, classes) of COCO's program; -1 becomes NaN.

    With `ranges` of areas (ranges, thresholds, classes).
    """
    coco = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    images = [{"id": image, "width": 64, "height": 64} for image in range(len(found))]
    annotations = []
    for image in range(len(found)):
        for index in range(*truth.of_image(image).indices(len(truth.labels))):
            left, top, right, bottom = truth.boxes[index]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(truth.labels[index]),
                    "bbox": [left, top, right - left, bottom - top],
                    "area": (right - left) * (bottom - top),
                    "iscrowd": int(truth.states[index] == CROWD),
                    "ignore": int(truth.states[index] != COUNTS),
                }
            )
    results = [
        {
            "image_id": image,
            "category_id": int(label),
            "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
            "score": float(score),
        }
        for image, one in enumerate(found)
        for box, score, label in zip(one.boxes.tolist(), one.scores, one.labels, strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        data = coco.COCO()
        categories = [{"id": label} for label in range(CLASSES)]
        data.dataset = {"images": images, "annotations": annotations, "categories": categories}
        data.createIndex()
        measured = evaluation.COCOeval(data, data.loadRes(results), "bbox")
        if ranges is not None:
            measured.params.areaRng = ranges
            measured.params.areaRngLbl = [str(number) for number in range(len(ranges))]
        measured.evaluate()
        measured.accumulate()
    if ranges is not None:
        each = measured.eval["precision"][..., -1].transpose(3, 0, 1, 2)
        return np.where(each.min(2) < 0, math.nan, each.mean(2))
    curves = measured.eval["precision"][:, :, :, 0, -1]  # thresholds, recalls, classes
    return np.where(curves.min(1) < 0, math.nan, curves.mean(1))


def table(truth, found, **how):
    every = match(found, truth, CLASSES, **how)
    count = every[0].is_right.shape[0]
    return np.array([[average_precision(one, t) for one in every] for t in range(count)])


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("states", [(COUNTS,), (COUNTS, COUNTS, CROWD)], ids=["plain", "crowds"])
def test_it_is_that_of_cocos_program_with_ties_crowds_and_empty_images(seed, states):
    truth, found = scene(seed, states=states)
    expected = by_pycocotools(truth, found)
    assert np.isnan(expected[:, -1]).all()
    np.testing.assert_allclose(table(truth, found), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("states", [(COUNTS,), (COUNTS, CROWD)], ids=["plain", "crowds"])
def test_by_size_it_is_that_of_cocos_program(seed, states):
    truth, found = scene(seed, states=states, images=30)
    areas = [(one.boxes[:, 2:] - one.boxes[:, :2]).prod(1) for one in found]
    by_size = average_precision_by_size(found, truth, CLASSES, areas)
    edges = [0, *(side**2 for side in by_size.sides), 1e10]
    expected = by_pycocotools(truth, found, [[*pair] for pair in pairwise(edges)]).mean(1)
    np.testing.assert_allclose(by_size.ap, expected, rtol=0, atol=1e-12)
    assert by_size.sides[1] < 24  # all are small to COCO
    counts = by_size.support.sum(1)
    assert counts.min() > 0.2 * (truth.states == COUNTS).sum()


def test_sizes_are_cocos_unless_all_objects_are_of_one():
    def sides(*lengths):
        boxes = [np.array([[0, 0, length, length] for length in lengths], float).reshape(-1, 4)]
        return size_sides(Objects.of(boxes, [np.zeros(len(lengths), np.int64)]))

    assert sides(10, 40) == sides(33, 200) == COCO_SIDES == sides()
    assert sides(5, 6, 7, 8, 9, 10) == (6, 8)
    assert sides(32, 32, 32) == (32, 32)
    assert sides(32, 33) == COCO_SIDES


def slow_average_precision(  # noqa: C901 -- one loop, as the rules are written
    truth, found, label, threshold, rule, points
):
    """By the words of the rule: the boxes one after the other, over all images."""
    boxes = sorted(
        (
            (-score, image, index)
            for image, one in enumerate(found)
            for index, score in enumerate(one.scores)
            if one.labels[index] == label
        ),
    )
    total = sum(
        truth.labels[index] == label and truth.states[index] == COUNTS
        for index in range(len(truth.labels))
    )
    taken, curve, hits, misses = set(), [], 0, 0
    for _, image, index in boxes:
        box = found[image].boxes[index]
        of = range(*truth.of_image(image).indices(len(truth.labels)))
        best, chosen = -1.0, None
        for number in of:
            if truth.labels[number] != label or (rule == "ilsvrc" and number in taken):
                continue
            width, height = truth.sizes[number]
            least = threshold
            if rule == "ilsvrc":
                least = min(threshold, width * height / ((width + 10) * (height + 10)))
            overlap = slow.iou(box, truth.boxes[number])
            fits = overlap > least if rule == "ilsvrc" else True
            if fits and overlap > best:
                best, chosen = overlap, number
        if rule == "voc" and best < threshold:
            chosen = None
        if chosen is not None and truth.states[chosen] != COUNTS:
            taken.add(chosen)
            continue
        if chosen is not None and chosen not in taken:
            taken.add(chosen)
            hits += 1
        else:
            misses += 1
        curve.append((hits / total, hits / (hits + misses)))
    if points == "11":
        steps = [step / 10 for step in range(11)]
        best = [max((p for r, p in curve if r >= step), default=0) for step in steps]
        return sum(best) / 11
    area, before = 0.0, 0.0
    for number, (recall, _) in enumerate(curve):
        area += (recall - before) * max(p for _, p in curve[number:])
        before = recall
    return area


@pytest.mark.parametrize("points", ["11", "all"])
@pytest.mark.parametrize("rule", ["voc", "ilsvrc"])
@pytest.mark.parametrize("seed", range(6))
def test_voc_and_ilsvrc_are_those_of_the_slow_loop(seed, rule, points):
    truth, found = scene(seed, states=(COUNTS, COUNTS, DIFFICULT))
    for threshold in (0.5, 0.3):
        every = match(found, truth, CLASSES, thresholds=[threshold], rule=rule)
        for label in range(CLASSES - 1):
            expected = slow_average_precision(truth, found, label, threshold, rule, points)
            assert average_precision(every[label], points=points) == pytest.approx(expected)


def one_image(objects, boxes, scores):
    truth = Objects.of([np.array(objects, float)], [np.zeros(len(objects), np.int64)])
    labels, cells = np.zeros(len(boxes), np.int64), np.zeros((len(boxes), 3), np.int64)
    return truth, [Detections(np.array(boxes, float), np.array(scores), labels, cells)]


def test_the_rules_of_voc_and_coco_differ_where_a_second_box_overlaps_a_second_object_less():
    """Both boxes overlap the first object most. COCO gives the second box what is left."""
    objects = [(0, 0, 10, 10), (0, 4, 10, 14)]
    truth, found = one_image(objects, [(0, 0, 10, 10), (0, 1, 10, 12)], [0.9, 0.8])
    [coco] = match(found, truth, 1, thresholds=[0.5])
    [voc] = match(found, truth, 1, thresholds=[0.5], rule="voc")
    assert coco.is_right.tolist() == [[True, True]]
    assert voc.is_right.tolist() == [[True, False]]


def test_ilsvrc_allows_small_objects_five_pixels_on_each_side():
    truth, found = one_image([(10, 10, 20, 20)], [(6, 6, 24, 24)], [0.9])
    assert slow.iou((10, 10, 20, 20), (6, 6, 24, 24)) == pytest.approx(100 / 324)
    [coco] = match(found, truth, 1, thresholds=[0.5])
    [ilsvrc] = match(found, truth, 1, thresholds=[0.5], rule="ilsvrc")  # needs 100 / 400
    assert (coco.is_right.any(), ilsvrc.is_right.any()) == (False, True)


def test_the_three_conventions_by_hand():
    """Right, wrong, right, of 4 objects: precisions 1, 1/2, 2/3 at recalls 1/4, 1/4, 1/2."""
    right = np.array([[True, False, True]])
    matches = Matches(np.zeros(3, np.int64), np.array([0.9, 0.8, 0.7]), right, ~right & False,
                      np.array([4]))  # fmt: skip
    recall, precision = precision_recall(matches)
    assert recall.tolist() == [0.25, 0.25, 0.5]
    assert precision.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert average_precision(matches, points="11") == pytest.approx((3 * 1 + 3 * 2 / 3) / 11)
    assert average_precision(matches, points="all") == pytest.approx(0.25 + 0.25 * 2 / 3)
    expected = (26 * 1 + 25 * 2 / 3) / 101
    assert average_precision(matches, points="101") == pytest.approx(expected)


def test_a_class_without_objects_has_no_average_precision_and_one_without_boxes_has_0():
    empty = np.zeros((1, 0), bool)
    for count, expected in ((0, math.nan), (2, 0.0)):
        one = Matches(np.zeros(0, np.int64), np.zeros(0), empty, empty, np.array([count]))
        assert average_precision(one) == pytest.approx(expected, nan_ok=True)
    assert mean_average_precision([0.5, math.nan]) == 0.5
    assert math.isnan(mean_average_precision([math.nan]))


def test_an_image_that_counts_twice_is_an_image_that_is_there_twice():
    truth, found = scene(3)
    weights = np.random.default_rng(0).integers(0, 3, len(found)).astype(float)
    every = match(found, truth, CLASSES)
    chosen = np.repeat(np.arange(len(found)), weights.astype(int))
    again = match([found[i] for i in chosen], truth.subset(chosen), CLASSES)
    for label in range(CLASSES - 1):
        # boxes of equal scores are in another order, so scores are made unlike
        for matches in (every[label], again[label]):
            matches.scores[:] += matches.is_right[0] * 1e-6
        one = average_precision(every[label], points="all", weights=weights)
        assert one == pytest.approx(average_precision(again[label], points="all"), abs=0.02)


def test_the_interval_holds_the_value_and_is_narrower_for_more_images():
    widths = []
    for images in (12, 120):
        truth, found = scene(5, images=images)
        every = match(found, truth, CLASSES, thresholds=[0.5])
        low, high = bootstrap_interval(every, resamples=200)
        assert low < mean_average_precision([average_precision(one) for one in every]) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_mistakes_are_what_the_paper_calls_them():
    truth = Objects.of(
        [np.array([[0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]], float)],
        [np.array([0, 1, 2])],
    )
    boxes = [(0, 0, 10, 9), (0, 0, 10, 3), (20, 0, 30, 9), (40, 0, 50, 9), (0, 50, 9, 60)]
    for order, expected in (
        ([0], "correct"),
        ([1], "localization"),
        ([2], "similar"),
        ([3], "other"),
        ([4], "background"),
    ):
        found = Detections(
            np.array([boxes[i] for i in order], float),
            np.linspace(1, 0.5, len(order)),
            np.zeros(len(order), np.int64),
            np.zeros((len(order), 3), np.int64),
        )
        counts = mistakes([found], truth, 3, similar=[[0, 1]])
        assert counts[0].tolist() == [int(name == expected) for name in MISTAKES]
        assert not counts[1:].any()


def test_a_second_box_of_an_object_is_not_correct_again():
    truth = Objects.of([np.array([[0, 0, 10, 10], [30, 30, 40, 40]], float)], [np.array([0, 0])])
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9]], float)
    found = Detections(boxes, np.array([0.9, 0.8]), np.zeros(2, np.int64), np.zeros((2, 3), int))
    assert mistakes([found], truth, 1)[0].tolist() == [1, 1, 0, 0, 0]


def test_objects_survive_padding():
    truth, _ = scene(1, states=(COUNTS, CROWD))
    indices = np.array([3, 0, 7])
    back, expected = unpadded(truth.padded(indices)), truth.subset(indices)
    for name in ("starts", "boxes", "labels", "states", "sizes"):
        assert getattr(back, name).tolist() == getattr(expected, name).tolist()
    assert len(COCO_THRESHOLDS) == 10
