"""`convscope.lab` in Python: serves a network of one's own in a thread, and ends."""

import urllib.error
import urllib.request

import pytest
from torch import nn

import convscope
from convscope.errors import RequestError

pytest.importorskip("fastapi")


def test_the_page_shows_a_network_of_ones_own_and_ends():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with convscope.lab(net.eval(), open=False) as lab:
        assert lab.address in lab._repr_html_()
        with urllib.request.urlopen(f"{lab.address}api/networks", timeout=30) as answer:  # noqa: S310 -- our own
            assert b'"Sequential"' in answer.read()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(lab.address, timeout=5)  # noqa: S310 -- our own


def test_a_port_out_of_range_is_refused():
    with pytest.raises(RequestError, match="`port` must be between 1 and 65,535, not 70000"):
        convscope.lab(port=70000, open=False)
