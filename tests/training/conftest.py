"""A training that nobody disturbed, and one that tells and hears at every step."""

import pytest

from convscope.training.callbacks import live_status as live
from tests.training.small import train


@pytest.fixture
def eager(monkeypatch):
    """Everything is told and heard at every step, and looked at where somebody watches."""
    for name in ("_POLL", "_TELL", "_LOOK"):
        monkeypatch.setattr(live, name, 0.0)
    monkeypatch.setattr(live, "_SHARE", 1e9)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The run of `train` in small.py with nothing but its defaults. Look, do not write."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    train(out)
    return out
