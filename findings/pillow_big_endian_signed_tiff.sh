#!/usr/bin/env bash
# Pillow: a compressed big-endian TIFF of signed integers or floating point is read with the bytes of each value
# swapped, without a word.
#
# libtiff has turned the values to the order of the machine already, and Pillow turns them again. Uncompressed files,
# little-endian ones and unsigned integers of 16 bits are read as written.
#
# Seen with Pillow 13.0.0, tifffile 2026.3.3, imagecodecs 2026.3.6, Python 3.11, x86-64:
#   uint16  none  [0, 1, 300, 1000]
#   uint16  zlib  [0, 1, 300, 1000]
#   int16   none  [0, 1, 300, 1000]
#   int16   zlib  [0, 256, 11265, -6141]
#   int32   none  [0, 1, 300, 1000]
#   int32   zlib  [0, 16777216, 738263040, -402456576]
#   float32 none  [0.0, 1.0, 300.0, 1000.0]
#   float32 zlib  [0.0, 4.6e-41, 5.4e-41, 4.4e-41]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pillow==13.0.0 tifffile==2026.3.3 imagecodecs==2026.3.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'EOF'
import io
import sys

import numpy as np
import PIL
import tifffile
from PIL import Image

print("Pillow", PIL.__version__)
wrong = []
for kind in ("uint16", "int16", "int32", "float32"):
    for compression in (None, "zlib"):
        values = np.array([[0, 1, 300, 1000]], kind)
        stream = io.BytesIO()
        tifffile.imwrite(stream, values, byteorder=">", compression=compression, photometric="minisblack")
        assert (tifffile.imread(io.BytesIO(stream.getvalue())) == values).all()
        with Image.open(stream) as image:
            found = np.asarray(image)
        print(f"{kind:7} {compression or 'none':5} {found[0].tolist()}")
        if not np.array_equal(found, values):
            wrong.append((kind, compression))
if wrong != [("int16", "zlib"), ("int32", "zlib"), ("float32", "zlib")]:
    sys.exit(f"changed: wrong are now {wrong}")
print("as seen before")
EOF
