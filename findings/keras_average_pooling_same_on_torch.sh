#!/usr/bin/env bash
# Keras on PyTorch: AveragePooling2D with padding "same" repeats the border where the padding of its two sides differs.
#
# TensorFlow leaves the padding out: it divides by the units inside the image. So does Keras on PyTorch where the padding is
# the same on both sides. Where it is not, it pads with copies of the border units and counts them, so that one network
# answers differently on two backends.
#
# Seen with Keras 3.15.1 and torch 2.13.0, the row 1 2 .. n; tensorflow-cpu 2.21.0 gave the mean of the units inside:
#   n 6, window 3, stride 2   inside 2 4 5.5        torch 2 4 5.6667
#   n 4, window 4, stride 1   inside 2 2.5 3 3.5    torch 1.75 2.5 3.25 3.75
#   n 4, window 3, stride 1   inside 1.5 2 3 3.5    torch 1.5 2 3 3.5
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 keras==3.15.1 torch==2.13.0
cd "$folder"
KERAS_BACKEND=torch venv/bin/python - <<'EOF'
import sys

import keras
import numpy as np

SEEN = {(6, 3, 2): [2, 4, 17 / 3], (4, 4, 1): [1.75, 2.5, 3.25, 3.75], (4, 3, 1): [1.5, 2, 3, 3.5]}
for (n, window, stride), seen in SEEN.items():
    row = np.arange(1, n + 1, dtype="float32")
    pool = keras.layers.AveragePooling2D((1, window), (1, stride), padding="same")
    found = keras.ops.convert_to_numpy(pool(row.reshape(1, 1, n, 1)))[0, 0, :, 0]
    padding = max(0, (-(-n // stride) - 1) * stride + window - n)
    begins = [place * stride - padding // 2 for place in range(-(-n // stride))]
    inside = [row[max(0, begin) : begin + window].mean() for begin in begins]
    print(f"n {n}, window {window}, stride {stride}: inside {np.round(inside, 4)}, torch {np.round(found, 4)}")
    if not np.allclose(found, seen, atol=1e-4):
        sys.exit("changed")
print("as seen before")
EOF
