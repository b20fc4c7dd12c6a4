#!/usr/bin/env bash
# Counters: a convolution whose weight is computed first, or whose padding is "same", counts almost nothing or nothing.
#
# The same convolution, 3 channels to 8, 3 x 3, on 16 x 16: 55,296 multiply-adds and 216 weights. torchinfo multiplies the
# sizes of the parameters it finds, TorchLens reads the parameters among the arguments, thop knows types of modules (a
# subclass is none of them, and has no parameters), fvcore and torchprofile know the operations of a trace.
#
# Seen with torch 2.13.0, torchinfo 1.8.0, thop 0.1.1.post2209072238, fvcore 0.1.5.post20221221, torchlens 2.36.1,
# torchprofile 0.1.0 (multiply-adds):
#                           torchinfo    thop  fvcore  torchlens  torchprofile
#   plain                       55296   55296   55296      55296         55296
#   padding="same"              55296   55296       0      55296             0
#   standardized weights          216       0   55296          0         55304
#   weight_norm (new)               0       0   55296          0         55296
#   weight_norm (old)            1792   55296   55296          0         55296
#   spectral_norm                   0       0   55296          0         55296
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 torchinfo==1.8.0 thop==0.1.1.post2209072238 fvcore==0.1.5.post20221221 torchlens==2.36.1 torchprofile==0.1.0
"$folder/venv/bin/python" - <<'EOF'
import logging
import sys
import warnings

import fvcore.nn
import thop
import torch
import torchinfo
import torchlens
import torchprofile
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, weight_norm

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
torch.manual_seed(0)
image = torch.randn(1, 3, 16, 16)


class Standardized(nn.Conv2d):
    def forward(self, x):
        mean, std = (statistic((1, 2, 3), keepdim=True) for statistic in (self.weight.mean, self.weight.std))
        return F.conv2d(x, (self.weight - mean) / std, padding=1)


def conv(kind=nn.Conv2d, padding=1):
    return kind(3, 8, 3, padding=padding, bias=False)


networks = {
    "plain": lambda: conv(),
    'padding="same"': lambda: conv(padding="same"),
    "standardized weights": lambda: conv(Standardized),
    "weight_norm (new)": lambda: parametrizations.weight_norm(conv()),
    "weight_norm (old)": lambda: weight_norm(conv()),
    "spectral_norm": lambda: parametrizations.spectral_norm(conv()),
}
counters = {
    "torchinfo": lambda net: torchinfo.summary(net, input_data=image, verbose=0).total_mult_adds,
    "thop": lambda net: thop.profile(net, (image,), verbose=False)[0],
    "fvcore": lambda net: fvcore.nn.FlopCountAnalysis(net, image).total(),
    "torchlens": lambda net: torchlens.trace(net, image).total_macs_forward,
    "torchprofile": lambda net: torchprofile.profile_macs(net, image),
}
found = {
    name: [int(count(nn.Sequential(build()).eval())) for count in counters.values()] for name, build in networks.items()
}
print("torch", torch.__version__)
print(" " * 22 + "".join(f"{name:>14}" for name in counters))
for name, counts in found.items():
    print(f"{name:22}" + "".join(f"{count:14}" for count in counts))
expected = [
    [55296, 55296, 55296, 55296, 55296],
    [55296, 55296, 0, 55296, 0],
    [216, 0, 55296, 0, 55304],
    [0, 0, 55296, 0, 55296],
    [1792, 55296, 55296, 0, 55296],
    [0, 0, 55296, 0, 55296],
]
if list(found.values()) != expected:
    sys.exit("changed")
print("as seen before")
EOF
