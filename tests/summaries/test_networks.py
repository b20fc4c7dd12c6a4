"""Summaries of networks of timm and torchvision, beside what torch itself reads and counts."""

import warnings
from contextlib import suppress

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import convscope
from convscope.recording.retention import storage_id
from tests.sweep.costs import _Reads
from tests.sweep.networks import NETWORKS, _created

QUICK = {
    "timm:test_byobnet": "repeated blocks of its own",
    "timm:resnetv2_50x1_bit": "weight standardization",
    "timm:swin_tiny_patch4_window7_224": "position bias tables",
    "timm:swinv2_tiny_window16_256": "position biases that a network computes",
    "timm:convnextv2_atto": "response normalization",
    "timm:coat_tiny": "einsum",
    "timm:levit_128s": "attention with biases",
    "timm:cait_xxs24_224": "class tokens and layer scale",
    "torchvision:googlenet": "parts that do not run",
    "torchvision.video:r2plus1d_18": "three axes",
}
ROWS = [
    pytest.param(row, id=row.name, marks=[] if row.name in QUICK else [pytest.mark.slow])
    for row in NETWORKS
]


def on_meta(row):
    """The network without values; some cannot be built there."""
    with warnings.catch_warnings(), suppress(Exception), torch.device("meta"):
        warnings.simplefilter("ignore")
        return _created(row).eval()
    return _created(row).eval()


def counted(net, image):
    """Half the floating-point operations of a pass, and the storages that it reads."""
    counter, reads = FlopCounterMode(display=False), _Reads()
    with torch.no_grad(), counter, reads:
        net.requires_grad_(requires_grad=False)(image)
    return counter.get_total_flops() // 2, reads.storages


@pytest.mark.parametrize("row", ROWS)
def test_parameters_and_multiply_adds_of_a_network_are_those_that_torch_reads_and_counts(row):
    pytest.importorskip(row.library.partition(".")[0])
    net = on_meta(row)
    found = convscope.summary(net, (3, *row.sides))
    assert found.is_counted
    assert found.parameters == sum(weight.numel() for weight in net.parameters())
    with torch.device("meta"):
        multiply_adds, reads = counted(net.to("meta"), torch.zeros(1, 3, *row.sides))
    assert found.multiply_adds == multiply_adds
    unused = sum(w.numel() for w in net.parameters() if storage_id(w) not in reads)
    assert sum(row.parameters for row in found.rows if row.type == "not run") == unused
    assert not any(row.type == "not used" for row in found.rows)


def test_the_quick_networks_are_in_the_list():
    assert {row.name for row in NETWORKS} >= set(QUICK)
