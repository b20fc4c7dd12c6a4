#!/usr/bin/env bash
# PyTorch: one image that is channels_last by `is_contiguous` is scaled as if it were not, and slower.
#
# `pixels.permute(2, 0, 1)[None]` and `pixels[None].permute(0, 3, 1, 2)` are the same image in the same
# memory, and both are contiguous in channels_last; they differ in the stride of their only batch entry.
# `interpolate` of the first answers planes, which it makes by copies, and takes 1.3 to 1.7 times as long
# for bytes; the values are equal.
#
# Seen with torch 2.13.0 (CPU), 354x354 to 224x224:
#   permuted, then a batch: channels_last True, strides (3, 1, 1062, 3); result (150528, 50176, 224, 1)
#   a batch, then permuted: channels_last True, strides (375948, 1, 1062, 3); result (150528, 1, 672, 3)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import sys
import time

import torch
from torch.nn.functional import interpolate

torch.set_num_threads(1)
pixels = torch.randint(0, 256, (354, 354, 3), dtype=torch.uint8)
ways = {
    "permuted, then a batch": pixels.permute(2, 0, 1)[None],
    "a batch, then permuted": pixels[None].permute(0, 3, 1, 2),
}
results = {}
for name, image in ways.items():
    taken = []
    for _ in range(50):
        start = time.process_time()
        scaled = interpolate(image, (224, 224), mode="bilinear", antialias=True)
        taken.append(time.process_time() - start)
    is_last = image.is_contiguous(memory_format=torch.channels_last)
    print(f"{name}: channels_last {is_last}, strides {image.stride()}; result {scaled.stride()}, "
          f"{1e6 * min(taken):.0f} us")
    results[name] = is_last, scaled
(one_is_last, one), (other_is_last, other) = results.values()
expected = one_is_last and other_is_last and torch.equal(one, other)
sys.exit(0 if expected and one.stride() != other.stride() else 1)
EOF
