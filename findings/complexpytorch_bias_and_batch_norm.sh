#!/usr/bin/env bash
# complexPyTorch: the bias a + bi of a convolution acts as (a - b) + (a + b)i, and batch norm makes the mean |z|² 4.
#
# The convolution is made of two real ones that are each applied twice, with their biases. `ComplexBatchNorm2d` starts
# with weights of √2 on variances of 1 for the real and for the imaginary part each, not of 1/2.
#
# Seen with complexPyTorch 0.4, torch 2.13.0:
#   bias of the layer       0.50+0.25i
#   its answer to zeros     0.25+0.75i
#   mean |z|² behind batch norm in train mode  4.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 complexPyTorch==0.4
"$folder/venv/bin/python" - <<'EOF'
import sys

import torch
from complexPyTorch.complexLayers import ComplexBatchNorm2d, ComplexConv2d

torch.manual_seed(0)
layer = ComplexConv2d(3, 1, 3)
with torch.no_grad():
    layer.conv_r.bias.fill_(0.5)
    layer.conv_i.bias.fill_(0.25)
    answer = layer(torch.zeros(1, 3, 3, 3, dtype=torch.cfloat)).item()
    maps = torch.randn(8, 3, 16, 16, dtype=torch.cfloat)
    power = ComplexBatchNorm2d(3)(3 * maps + 1).abs().square().mean().item()
print("torch", torch.__version__)
print(f"bias of the layer    0.50+0.25i\nits answer to zeros  {answer.real:.2f}{answer.imag:+.2f}i")
print(f"mean |z|² behind batch norm in train mode  {power:.2f}")
if abs(answer - (0.25 + 0.75j)) > 1e-6 or abs(power - 4) > 0.01:
    sys.exit("changed")
print("as seen before")
EOF
