"""Text is readable in both themes: WCAG's contrast, computed from the page's palette."""

import re
from pathlib import Path

import pytest

from convscope import webapp

TOKENS = Path(webapp.__file__).parent / "static" / "style" / "tokens.css"
TEXTS = [
    *((ink, ground) for ink in ("ink", "ink-2", "accent") for ground in ("ground", "paper")),
    ("on-accent", "accent"),
    ("ink", "accent-wash"),
]
BORDERS = [("line-2", "paper"), ("line-2", "ground")]


def palettes():
    text = TOKENS.read_text(encoding="utf-8")
    light, dark = text.split(':root[data-theme="dark"]')
    found = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part)) for part in (light, dark)]
    return {"light": found[0], "dark": found[1]}


def luminance(color):
    levels = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in levels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, two):
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_is_wcags():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_and_borders_stand_out(theme):
    colors = palettes()[theme]
    for ink, ground in TEXTS:
        assert contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
    for line, ground in BORDERS:
        assert contrast(colors[line], colors[ground]) >= 3, (line, ground)
