#!/usr/bin/env bash
# captum: Occlusion of an even image by an even function is weaker at the right and at the bottom.
#
# The function adds all pixels, which are all 1, so each pixel matters the same. Where the stride does not divide what is
# left, the last windows are cut off, and their smaller effect is averaged in; at the left and the top nothing is cut. A
# pixel gets the effect of its whole window: 9 for a window of 3 x 3.
#
# Seen with captum 0.9.0, torch 2.13.0, 8 x 8 pixels, window 3 x 3, stride 2:
#   first row  9.0 9.0 9.0 9.0 9.0 9.0 7.5 6.0
#   last row   6.0 6.0 6.0 6.0 6.0 6.0 5.0 4.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 captum==0.9.0
"$folder/venv/bin/python" - <<'EOF'
import sys

import captum
import torch
from captum.attr import Occlusion

occlusion = Occlusion(lambda images: images.flatten(1).sum(1, keepdim=True))
found = occlusion.attribute(torch.ones(1, 1, 8, 8), sliding_window_shapes=(1, 3, 3), strides=(1, 2, 2), target=0)[0, 0]
print("captum", captum.__version__, "torch", torch.__version__)
for name, row in (("first row", found[0]), ("last row", found[-1])):
    print(f"{name:11}", *(f"{value:.1f}" for value in row.tolist()))
if found[0].tolist() != [9] * 6 + [7.5, 6] or found[-1].tolist() != [6] * 6 + [5, 4]:
    sys.exit("changed")
print("as seen before")
EOF
