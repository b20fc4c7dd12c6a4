#!/usr/bin/env bash
# PyTorch: `torch.compile` with freezing computes a transposed convolution followed by batch norm wrongly.
#
# Freezing (`torch._inductor.config.freezing`, in eval mode without gradients) folds the factors of batch norm into the
# weight, along the axis of the input channels, which is that of the output channels of an ordinary convolution only. If
# a transposed convolution has as many inputs as outputs per group, that passes without an error; the factors then belong
# to the wrong channels. A multiplication by one number per channel is folded in the same way. Needs a C++ compiler.
#
# Seen with torch 2.13.0 on the CPU (largest error; the outputs go up to about 4):
#   transposed 4 to 4, batch norm, plain compile     no
#   transposed 4 to 4, batch norm, freezing          yes, by more than 0.5
#   transposed 4 to 4, 3d, batch norm, freezing      yes, by more than 0.5
#   transposed 4 to 4, a factor per channel          yes, by more than 0.5
#   transposed 4 to 6, batch norm, freezing          no
#   ordinary 4 to 4, batch norm, freezing            no
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
from torch._inductor import config

warnings.simplefilter("ignore")
torch.manual_seed(0)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.factors = nn.ConvTranspose2d(4, 4, 2, stride=2), nn.Parameter(torch.tensor([1.0, -2, 3, -4])[:, None, None])

    def forward(self, x):
        return self.layer(x) * self.factors


def normalized(layer, norm=nn.BatchNorm2d):
    norm = norm(layer.out_channels)
    nn.init.normal_(norm.weight)
    norm.running_var.uniform_(0.5, 2)
    return nn.Sequential(layer, norm)


def error(net, *size, freezing=True):
    torch._dynamo.reset()
    image = torch.randn(1, 4, *(size or (8, 8)))
    with torch.no_grad(), config.patch(freezing=freezing):
        return (torch.compile(net.eval())(image) - net(image)).abs().max().item()


found = {
    "transposed 4 to 4, batch norm, plain compile": error(normalized(nn.ConvTranspose2d(4, 4, 3)), freezing=False),
    "transposed 4 to 4, batch norm, freezing": error(normalized(nn.ConvTranspose2d(4, 4, 3))),
    "transposed 4 to 4, 3d, batch norm, freezing": error(
        normalized(nn.ConvTranspose3d(4, 4, 2, stride=2), nn.BatchNorm3d), 4, 4, 4
    ),
    "transposed 4 to 4, a factor per channel": error(Scaled()),
    "transposed 4 to 6, batch norm, freezing": error(normalized(nn.ConvTranspose2d(4, 6, 3))),
    "ordinary 4 to 4, batch norm, freezing": error(normalized(nn.Conv2d(4, 4, 3))),
}
print("torch", torch.__version__)
for name, largest in found.items():
    print(f"{name:46}{largest:.1e}")
if [largest > 0.2 for largest in found.values()] != [False, True, True, True, False, False]:
    sys.exit("changed")
print("as seen before")
EOF
