"""Images to train on, and a run to look at, made once."""

import faulthandler
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

import benchmarks.torchvision_operators  # noqa: F401 -- before torchvision is imported
import convscope
from convscope.zoo import module_sources
from tests.forked import Forked

settings.register_profile("convscope", deadline=None)  # a busy machine fails no test
settings.register_profile("fast", settings.get_profile("convscope"), max_examples=30)

STDERR = pytest.StashKey[int]()

_TESTS = Path(__file__).resolve().parent
REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-golden", action="store_true", help="write the golden files anew")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STDERR] = os.dup(2)  # nothing is captured now
    is_fast = config.option.markexpr == "not slow"
    settings.load_profile("fast" if is_fast else "convscope")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Have a crash tell where it was; libraries send that to what a test captures."""
    faulthandler.enable(item.config.stash[STDERR])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Tell how a process of tests ended that should not have; −n is by signal n."""
    if error:
        print(f"\n{node.gateway.id} ended with {node.gateway._io.popen.wait(5)}")  # noqa: T201 -- beside what xdist prints


@pytest.fixture
def write_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be written, which the person then looks at."""
    return request.config.getoption("--write-golden")


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """A folder of 3 x 12 color PNGs of 12x10, one dominant channel per class."""
    return make_image_folder(tmp_path / "fruit", ("apple", "leaf", "plum"), each=12)


def make_image_folder(root: Path, classes: tuple[str, ...], *, each: int) -> Path:
    random = np.random.default_rng(0)
    for place, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(each):
            pixels = random.integers(0, 100, (12, 10, 3), dtype=np.uint8)
            pixels[..., place % 3] += 150
            Image.fromarray(pixels).save(root / name / f"{number:02d}.png")
    return root


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of LeNet-5 on digits, a few epochs. Look, do not write."""
    out = tmp_path_factory.mktemp("runs") / "digits"
    convscope.train("digits", out=out, epochs=6)
    return out


@pytest.fixture(scope="session", autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A user's state and cache for the tests alone: no test signs with a person's key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.setenv("CONVSCOPE_CACHE", str(tmp_path_factory.mktemp("decoded")))
        yield


@pytest.fixture(scope="session", autouse=True)
def own_sources() -> Iterator[None]:
    """A network of a test module is that module's alone, and of the helpers.

    Else it would be that of all test modules which this process has collected, for they lie in one
    folder: hundreds of digests in each run, read again wherever its settings are.
    """
    loaded_from = module_sources._loaded_from

    def of_one(folder: Path, module: str) -> Iterator[tuple[str, Path]]:
        for name, path in loaded_from(folder, module):
            is_other = path.stem.startswith("test_") and path.is_relative_to(_TESTS)
            if name == module or not is_other:
                yield name, path

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module_sources, "_loaded_from", of_one)
        yield


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    """Handlers of signals that a test leaves behind would end the process at another's signal."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    before = {
        name: signal.getsignal(getattr(signal, name)) for name in names if hasattr(signal, name)
    }
    yield
    for name, handler in before.items():
        if handler is not None and signal.getsignal(getattr(signal, name)) is not handler:
            signal.signal(getattr(signal, name), handler)


_TERMINAL = {"COLUMNS": "100", "NO_COLOR": "1"}


@pytest.fixture
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in a process of its own, forked from one that has done the imports."""

    def run(
        *words: object, cwd: Path | None = None, code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        forked = Forked(*words, cwd=cwd, env={**os.environ, **_TERMINAL})
        forked.wait()
        done = subprocess.CompletedProcess(words, forked.poll(), forked.stdout, forked.stderr)
        return _checked(done, code)

    return run


@pytest.fixture
def shell() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in a process that begins with nothing, as a person would: seconds."""

    def run(
        *words: object, cwd: Path | None = None, code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "convscope", *map(str, words)],
            capture_output=True,
            text=True,
            cwd=cwd,
            timeout=300,
            check=False,
            env={**os.environ, **_TERMINAL},
        )
        return _checked(done, code)

    return run


def _checked(done: subprocess.CompletedProcess[str], code: int) -> subprocess.CompletedProcess[str]:
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    folder = REAL / "mnist"
    if not folder.exists():
        pytest.skip(f"real MNIST is not at {folder}")
    return folder


@pytest.fixture(scope="session")
def cifar10_archive() -> Path:
    """CIFAR-10 as JPEG files: train/CLASS/ and test/CLASS/."""
    archive = REAL / "cifar10-jpeg.tar.gz"
    if not archive.exists():
        pytest.skip(f"real CIFAR-10 is not at {archive}")
    return archive
