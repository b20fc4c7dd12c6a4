#!/usr/bin/env bash
# MONAI: sliding-window inference multiplies what the predictor returns in place, and with it the image itself.
#
# A predictor that returns its patch, or a view of it, as an identity, a slice of channels or a crop does, gets its image
# overwritten if windows are weighted (mode="gaussian") and taken one by one; the result is then wrong. Two windows at a
# time are copied before, and right.
#
# Seen with MONAI 1.6.1, torch 2.13.0, an identity on 10 x 10 pixels in windows of 4 x 4:
#   windows at a time  mode       image changed  result differs from the image as it was
#                   1  constant   no             no
#                   1  gaussian   yes            yes
#                   2  gaussian   no             no
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 monai==1.6.1
"$folder/venv/bin/python" - <<'EOF'
import sys
import warnings

warnings.simplefilter("ignore")
import monai
import torch
from monai.inferers import sliding_window_inference

found = {}
print("MONAI", monai.__version__, "torch", torch.__version__)
print("windows at a time  mode      image changed  result differs from the image as it was")
for count, mode in ((1, "constant"), (1, "gaussian"), (2, "gaussian")):
    torch.manual_seed(0)
    image = torch.rand(1, 1, 10, 10)
    before = image.clone()
    result = sliding_window_inference(image, (4, 4), count, lambda patch: patch, overlap=0.5, mode=mode)
    found[count, mode] = not torch.equal(image, before), not torch.allclose(result, before, atol=1e-5)
    print(f"{count:17}  {mode:10}{'yes' if found[count, mode][0] else 'no':15}{'yes' if found[count, mode][1] else 'no'}")
if list(found.values()) != [(False, False), (True, True), (False, False)]:
    sys.exit("changed")
print("as seen before")
EOF
