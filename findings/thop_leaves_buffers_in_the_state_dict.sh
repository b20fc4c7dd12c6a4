#!/usr/bin/env bash
# thop: after `profile`, the state dict of the network has two more tensors, and a new network refuses it.
#
# A module of your own at the top keeps the tensors; an `nn.Sequential` there does not.
#
# Seen with thop 0.1.1.post2209072238, torch 2.13.0:
#   before: conv.weight conv.bias
#   after:  total_ops total_params conv.weight conv.bias
#   RuntimeError: Unexpected key(s) in state_dict: "total_ops", "total_params".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 thop==0.1.1.post2209072238
"$folder/venv/bin/python" - <<'EOF'
import sys

import thop
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        return self.conv(x).relu()


net = Net()
before = list(net.state_dict())
thop.profile(net, (torch.randn(1, 3, 8, 8),), verbose=False)
after = list(net.state_dict())
try:
    Net().load_state_dict(net.state_dict())
    refusal = ""
except RuntimeError as error:
    refusal = str(error).splitlines()[-1].strip()
print("torch", torch.__version__)
print("before:", *before)
print("after: ", *after)
print(refusal)
if set(after) - set(before) != {"total_ops", "total_params"} or "Unexpected key(s)" not in refusal:
    sys.exit("changed")
print("as seen before")
EOF
