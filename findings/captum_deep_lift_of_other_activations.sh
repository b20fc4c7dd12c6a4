#!/usr/bin/env bash
# captum: DeepLift takes plain gradients for SiLU, GELU, Hardswish and PReLU, without a word.
#
# Its attributions should add up to the difference of the outputs; the returned delta says what is missing. It is 0 for
# ReLU, LeakyReLU, ELU, Tanh, Sigmoid and Softplus, and a fifth of the difference for the others. PReLU with its initial
# slope is LeakyReLU(0.25), which is exact.
#
# Seen with captum 0.9.0, torch 2.13.0: |delta| as a share of the difference
#   ReLU, LeakyReLU, ELU, Tanh, Sigmoid, Softplus, LeakyReLU(0.25)   below 0.001
#   SiLU 0.21, GELU 0.24, Hardswish 0.18, PReLU 0.25
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 captum==0.9.0
"$folder/venv/bin/python" - <<'EOF'
import sys
import warnings

import captum
import torch
from captum.attr import DeepLift
from torch import nn

torch.manual_seed(0)
image = torch.randn(1, 1, 8, 8)
first, last = nn.Conv2d(1, 4, 3), nn.Linear(36, 3)
kinds = {
    **{name: getattr(nn, name) for name in ("ReLU", "LeakyReLU", "ELU", "Tanh", "Sigmoid", "Softplus")},
    "LeakyReLU(0.25)": lambda: nn.LeakyReLU(0.25),
    **{name: getattr(nn, name) for name in ("SiLU", "GELU", "Hardswish", "PReLU")},
}
found = {}
for name, kind in kinds.items():
    net = nn.Sequential(first, kind(), nn.MaxPool2d(2), nn.Flatten(), last).eval()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        _, delta = DeepLift(net).attribute(image.clone(), target=0, return_convergence_delta=True)
    told = any(name in str(one.message) for one in said)
    difference = (net(image) - net(torch.zeros_like(image)))[0, 0]
    found[name] = abs(delta.item() / difference.item()), told
print("captum", captum.__version__, "torch", torch.__version__)
for name, (share, told) in found.items():
    print(f"{name:16}{share:8.4f}{'  warned' if told else ''}")
exact = [share < 1e-3 for share, _ in found.values()]
off = [share > 0.05 for share, _ in found.values()]
if exact != [True] * 7 + [False] * 4 or off != [False] * 7 + [True] * 4 or any(told for _, told in found.values()):
    sys.exit("changed")
print("as seen before")
EOF
