#!/usr/bin/env bash
# safetensors: equal tensors with equal metadata give files of different bytes if the metadata have several keys.
#
# The keys are written in a random order, also within one process, so the checksum of a file says nothing about whether two
# trainings are equal. With one key the bytes are always the same.
#
# Seen with safetensors 0.8.0, 40 calls of `save` on the same tensor:
#   one key    1 content
#   three keys 6 contents
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 safetensors==0.8.0
"$folder/venv/bin/python" - <<'EOF'
import sys

import numpy as np
import safetensors
from safetensors.numpy import save

tensors = {"weight": np.zeros(2, np.float32)}
one = {save(tensors, {"epoch": "3"}) for _ in range(40)}
several = {save(tensors, {"epoch": "3", "network": "lenet5", "data": "digits"}) for _ in range(40)}
print("safetensors", safetensors.__version__)
print("one key   ", len(one), "content")
print("three keys", len(several), "contents")
if len(one) != 1 or len(several) == 1:
    sys.exit("changed")
print("as seen before")
EOF
