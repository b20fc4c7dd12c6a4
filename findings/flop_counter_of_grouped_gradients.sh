#!/usr/bin/env bash
# PyTorch: FlopCounterMode counts the gradient of a grouped convolution as if the filters saw all channels.
#
# The gradient by the weight of a convolution with g groups needs as many multiply-adds as the forward pass; it is counted
# g times. The forward pass and the gradient by the image are right. The same holds for transposed convolutions.
#
# Seen with torch 2.13.0, for 8 channels, 16 filters of 3 x 3 on an 8 x 8 output; the exact count is 3 times the forward
# pass:
#   groups  forward  counted with backward     exact
#        1   147456                 442368    442368
#        2    73728                 294912    221184
#        8    18432                 184320     55296
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import sys

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count(run):
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


print("torch", torch.__version__)
print("groups  forward  counted with backward     exact")
found = {}
for groups in (1, 2, 8):
    layer = nn.Conv2d(8, 16, 3, groups=groups, bias=False)
    image = torch.randn(1, 8, 10, 10, requires_grad=True)
    forward = count(lambda: layer(image))
    found[groups] = forward, count(lambda: layer(image).sum().backward())
    exact = 3 * 2 * 16 * (8 // groups) * 9 * 64
    print(f"{groups:6}{forward:9}{found[groups][1]:23}{exact:10}")
if found != {1: (147456, 442368), 2: (73728, 294912), 8: (18432, 184320)}:
    sys.exit("changed")
print("as seen before")
EOF
