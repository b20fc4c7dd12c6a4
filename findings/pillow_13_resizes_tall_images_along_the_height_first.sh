#!/usr/bin/env bash
# Pillow 13: an image that loses more than twice as many rows as columns is resized along its height first.
#
# Each direction rounds to bytes, so other bytes result than by 12.2, which resizes along the width first always: a
# graph or another program that repeats Pillow's arithmetic must know the version.
#
# Seen with a gray image of 210 rows and 40 columns of noise, bicubic, resized to 30 columns (10 fewer):
#   rows                        190 (20 fewer)   189 (21 fewer)   70
#   Pillow 12.2.0, first        width            width            width
#   Pillow 13.0.0, first        width            height           height
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/order.py" <<'EOF'
import sys

import numpy as np
import PIL
from PIL import Image

image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (210, 40), np.uint8))
found = []
for height in (190, 189, 70):
    direct, *in_turn = (
        np.asarray(first.resize((30, height), Image.Resampling.BICUBIC))
        for first in (
            image,
            image.resize((30, 210), Image.Resampling.BICUBIC),
            image.resize((40, height), Image.Resampling.BICUBIC),
        )
    )
    assert (in_turn[0] != in_turn[1]).any()
    equal = [bool((direct == other).all()) for other in in_turn]
    found.append({(True, False): "width", (False, True): "height"}.get(tuple(equal), "neither"))
print(f"Pillow {PIL.__version__}, first:", *found)
if found != sys.argv[1:]:
    sys.exit("changed")
EOF
for version in 12.2.0 13.0.0; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet numpy==2.4.6 "pillow==$version"
done
"$folder/12.2.0/bin/python" "$folder/order.py" width width width
"$folder/13.0.0/bin/python" "$folder/order.py" width height height
echo "as seen before"
