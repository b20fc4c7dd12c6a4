"""Networks of others: exported, or refused in words that name the line or the layer."""

import sys

import numpy as np
import pytest
import torch

import convscope
from convscope.conversion.engine_files import write_engine_file
from convscope.engines import ENGINES, is_installed, open_engine
from convscope.errors import NetworkError, WorkError
from convscope.exported.folder import ExportedModel
from convscope.zoo import create_model

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

CODE = '''
import torch
import torch.nn.functional as F
from torch import nn


class Habits(nn.Module):
    """Functional operations, modules called twice, results overwritten in place."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(0.2 * torch.randn(6, 3, 3, 3))
        self.norm = nn.BatchNorm2d(6)
        self.relu = nn.ReLU(inplace=True)
        self.conv2d = nn.Conv2d(6, 6, 3, padding=1)
        self.fc = nn.Linear(216, 4)

    def forward(self, x):
        x = F.conv2d(x, self.weight, stride=2, padding=1)
        x = self.relu(self.norm(x))
        x = self.relu(self.conv2d(x))
        x += self.conv2d(x)
        x = F.dropout(F.max_pool2d(x, 2, ceil_mode=True), 0.5, self.training)
        return self.fc(x.view(-1, 6 * 6 * 6))


class Circular(Habits):
    def forward(self, x):
        return super().forward(F.pad(x, (1, 1, 1, 1), mode="circular")[..., 1:-1, 1:-1])


class Fixed(Habits):
    def forward(self, x):
        return self.fc(F.conv2d(x, self.weight, stride=4, padding=1).view(1, 216))


class Never(Habits):
    def forward(self, x):
        return self.fc(x)


class Branch(Habits):
    def forward(self, x):
        if x.mean() > 0:
            x = x * 2
        return super().forward(x)


class Counted(Habits):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) * self.calls


habits, circular, fixed, never = Habits().train(), Circular(), Fixed(), Never()
branch, counted = Branch(), Counted()
'''


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """The name of an importable module with CODE."""
    folder = tmp_path_factory.mktemp("code")
    (folder / "odd_habits.py").write_text(CODE)
    sys.path.insert(0, str(folder))
    yield "odd_habits"
    sys.path.remove(str(folder))
    sys.modules.pop("odd_habits", None)


def export(name, folder, **settings):
    return convscope.export(name, folder / "out", input_size=24, trust=True, threads=1, **settings)


def test_a_network_of_odd_habits_answers_as_in_pytorch(module, tmp_path):
    export(f"{module}:habits", tmp_path, engine="onnxruntime")
    network = onnx.load(tmp_path / "out" / "model.onnx")
    net = sys.modules[module].habits
    images = torch.randn(5, 3, 24, 24)
    with torch.inference_mode():
        expected = net.eval()(images).numpy()
    for name in filter(is_installed, ENGINES):
        run = open_engine(name, write_engine_file(name, tmp_path, network), threads=1)
        assert run(images.numpy()) == pytest.approx(expected, abs=1e-5), name


def test_an_engine_that_lacks_an_operation_says_which(module, tmp_path):
    if not is_installed("openvino"):
        pytest.skip("OpenVINO is not installed")
    wanted = r"^OpenVINO refuses the network: Unsupported padding mode: \[wrap\] Nothing was writ"
    with pytest.raises(WorkError, match=wanted):
        export(f"{module}:circular", tmp_path, engine="openvino")
    assert [*tmp_path.iterdir()] == []


REFUSED = {
    "fixed": r"computes 1 but not 2 images of 3x24x24 at once \(odd_habits\.py, line 35: `return "
             r"self\.fc\(F.*: shape '\[1, 216\]' is invalid.*x\.flatten\(1\)",
    "never": r"cannot compute 1, 2 or 3 images of 3x24x24 \(odd_habits\.py, line 40: .*mat1 and",
    "branch": r"reads the values of an image \(odd_habits\.py, line 45: `if x\.mean\(\) > 0:`\), w",
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exported_is_told_with_its_line(module, tmp_path, capfd, name):
    with pytest.raises(NetworkError, match=REFUSED[name]):
        export(f"{module}:{name}", tmp_path)
    assert [*tmp_path.iterdir()] == []
    assert capfd.readouterr() == ("", "")


def test_a_network_that_changes_from_call_to_call_is_refused(module, tmp_path):
    with pytest.raises(WorkError, match="answers differently than in PyTorch"):
        export(f"{module}:counted", tmp_path, engine="onnxruntime")
    assert [*tmp_path.iterdir()] == []


NETWORKS = [
    "timm:resnet18", "timm:efficientnet_lite0", "timm:mobilenetv3_small_100", "timm:convnext_atto",
    "timm:regnety_002", "torchvision:shufflenet_v2_x1_0",
]  # fmt: skip
NOT_IN_NCNN = {"timm:convnext_atto"}  # as those of the zoo, see test_zoo


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_timm_and_torchvision(name, tmp_path):
    pytest.importorskip(name.partition(":")[0])
    torch.manual_seed(0)
    net = create_model(name, num_classes=7).train()
    with torch.inference_mode():
        for _ in range(3):
            net(torch.randn(8, 3, 224, 224))  # statistics for batch norm
    exported = convscope.export(net, tmp_path / "out", input_size=224, threads=1)
    assert {one.engine for one in exported.candidates} >= {"onnxruntime"}
    refused = [note for note in exported.notes if "refuses" in note]
    assert all(name in NOT_IN_NCNN and "ncnn refuses" in note for note in refused)
    images = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        expected = net.eval()(images).numpy()
    folder = ExportedModel.open(tmp_path / "out")
    for candidate in exported.candidates:
        run = open_engine(candidate.engine, folder.file(candidate.engine), threads=1)
        most = 1e-4 * float(np.abs(expected).max())
        assert run(images.numpy()) == pytest.approx(expected, abs=most), candidate.engine
