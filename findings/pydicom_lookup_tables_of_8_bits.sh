#!/usr/bin/env bash
# pydicom: a VOI lookup table or palette with entries of 8 bits and more than 256 of them is indexed modulo 256,
# without a word.
#
# DICOM (PS3.3 C.11.2.1.1 and C.7.6.3.1.5) lets a table for 12-bit values have 4096 entries of 8 bits. `apply_voi` and
# `apply_color_lut` keep the index of a value in an array of the type of the entries. With entries of 16 bits, and in
# `apply_modality_lut`, the same table is followed. So it is with pylibjpeg and GDCM installed: they are not asked.
#
# Seen with pydicom 3.0.2, NumPy 2.4.6, Python 3.11, x86-64; the table is value / 16:
#   right                [0, 6, 18, 125, 255]
#   apply_voi            [0, 6, 2, 13, 15]
#   apply_color_lut      [0, 6, 2, 13, 15]
#   apply_modality_lut   [0, 6, 18, 125, 255]
#   apply_voi, 16 bits   [0, 6, 18, 125, 255]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pydicom==3.0.2 numpy==2.4.6
"$folder/venv/bin/python" -W ignore - <<'EOF'
import sys

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi
from pydicom.uid import ExplicitVRLittleEndian

print("pydicom", pydicom.__version__)
entries = np.arange(4096) >> 4
stored = np.array([0, 100, 300, 2000, 4095], np.uint16)


def header(bits):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    table = Dataset()
    table.LUTDescriptor = [4096, 0, bits]
    table.add_new("LUTData", "US", entries.tolist())
    data.VOILUTSequence = data.ModalityLUTSequence = [table]
    for color in ("Red", "Green", "Blue"):
        setattr(data, f"{color}PaletteColorLookupTableDescriptor", [4096, 0, 8])
        setattr(data, f"{color}PaletteColorLookupTableData", entries.astype(np.uint8).tobytes())
    return data


found = {
    "right": entries[stored],
    "apply_voi": apply_voi(stored, header(8)),
    "apply_color_lut": apply_color_lut(stored, header(8))[:, 0],
    "apply_modality_lut": apply_modality_lut(stored, header(8)),
    "apply_voi, 16 bits": apply_voi(stored, header(16)),
}
for name, values in found.items():
    print(f"{name:20} {values.tolist()}")
wrong = [name for name, values in found.items() if values.tolist() != found["right"].tolist()]
if wrong != ["apply_voi", "apply_color_lut"]:
    sys.exit(f"changed: wrong are now {wrong}")
print("as seen before")
EOF
