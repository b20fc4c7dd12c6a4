"""How a command's own process starts: without collections, with PyTorch's library loaded beside."""

import subprocess
import sys

import pytest

import convscope.startup


def run(code: str) -> str:
    begin = "import gc, sys, threading\nfrom convscope.startup import begin, collect_again\n"
    words = [sys.executable, "-c", begin + code]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


def test_imports_collect_nothing_and_what_they_made_is_exempt_afterwards():
    assert run("begin(['models']); print(gc.isenabled(), gc.get_freeze_count())") == "False 0"
    again = "collect_again(); print(gc.isenabled(), gc.get_freeze_count() > 1000)"
    assert run(f"begin([]); {again}") == "True True"


def test_a_process_that_did_not_begin_so_is_left_as_it_is():
    assert run("collect_again(); print(gc.isenabled(), gc.get_freeze_count())") == "True 0"
    loaded = "print(gc.isenabled(), gc.get_freeze_count(), threading.active_count())"
    assert run(f"import convscope.training.api\n{loaded}") == "True 0 1"


_LIBRARY = "any('libtorch_cpu' in line for line in open('/proc/self/maps'))"


@pytest.mark.skipif(sys.platform != "linux", reason="libraries are loaded ahead on Linux only")
def test_the_library_of_pytorch_is_loaded_while_others_are_imported():
    wait = "[t.join() for t in threading.enumerate() if t is not threading.current_thread()]"
    begin = f"begin(['train', 'digits']); {wait}"
    assert run(f"{begin}; print({_LIBRARY}, 'torch' in sys.modules)") == "True False"
    assert run(f"{begin}; import torch; print(torch.ones(2).sum().item())") == "2.0"


@pytest.mark.parametrize("words", [[], ["--help"], ["train", "--help"], ["geometry"], ["nonsense"]])
def test_what_needs_no_torch_loads_no_library(words):
    assert run(f"begin({words}); print(threading.active_count(), 'ctypes' in sys.modules)") == (
        "1 False"
    )


def test_a_torch_that_is_not_there_is_left_to_its_import(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    convscope.startup._preload_torch()


@pytest.mark.parametrize(
    "words",
    [
        ["train", "digits", "--epochs", "many"],
        ["train", "digits", "--lr", "-1"],
        ["evaluate", "run", "--split", "all"],
        ["predict", "run", "a.png", "--top", "three"],
        ["resume"],
    ],
)
def test_a_request_that_cannot_be_read_is_refused_before_torch_is_imported(words):
    code = (
        "from convscope.cli import main\n"
        f"try: main({words})\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}"], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2", "False"]
    assert done.stderr.startswith("convscope: ")
