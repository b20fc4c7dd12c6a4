"""The walk of two filters: its steps are those of a convolution, and the page has its numbers."""

import re
from itertools import product

import numpy as np
import torch
from torch.nn import functional as F

from convscope.lessons.walk import NUMBERS, PADDING, STRIDE, compute_walk
from convscope.strict import parse_json


def test_the_page_has_the_numbers_of_python():
    text = re.search(r"JSON\.parse\(\s*'(.*)',\s*\)", NUMBERS.read_text("utf-8"), re.DOTALL)[1]
    assert parse_json(text, where="walk_numbers.js") == compute_walk(), (
        "run python -m convscope.lessons.walk, then scripts/check --fix"
    )


def test_every_step_adds_up_to_the_unit_of_a_plain_convolution():
    walk = compute_walk()
    wide = walk["side"]
    padded = torch.tensor(walk["volume"]).reshape(1, 3, wide, wide).float()
    image = padded[..., PADDING:-PADDING, PADDING:-PADDING]
    filters = torch.tensor(walk["filters"]).reshape(2, 3, 3, 3).float()
    maps = F.conv2d(image, filters, torch.tensor([1.0, 0.0]), STRIDE, PADDING)[0]
    assert maps.shape == (2, 3, 3)
    assert walk["maps"] == maps.flatten(1).tolist()
    places = [(one["filter"], one["row"], one["column"]) for one in walk["steps"]]
    assert places == list(product(range(2), range(3), range(3)))
    for step, unit in zip(walk["steps"], maps.flatten().tolist(), strict=True):
        sums = [sum(v * w for v, w in part["terms"]) for part in step["parts"]]
        assert sums == [part["sum"] for part in step["parts"]]
        assert sum(sums) + walk["biases"][step["filter"]] == step["total"] == unit
        rows, columns = np.divmod(step["cells"], wide)
        assert (rows.min(), columns.min()) == (STRIDE * step["row"], STRIDE * step["column"])
        covered = padded[0].flatten(1)[:, step["cells"]].tolist()
        assert [[v for v, _ in part["terms"]] for part in step["parts"]] == covered
    assert sorted({*range(wide**2)} - {*walk["outside"]}) == [
        row * wide + column for row in range(1, 6) for column in range(1, 6)
    ]
