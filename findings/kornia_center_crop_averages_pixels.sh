#!/usr/bin/env bash
# kornia: `geometry.center_crop` answers averages of four pixels if the margins are odd, also of a mask.
#
# The crop is a resampling around the exact center. `augmentation.CenterCrop` of the same size copies pixels.
#
# Seen with kornia 0.9.0, torch 2.13.0:
#   the middle 3 x 3 of 0, 1, 2, ... 15 in rows of four, first row:
#     geometry.center_crop     2.5 3.5 4.5
#     augmentation.CenterCrop  0.0 1.0 2.0
#   values of a mask with the classes 0 and 3 after center_crop from 5 x 5 to 4 x 4:
#     as it is                 0.0 1.5 3.0
#     with mode="nearest"      0.0 3.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 kornia==0.9.0
"$folder/venv/bin/python" - <<'EOF'
import sys

import kornia
import torch

image = torch.arange(16.0).view(1, 1, 4, 4)
mask = torch.zeros(1, 1, 5, 5)
mask[..., 2:] = 3
crop = kornia.geometry.center_crop
found = {
    "geometry.center_crop": crop(image, (3, 3))[0, 0, 0],
    "augmentation.CenterCrop": kornia.augmentation.CenterCrop((3, 3))(image)[0, 0, 0],
    "classes of the mask": crop(mask, (4, 4)).round(decimals=3).unique(),
    "classes of the mask, nearest": crop(mask, (4, 4), mode="nearest").round(decimals=3).unique(),
}
print("kornia", kornia.__version__, "torch", torch.__version__)
for name, values in found.items():
    print(f"{name:29}", *(f"{value:.1f}" for value in values))
expected = [(2.5, 3.5, 4.5), (0, 1, 2), (0, 1.5, 3), (0, 3)]
same = [
    len(values) == len(wanted) and torch.allclose(values, torch.tensor(wanted, dtype=torch.float32), atol=1e-3)
    for values, wanted in zip(found.values(), expected)
]
if not all(same):
    sys.exit("changed")
print("as seen before")
EOF
