"""What the package holds of the papers, against a table by hand and the networks themselves."""

import re
from pathlib import Path

import pytest

from convscope.published import ilsvrc_history, published_counts, published_results
from convscope.summaries.api import summary
from convscope.zoo import ZOO

GOLDEN = Path(__file__).parents[1] / "golden" / "summary"
IMAGENET = """
    alexnet_towers   ten     -                    1  40.7   18.2
    alexnet_towers   ten     -                    5  38.1   16.4
    alexnet_towers   ten     -                    7  36.7   15.4
    vgg16_c          dense   384                  1  28.1    9.3
    vgg16_c          dense   384                  1  27.3    8.8
    vgg16            dense   256                  1  27.0    8.8
    vgg16            dense   384                  1  26.8    8.7
    vgg16            dense   384                  1  25.6    8.1
    vgg16            center  -                    1  28.5    9.9
    vgg16            ten     -                    1  28.07   9.33
    vgg19            dense   384                  1  26.9    8.7
    vgg19            dense   384                  1  25.5    8.0
    googlenet        center  -                    1  -      10.07
    googlenet        ten     -                    1  -       9.15
    googlenet        144     -                    1  -       7.89
    googlenet        center  -                    7  -       8.09
    googlenet        ten     -                    7  -       7.62
    googlenet        144     -                    7  -       6.67
    resnet34         ten     -                    1  24.52   7.46
    resnet50         ten     -                    1  22.85   6.71
    resnet101        ten     -                    1  21.75   6.05
    resnet152        ten     -                    1  21.43   5.71
    resnet50         dense   224,256,384,480,640  1  20.74   5.25
    resnet101        dense   224,256,384,480,640  1  19.87   4.60
    resnet152        dense   224,256,384,480,640  1  19.38   4.49
    resnet50         center  -                    1  24.01   7.02
    resnet101        center  -                    1  22.44   6.21
    resnet152        center  -                    1  22.16   6.16
    densenet121      ten     -                    1  23.61   6.66
    densenet169      ten     -                    1  22.08   5.92
    densenet201      ten     -                    1  21.46   5.54
"""
WINNERS = {2010: 28.2, 2011: 25.8, 2012: 15.3, 2013: 11.7,
           2014: 6.67, 2015: 3.57, 2016: 2.99, 2017: 2.25}  # fmt: skip


def share(text):
    return None if text == "-" else pytest.approx(float(text) / 100)


@pytest.mark.parametrize("line", IMAGENET.strip().splitlines())
def test_results_by_protocol_are_those_of_the_papers(line):
    model, crops, scales, networks, error, top5 = line.split()
    sides = () if scales == "-" else tuple(map(int, scales.split(",")))
    found = [
        (one.error, one.top5_error)
        for one in published_results(model, "imagenet")
        if (one.crops, one.scales, one.networks) == (crops, sides, int(networks))
    ]
    assert (share(error), share(top5)) in found


def test_winners_are_those_of_each_year_and_every_figure_has_its_source():
    found = ilsvrc_history()
    assert {one.year: round(100 * one.error, 4) for one in found.winners} == WINNERS
    assert found.human_error == pytest.approx(0.051)
    assert all(one.source for one in found.winners)


def totals(name):
    """Parameters and multiply-adds by the golden table of a network, and its note."""
    text = (GOLDEN / f"{name}.txt").read_text("utf-8")
    counts = re.search(r"^total +([\d,]+) +([\d,]+)", text, re.MULTILINE)
    return *(int(one.replace(",", "")) for one in counts.groups()), text.rpartition("\n\n")[2]


@pytest.mark.parametrize("stated", published_counts(), ids=lambda one: one.model)
def test_a_count_rounds_to_the_papers_or_the_difference_is_explained(stated):
    parameters, multiply_adds, note = totals(stated.model)
    ours = {"parameters": parameters, "multiply_adds": multiply_adds}[stated.quantity]
    assert stated.is_met(ours) != bool(stated.difference)
    assert stated.describe(ours) in note
    assert stated.model in ZOO


def test_the_groups_of_alexnet_are_the_difference():
    lecture, towers = totals("alexnet"), totals("alexnet_towers")
    assert f"{lecture[0] - towers[0]:,} parameters fewer" in lecture[2]


def test_another_number_of_classes_is_not_compared():
    assert "is for other classes or images" in summary("vgg16", num_classes=3).published
