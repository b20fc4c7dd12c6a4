#!/usr/bin/env bash
# zennit: relevance is not conserved where a signal is multiplied by a gate, as in squeeze-and-excitation.
#
# Rules are hooks of modules, and a product has none: what comes to it as relevance is taken for a gradient, so the signal gets
# it times the gate, and the gate gets it times the signal. Without biases, what reaches the image should be the output.
#
# Seen with zennit 0.5.1, torch 2.13.0:
#   without a gate: 1.0000 of the output reaches the image
#   with a gate: 0.8288 of the output reaches the image
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 pillow==12.0.0 click==8.3.1
"$folder/venv/bin/pip" install --quiet --no-deps zennit==0.5.1
"$folder/venv/bin/python" - <<'EOF'
import sys
from types import ModuleType

import torch
from torch import nn

for name in ("torchvision", "torchvision.models", "torchvision.models.resnet"):
    sys.modules[name] = ModuleType(name)  # of which zennit imports two classes, needless here
for name in ("Bottleneck", "BasicBlock"):
    setattr(sys.modules["torchvision.models.resnet"], name, type(name, (nn.Module,), {}))

from zennit.attribution import Gradient
from zennit.composites import EpsilonPlus


class Net(nn.Module):
    def __init__(self, is_gated):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(3, 8, 3, bias=False), nn.ReLU()
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1, bias=False), nn.Sigmoid())
        self.pool, self.flatten, self.fc = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2, bias=False)
        self.is_gated = is_gated

    def forward(self, x):
        x = self.relu(self.conv(x))
        if self.is_gated:
            x = x * self.gate(x)
        return self.fc(self.flatten(self.pool(x)))


shares = {}
for is_gated in (False, True):
    torch.manual_seed(0)
    net, image = Net(is_gated).eval(), torch.rand(1, 3, 12, 12)
    with Gradient(model=net, composite=EpsilonPlus()) as attributor:
        output, relevance = attributor(image, lambda output: output * torch.eye(2)[[0]])
    shares[is_gated] = float((relevance.sum() / output[0, 0]).detach())
    print(f"{'with' if is_gated else 'without'} a gate: {shares[is_gated]:.4f} of the output reaches the image")
if abs(shares[False] - 1) > 1e-3 or abs(shares[True] - 1) < 0.1:
    sys.exit("changed")
print("as seen before")
EOF
