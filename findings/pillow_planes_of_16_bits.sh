#!/usr/bin/env bash
# Pillow: a TIFF of 16-bit color that stores one plane per channel is read as other numbers, without a word.
#
# tifffile writes an array (3, height, width) so, as microscopes do. Uncompressed, Pillow takes the two bytes of a value
# for two pixels. The same planes with deflate, planes of 8 bits, and interleaved 16 bits give the high byte of each
# value, which is all that Pillow keeps of 16-bit color.
#
# Seen with Pillow 13.0.0, tifffile 2026.3.3, Python 3.11, x86-64:
#   interleaved, 16 bits            mean error  0.0 of 255; first row, red: [0, 10, 21, 31, 42, 52]
#   planes, 8 bits                  mean error  0.0 of 255; first row, red: [0, 10, 21, 31, 42, 52]
#   planes, 16 bits, deflate        mean error  0.0 of 255; first row, red: [0, 10, 21, 31, 42, 52]
#   planes, 16 bits, uncompressed   mean error 71.1 of 255; first row, red: [0, 0, 140, 10, 24, 21]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import io
import sys

import numpy as np
import PIL
import tifffile
from PIL import Image

print("Pillow", PIL.__version__)
color = np.arange(4 * 6 * 3, dtype=np.uint16).reshape(4, 6, 3) * 900
planes = color.transpose(2, 0, 1).copy()


def read(array, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, array, photometric="rgb", **options)
    written = tifffile.imread(io.BytesIO(stream.getvalue()))
    assert (written == array).all()
    with Image.open(stream) as image:
        return np.asarray(image)


high = (color >> 8).astype(np.uint8)
cases = {
    "interleaved, 16 bits": (read(color), high),
    "planes, 8 bits": (read((planes >> 8).astype(np.uint8), planarconfig="separate"), high),
    "planes, 16 bits, deflate": (read(planes, planarconfig="separate", compression="zlib"), high),
    "planes, 16 bits, uncompressed": (read(planes, planarconfig="separate"), high),
}
right = {}
for name, (found, expected) in cases.items():
    far = np.abs(found.astype(int) - expected)
    right[name] = not far.any()
    print(f"{name:31} mean error {far.mean():4.1f} of 255; first row, red: {found[0, :, 0].tolist()}")
if list(right.values()) != [True, True, True, False]:
    sys.exit(f"changed: right are now {[name for name, is_right in right.items() if is_right]}")
print("as seen before")
EOF
