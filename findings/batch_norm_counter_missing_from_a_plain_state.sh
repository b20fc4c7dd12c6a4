#!/usr/bin/env bash
# PyTorch: a strict `load_state_dict` does not miss the counter of batch norm in a plain dictionary.
#
# A state dict that a module made carries a version, and a missing `num_batches_tracked` is an error. A plain dictionary,
# which is what `safetensors.torch.load` or a filter of names returns, has none: it is taken for one of before the counter
# existed, the answer is "All keys matched successfully", and the counter keeps whatever it was. With `momentum=None` the
# running statistics are then averaged over a wrong number of batches.
#
# Seen with torch 2.13.0:
#   state of a module   RuntimeError: missing num_batches_tracked
#   plain dictionary    <All keys matched successfully>, the counter is 3 as before
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import sys

import torch
from torch import nn


def load(state):
    norm = nn.BatchNorm2d(2)
    norm.num_batches_tracked.fill_(3)
    try:
        answer = str(norm.load_state_dict(state, strict=True))
    except RuntimeError as error:
        answer = "RuntimeError" if "num_batches_tracked" in str(error) else str(error)
    return answer, int(norm.num_batches_tracked)


own = nn.BatchNorm2d(2).state_dict()
del own["num_batches_tracked"]
print("torch", torch.__version__)
print("state of a module ", found := load(own))
print("plain dictionary  ", plain := load(dict(own)))
if found[0] != "RuntimeError" or plain != ("<All keys matched successfully>", 3):
    sys.exit("changed")
print("as seen before")
EOF
