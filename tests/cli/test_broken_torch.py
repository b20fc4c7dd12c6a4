"""A torch that is missing or broken is told as that."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from convscope.cli.broken_torch import broken_torch

ROOT = Path(__file__).parents[2]

# The last line of each is what real installations raise: a missing library of the system, a wheel
# of another Python, a DLL that Windows does not find.
BROKEN = {
    "raise ImportError('libcudnn.so.9: cannot open shared object file')": "libcudnn.so.9",
    "import torch._C": "No module named 'torch._C'",
    "raise OSError('[WinError 126] Error loading \"c10.dll\"')": "c10.dll",
}


@pytest.mark.parametrize("body", BROKEN)
def test_a_broken_torch_is_named_and_is_no_bug_of_convscope(tmp_path, body):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(body)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "convscope", "summary", "lenet5"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 1
    assert "PyTorch is installed but cannot be imported" in done.stderr
    assert BROKEN[body] in done.stderr
    assert "bug in convscope" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_torch_is_named():
    assert "not installed" in str(broken_torch(ModuleNotFoundError("no", name="torch")))


@pytest.mark.parametrize(
    "error", [ImportError("numpy"), OSError("disk"), ModuleNotFoundError("no", name="timm")]
)
def test_other_errors_are_not_torchs(error):
    with pytest.raises(type(error)) as raised:
        raise error
    assert broken_torch(raised.value) is None
