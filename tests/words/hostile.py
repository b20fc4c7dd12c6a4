"""Names that command terminals, turn text, end lines, open tags and start formulas."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MARK = "PLANTED"
"""Stands after each line break of a name: at the start of a line it shows that one got through."""

ODD = f"\x1b]0;title\x07\x9b31m\u202e\n{MARK}<i>\u2028\r\x7f"
CLASSES = (f"cat{ODD}", f"caf\udce9{ODD}", f"=1+1;@x{ODD}")
LAYER = f"conv{ODD}"

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has files with such names")

_RAW = re.compile(f"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]|\n{MARK}")


def make_data(folder: Path) -> Path:
    """A folder per class, with 10 small images each, in a folder with such a name itself."""
    data = folder / f"data{ODD}"
    rng = np.random.default_rng(0)
    for label, name in enumerate(CLASSES):
        (data / name).mkdir(parents=True)
        for n in range(10):
            pixels = rng.integers(0, 60, (12, 12), np.uint8) + np.uint8(80 * label)
            Image.fromarray(pixels).save(data / name / f"-{n}\udcff{ODD}.png")
    return data


def check(written: bytes | str) -> str:
    """The text, if it is UTF-8 and nothing of a name is in it raw."""
    text = written.decode() if isinstance(written, bytes) else written
    found = _RAW.search(text)
    assert not found, repr(text[max(0, found.start() - 60) : found.end() + 20])
    return text
