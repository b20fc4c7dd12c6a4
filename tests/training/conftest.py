"""An undisturbed training, and one that writes and listens at every step."""

import pytest

from convscope.training.callbacks.throttle import Throttle
from tests.training.small import train


@pytest.fixture
def eager(monkeypatch):
    """Status is written and commands are read at every step, layer statistics too if watched."""
    monkeypatch.setattr(Throttle, "is_due", lambda _throttle: True)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """The run of `train` in small.py with nothing but its defaults. Look, do not write."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    train(out)
    return out
