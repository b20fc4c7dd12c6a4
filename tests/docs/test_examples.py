"""Every block of code in README and docs is run, in the folder of somebody who follows them."""

import os
import re
import shlex
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from tests.conftest import make_image_folder
from tests.docs.examples import ROOT, Block, blocks, commands, pages
from tests.forked import Forked

RUN_LANGUAGES = {"python", "sh", "toml"}
FAST = {"README.md", "evaluation.md", "filters.md", "networks.md", "photographs.md"}
"""What newcomers read, and a page for each kind of command; and those that have nothing to run."""
OTHER_LANGUAGES = {"text", "powershell", "bat"}  # output, and what this system lacks


def _marked() -> list[object]:
    return [
        pytest.param(
            page,
            id=str(page.relative_to(ROOT)),
            marks=[pytest.mark.slow] * (_runs_something(page) and page.name not in FAST),
        )
        for page in pages()
    ]


def _runs_something(page: Path) -> bool:
    return any(
        part.language in ("python", "sh") and not part.skipped for part in blocks(page.read_text())
    )


@pytest.mark.parametrize("page", _marked())
def test_every_block_of_the_page_runs(
    page: Path, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk)
    monkeypatch.syspath_prepend(desk)
    names: dict[str, object] = {"convscope": convscope, "torch": torch}
    parts = blocks(page.read_text())
    for part in parts:
        where = f"{page.relative_to(ROOT)}:{part.line}"
        assert part.language in RUN_LANGUAGES | OTHER_LANGUAGES, where
        if part.skipped or part.language in OTHER_LANGUAGES:
            continue
        if part.language == "python":
            _run_python(part, names, where)
        elif part.language == "sh":
            _run_shell(part, where)
        else:
            Path("net.toml").write_text(part.code)


def _run_python(part: Block, names: dict[str, object], where: str) -> None:
    code = compile(part.code, where, "exec")
    exec(code, names)  # noqa: S102 -- our own page


def _run_shell(part: Block, where: str) -> None:
    for line in commands(part.code):
        words = shlex.split(line)
        assert words[0] == "convscope", f"{where}: {line}"
        process = Forked(*words[1:], cwd=Path.cwd(), env={**os.environ, "COLUMNS": "100"})
        if part.until:
            _stop_after(process, part.until)
            continue
        process.wait()
        assert process.poll() == 0, f"{where}: {line}\n{process.stdout}\n{process.stderr}"


def _stop_after(process: Forked, text: str) -> None:
    while text not in process.stdout + process.stderr and process.poll() is None:
        time.sleep(0.05)
    assert text in process.stdout + process.stderr, process.stderr
    process.signal(signal.SIGINT)
    process.wait()


_NETWORK = """
from torch import nn


def build(num_classes=10):
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, num_classes),
    )
"""


@pytest.fixture(scope="module")
def desk_template(tmp_path_factory: pytest.TempPathFactory, digits_run: Path) -> Path:
    """A folder with what the pages speak of: photographs, a run, a network."""
    desk = tmp_path_factory.mktemp("desk")
    for number, name in enumerate(("cataract", "glaucoma", "normal"), 1):
        make_image_folder(desk / "fundus", (name,), each=12)
        for image in sorted((desk / "fundus" / name).iterdir()):
            patient, eye = divmod(int(image.stem), 2)
            image.rename(image.with_stem(f"{number}{patient:02d}_{('left', 'right')[eye]}"))
    shutil.copytree(desk / "fundus" / "normal", desk / "some" / "folder")
    random = np.random.default_rng(1)
    Image.fromarray(random.integers(0, 255, (40, 48, 3), dtype=np.uint8)).save(desk / "photo.jpg")
    for name in ("a.jpg", "b.jpg"):
        shutil.copy(desk / "photo.jpg", desk / name)
    grid = np.tile([10, 10, 10, 0, 0, 0], (6, 1))
    np.savetxt(desk / "6x6.csv", grid, fmt="%d", delimiter=",")
    shutil.copytree(digits_run, desk / "RUN")
    shutil.copytree(digits_run, desk / "runs" / "my-run")
    (desk / "mypackage").mkdir()
    (desk / "mypackage" / "nets.py").write_text(_NETWORK)
    return desk


@pytest.fixture
def desk(desk_template: Path, tmp_path: Path) -> Path:
    return shutil.copytree(desk_template, tmp_path / "desk")


def test_marks_are_read() -> None:
    page = (
        "<!-- example: given\nx = 3\n-->\n\n"
        '<!-- example: replace "10" by "1" -->\n```python\ny = x * 10\n```\n'
        "<!-- example: not run: needs a camera -->\n```sh\nconvscope lab  # opens\n```\n"
    )
    given, python, shell = blocks(page)
    assert given.code == "x = 3\n"
    assert (python.code, python.skipped, python.line) == ("y = x * 1\n", "", 6)
    assert (shell.skipped, commands(shell.code)) == ("needs a camera", ["convscope lab"])


@pytest.mark.parametrize(
    "page",
    [
        '<!-- example: replace "20" by "1" -->\n```python\ny = 10\n```\n',
        '<!-- example: replace "20" by "1" -->\n',
        "<!-- example: perhaps -->\n```python\ny = 10\n```\n",
    ],
)
def test_a_mark_without_effect_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match=r"20|perhaps"):
        blocks(page)


def test_no_command_hides_in_an_indented_block() -> None:
    for page in pages():
        hidden = re.findall(r"^    convscope .*", page.read_text(), re.MULTILINE)
        assert not hidden, f"{page.name}: write these as a block of sh, so that they are run"
