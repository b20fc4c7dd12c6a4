"""`convscope.lab` in Python: serves a network of one's own in a thread, and ends."""

import urllib.error
import urllib.request

import pytest
from torch import nn

import convscope
from convscope.errors import RequestError
from convscope.http_server.listening import free_port

pytest.importorskip("fastapi")


def test_the_page_shows_a_network_of_ones_own_and_ends():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with convscope.lab(net.eval(), open=False) as lab:
        assert lab.address in lab._repr_html_()
        with urllib.request.urlopen(f"{lab.address}api/networks", timeout=30) as answer:  # noqa: S310 -- our own
            assert b'"Sequential"' in answer.read()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(lab.address, timeout=5)  # noqa: S310 -- our own


@pytest.mark.parametrize("port", [0, -1, 65_536, 99_999])
def test_a_port_out_of_range_is_refused(port, command):
    with pytest.raises(RequestError, match=f"`port` must be between 1 and 65,535, not {port}"):
        convscope.lab(port=port, open=False)
    done = command("lab", "--no-open", "--port", port, code=2)
    told = " ".join(done.stderr.split())
    assert told == f"convscope: --port must be between 1 and 65,535, not {port}."


@pytest.mark.parametrize(
    "host", ["", "no.such.host.invalid", "a" * 300, "192.0.2.1", "::ffff", "a b", "\0"]
)
def test_a_host_that_is_none_of_this_machine_is_refused(host):
    with pytest.raises(RequestError, match=r"`host`.* 127\.0\.0\.1"):
        free_port(host, 8600)
