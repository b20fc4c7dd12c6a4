"""Correlation and cosine against NumPy and PyTorch, groups against a loop over all pairs."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from convscope.features.similarity import correlated_groups, correlation, cosine_similarity


@pytest.fixture
def maps():
    """Twelve maps of 5x7 in which 0, 3, 7 and 1, 4 nearly repeat each other; 9 is constant."""
    random = np.random.default_rng(0)
    maps = random.normal(size=(12, 5, 7)).astype(np.float32)
    for copy, original in ((3, 0), (7, 0), (4, 1)):
        maps[copy] = 2 * maps[original] + 0.05 * maps[copy] + 1
    maps[5] = -maps[2]
    maps[9] = 0.3
    return maps


def test_correlation_is_numpys(maps):
    varying = np.delete(maps, 9, axis=0)
    expected = np.corrcoef(varying.reshape(11, -1).astype(np.float64))
    assert correlation(varying) == pytest.approx(expected, abs=1e-12)


def test_a_constant_map_correlates_with_none(maps):
    found = correlation(maps)
    assert not found[9].any()
    assert not found[:, 9].any()


def test_cosine_similarity_is_torchs(maps):
    rows = torch.from_numpy(maps).flatten(1).double()
    expected = F.cosine_similarity(rows[:, None], rows[None], dim=2).numpy()
    assert cosine_similarity(maps) == pytest.approx(expected, abs=1e-12)


def test_groups_hold_the_maps_that_correlate_and_leave_opposites_apart(maps):
    assert correlated_groups(maps) == [[0, 3, 7], [1, 4]]
    assert correlated_groups(maps, threshold=1.1) == []


@pytest.mark.parametrize("seed", range(5))
def test_every_member_of_a_group_correlates_with_its_first(seed):
    maps = np.random.default_rng(seed).normal(size=(30, 2, 2)).astype(np.float32)
    correlations = np.corrcoef(maps.reshape(30, -1).astype(np.float64))
    groups = correlated_groups(maps, threshold=0.8)
    grouped = [index for group in groups for index in group]
    assert groups
    assert len(grouped) == len(set(grouped))
    assert all(correlations[group[0], other] >= 0.8 for group in groups for other in group)
    alone = sorted(set(range(30)) - set(grouped))
    assert all(correlations[a, b] < 0.8 for a in alone for b in alone if a != b)
