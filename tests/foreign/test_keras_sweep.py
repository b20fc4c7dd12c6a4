"""Random networks of Keras itself, where it is installed: `pip install keras` beside PyTorch."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SWEEP = Path(__file__).with_name("keras_sweep.py")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("keras") is None, reason="needs keras")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_random_networks_answer_as_in_keras(suffix):
    environment = {"KERAS_BACKEND": "torch", **os.environ}
    done = subprocess.run(
        [sys.executable, SWEEP, "0", "60", suffix],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
