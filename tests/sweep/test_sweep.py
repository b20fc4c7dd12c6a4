"""The sweep finds what is wrong, and runs over networks as `scripts/sweep` starts it."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope import receptive
from convscope.explanation import recording as explaining
from convscope.explanation.recording import record
from tests.sweep.costs import check_costs
from tests.sweep.faults import Findings
from tests.sweep.fields import check_fields, gradients_of
from tests.sweep.networks import NETWORKS
from tests.sweep.unchanged import check_output, check_unchanged, facts_of
from tests.sweep.units import check_traces, check_units, sampled_units

IMAGE = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def network(*more):
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), *more).eval()


def checks_with_faults(net):
    """The names of the checks that find a fault."""
    findings, random = Findings(), np.random.default_rng(0)
    before = facts_of(net)
    recording = record(net, IMAGE)
    check_unchanged(before, net, findings)
    check_output(recording, net, IMAGE, findings)
    check_units(recording, sampled_units(recording, random, 2), findings)
    check_traces(recording, random, findings)
    check_costs(net, IMAGE, findings)
    check_fields(net, IMAGE, random, findings, units=4)
    assert findings.figures["operations with a field"] == len(recording)
    return {fault.check for fault in findings.faults}


def test_a_network_that_is_explained_rightly_has_no_fault():
    assert checks_with_faults(network(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 5))) == set()


def test_a_wrong_rule_is_found(monkeypatch):
    rule = explaining.RULES["batch_norm"]
    wrong = lambda view, at: replace(rule(view, at), bias=7.0)  # noqa: E731
    monkeypatch.setitem(explaining.RULES, "batch_norm", wrong)
    assert "bound" in checks_with_faults(network())


def test_an_operation_without_a_rule_is_found(monkeypatch):
    monkeypatch.delitem(explaining.RULES, "relu")
    assert checks_with_faults(network()) == {"unsupported"}


def test_a_field_that_is_too_small_is_found(monkeypatch):
    elementwise = receptive.EFFECTS["elementwise"]
    monkeypatch.setitem(receptive.EFFECTS, "convolution", elementwise)
    assert checks_with_faults(nn.Sequential(nn.Conv2d(3, 3, 3, padding=1))) == {"field"}


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net[0].weight.data.mul_(2),
        lambda net: net[1].running_mean.add_(1),
        lambda net: net[2].train(),
        lambda net: net[2].register_forward_hook(print),
        lambda net: net[0].weight.requires_grad_(requires_grad=False),
        lambda net: setattr(net[0], "calls", 1),
        lambda net: torch.rand(1),
    ],
    ids=("parameter", "buffer", "mode", "hook", "requires_grad", "attribute", "random state"),
)
def test_whatever_has_changed_is_found(change):
    net, findings = network(), Findings()
    before = facts_of(net)
    check_unchanged(before, net, findings)
    assert findings.faults == []
    change(net)
    check_unchanged(before, net, findings)
    assert [fault.check for fault in findings.faults] == ["trace left"]


class Drifting(nn.Module):
    """Computes something else each time."""

    calls = 0

    def forward(self, x):
        Drifting.calls += 1
        return x + self.calls


def test_an_output_that_differs_from_a_plain_run_is_found():
    assert "output" in checks_with_faults(network(Drifting()))


@pytest.mark.parametrize("column", ["parameters", "multiply_adds"])
def test_a_summary_that_counts_too_little_is_found(monkeypatch, column):
    def too_little(net, size):
        table = convscope.summary(net, size)
        return replace(table, rows=(replace(table.rows[0], **{column: 1}), *table.rows[1:]))

    monkeypatch.setattr("tests.sweep.costs.summary", too_little)
    assert checks_with_faults(network()) == {column.replace("_", "-")}


class Tokens(nn.Module):
    """Through its transposition the gradient arrives at batch norm transposed, too."""

    def __init__(self):
        super().__init__()
        self.features = network()[:2]
        self.head = nn.LayerNorm(4)

    def forward(self, x):
        return self.head(self.features(x).flatten(2).transpose(1, 2))


def test_gradients_are_those_of_finite_differences_also_through_batch_norm_on_the_cpu():
    torch.manual_seed(0)
    net, image = Tokens().eval().double(), IMAGE.double()
    at, pixel, step = (7, 3), (0, 1, 1, 6), 1e-5
    ((_, gradient),) = gradients_of(net, image, record(net, image), [("head", at)])
    change = torch.zeros_like(image)
    change[pixel] = step
    with torch.no_grad():
        expected = (net(image + change) - net(image - change))[(0, *at)] / (2 * step)
    assert float(gradient[pixel]) == pytest.approx(float(expected), rel=1e-6, abs=1e-9)
    assert abs(float(expected)) > 1e-4


def test_every_module_of_timm_has_a_network():
    timm = pytest.importorskip("timm")
    ours = {row.model for row in NETWORKS if row.library == "timm"}
    modules = {name for name in timm.list_modules() if timm.list_models(module=name)}
    assert [
        name for name in sorted(modules) if ours.isdisjoint(timm.list_models(module=name))
    ] == []
    assert len(NETWORKS) == len({row.name for row in NETWORKS}) > 250


def sweep(*options, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "tests.sweep", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_the_program_sweeps_over_two_small_networks(tmp_path):
    pytest.importorskip("timm")
    file = tmp_path / "found.json"
    text = sweep("--only", "timm:test_(resnet|byobnet)", "--units", "1", "--json", str(file))
    assert "2  networks without a fault" in text
    found = json.loads(file.read_text("utf-8"))
    assert set(found["networks"]) == {"timm:test_resnet", "timm:test_byobnet"}
    assert found["figures"]["units"] == found["figures"]["units within their bound"] > 100


def test_a_network_that_takes_too_long_is_a_fault_and_the_sweep_goes_on():
    pytest.importorskip("timm")
    text = sweep("--only", "timm:test_resnet", "--seconds", "0", code=1)
    assert "it took longer than 0 s" in text
    assert "1  networks" in text


DOZEN = (
    "timm:(convnextv2_atto|vit_tiny_patch16_224|swin_tiny_patch4_window7_224|mixnet_s|volo_d1_224|"
    "resnetv2_50x1_bit|ghostnet_050|skresnet18)$|torchvision:(densenet121|googlenet)$|"
    "torchvision.backbone:retinanet_resnet50_fpn$|torchvision.video:r3d_18"
)


@pytest.mark.slow
def test_a_dozen_networks_have_no_fault():
    pytest.importorskip("timm")
    assert "12  networks without a fault" in sweep("--only", DOZEN)
