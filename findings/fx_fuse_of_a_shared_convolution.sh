#!/usr/bin/env bash
# PyTorch: `torch.fx.experimental.optimization.fuse` folds batch norm into a convolution that is also used elsewhere.
#
# If one convolution is called twice (shared weights), its batch norm is folded into both calls, or each batch norm into
# the result of the other. Nothing warns. A convolution whose one result has two readers is left alone. Tracing and
# freezing (`torch.jit`) and `torch.compile` with freezing are right for all of them.
#
# Seen with torch 2.13.0 (largest difference from the network itself):
#   own convolution each                            no
#   one result, read with and without batch norm    no
#   called twice, batch norm after one call only    yes, by more than 0.3
#   called twice, a batch norm after each           yes, by more than 0.3
#   called twice, the same batch norm after both    yes, by more than 0.3
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import sys
import warnings

import torch
from torch import nn
from torch.fx.experimental.optimization import fuse

warnings.simplefilter("ignore")
torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.other = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.first, self.second = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        for norm in (self.first, self.second):
            nn.init.uniform_(norm.weight, 1, 3)
            norm.running_mean.normal_()


class Own(Net):
    def forward(self, x):
        return self.second(self.other(self.first(self.conv(x))))


class OneResult(Net):
    def forward(self, x):
        maps = self.conv(x)
        return self.first(maps) + maps


class OnceNormalized(Net):
    def forward(self, x):
        return self.first(self.conv(x)) + self.conv(x)


class Each(Net):
    def forward(self, x):
        return self.second(self.conv(self.first(self.conv(x))))


class Both(Net):
    def forward(self, x):
        return self.first(self.conv(self.first(self.conv(x))))


image = torch.randn(1, 4, 6, 6)
found = {}
for name, kind in {
    "own convolution each": Own,
    "one result, read with and without batch norm": OneResult,
    "called twice, batch norm after one call only": OnceNormalized,
    "called twice, a batch norm after each": Each,
    "called twice, the same batch norm after both": Both,
}.items():
    net = kind().eval()
    with torch.no_grad():
        found[name] = (fuse(net)(image) - net(image)).abs().max().item()
print("torch", torch.__version__)
for name, largest in found.items():
    print(f"{name:46}{largest:.1e}")
if [largest > 0.3 for largest in found.values()] != [False, False, True, True, True]:
    sys.exit("changed")
print("as seen before")
EOF
