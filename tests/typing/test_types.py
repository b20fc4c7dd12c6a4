"""Type checkers know the package: they pass what a person writes, and refuse mistakes.

The project beside this file is checked by pyright and by mypy. In `refused.py` each mistake carries
a comment that ignores its error; a comment that ignores nothing is an error itself.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import convscope

PROJECT = Path(__file__).with_name("project")
ROOT = Path(convscope.__file__).parents[1]


def check(*words: object) -> None:
    paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "MYPYPATH": str(ROOT)},
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


def test_pyright_agrees():
    check("pyright", "--pythonpath", sys.executable)


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
def test_mypy_agrees():
    check("mypy", "--config-file", "mypy.ini", "--cache-dir", ROOT / ".mypy_cache", ".")


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "convscope" / "py.typed").is_file()
