#!/usr/bin/env bash
# PyTorch: what FlopCounterMode counts depends on the path that a network takes through PyTorch on the CPU.
#
# Attention without gradients in eval mode is one fused operation and counts 0. With gradients it is counted in full if it
# returns its weights; an encoder layer, which does not ask for them, lacks the products of queries, keys and values
# (1600 of 22080), because `scaled_dot_product_attention` counts 0 on the CPU. LSTM counts 0, GRU and RNN count. A
# complex convolution counts as three real ones, a complex matrix product as one real one.
#
# Seen with torch 2.13.0 (flops; a multiply-add is 2):
#   attention, eval, no gradients        0
#   attention, eval, gradients       11840
#   encoder layer, eval, no gradients    0
#   encoder layer, eval, gradients   20480   (exact: 22080)
#   scaled_dot_product_attention         0   (exact: 1600)
#   LSTM                                 0   (exact: 15360)
#   GRU                              11520
#   complex convolution              31104   (real: 10368)
#   complex matrix product             128   (real: 128)
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
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

warnings.simplefilter("ignore")


def count(run, gradients=False):
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(gradients):
        run()
    return counter.get_total_flops()


tokens = torch.randn(1, 5, 16)
attention = nn.MultiheadAttention(16, 2, batch_first=True).eval()
encoder = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
query = torch.randn(1, 2, 5, 8)
steps = torch.randn(5, 1, 8)
maps = torch.randn(1, 4, 8, 8, dtype=torch.cfloat)
matrix = torch.randn(4, 4, dtype=torch.cfloat)
found = {
    "attention, eval, no gradients": count(lambda: attention(tokens, tokens, tokens)),
    "attention, eval, gradients": count(lambda: attention(tokens, tokens, tokens), gradients=True),
    "encoder layer, eval, no gradients": count(lambda: encoder(tokens)),
    "encoder layer, eval, gradients": count(lambda: encoder(tokens), gradients=True),
    "scaled_dot_product_attention": count(lambda: F.scaled_dot_product_attention(query, query, query)),
    "LSTM": count(lambda: nn.LSTM(8, 16)(steps)),
    "GRU": count(lambda: nn.GRU(8, 16)(steps)),
    "complex convolution": count(lambda: F.conv2d(maps, torch.randn(4, 4, 3, 3, dtype=torch.cfloat))),
    "complex matrix product": count(lambda: matrix @ matrix),
}
print("torch", torch.__version__)
for name, flops in found.items():
    print(f"{name:34}{flops:6}")
if list(found.values()) != [0, 11840, 0, 20480, 0, 0, 11520, 31104, 128]:
    sys.exit("changed")
print("as seen before")
EOF
