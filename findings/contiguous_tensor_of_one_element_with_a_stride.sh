#!/usr/bin/env bash
# PyTorch: a contiguous tensor of one element may have any stride, and then cannot be viewed as bytes.
#
# Along an axis of length 1 the stride does not matter, so `is_contiguous()` is true and `contiguous()` returns the tensor as
# it is. `view(torch.uint8)` looks at the stride alone. Such tensors come from slices, as `weights[::3][:1]`.
#
# Seen with torch 2.13.0:
#   is_contiguous True, stride (3,), contiguous().stride() (3,)
#   view(torch.uint8): RuntimeError: self.stride(-1) must be 1 to view Float as Byte (different element sizes), but got 3
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import sys

import torch

tensor = torch.arange(4.0)[::3][:1]
print("torch", torch.__version__)
print("is_contiguous", tensor.is_contiguous(), "stride", tensor.stride(), tensor.contiguous().stride())
try:
    print("bytes", tensor.contiguous().view(torch.uint8).tolist())
    answer = ""
except RuntimeError as error:
    print("RuntimeError:", answer := str(error))
if not tensor.is_contiguous() or "self.stride(-1) must be 1" not in answer:
    sys.exit("changed")
print("as seen before")
EOF
