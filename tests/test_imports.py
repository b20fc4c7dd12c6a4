"""The folder tree is the architecture: a module imports only from floors below its own."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import convscope

ROOT = Path(convscope.__file__).parent
FLOORS = [
    {"errors"},
    {"card", "atomic", "device", "geometry", "terms"},
    {"layers", "data", "inference"},
    {"zoo", "lanes", "recording"},
    {"runs", "receptive"},  # a run builds its network again, so it knows the zoo
    {"evaluation", "summaries", "weights"},
    {"reports", "explanation", "features"},
    {"training"},  # a validation is an evaluation, and a training ends with a report
    {"compare", "lessons"},
    {"lab"},
    {"cli"},
]
FLOOR = {part: height for height, parts in enumerate(FLOORS) for part in parts}
MODULES = sorted(path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem in FLOOR)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path):
    here = path.relative_to(ROOT).with_suffix("").parts[0]
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            package, _, inner = name.partition(".")
            if package == "convscope" and inner:
                there = inner.split(".")[0]
                assert there == here or FLOOR[there] < FLOOR[here], f"{here} may not know {there}"


def test_every_room_has_a_floor():
    rooms = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert rooms - {"__init__", "__main__", "__pycache__"} == set(FLOOR)


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import convscope",
        "import convscope.cli; convscope.cli.make_app()",
        "import convscope.card, convscope.errors",
        "import convscope.evaluation.metrics",
        "import convscope.data.source",
        "import convscope.lessons.exercises",
    ],
)
def test_what_needs_no_torch_does_not_import_it(statement):
    assert "torch" not in loaded_after(statement)


def test_help_and_version_import_neither_torch_nor_numpy():
    for option in ("--help", "--version"):
        run = f"sys.argv = ['convscope', '{option}']; from convscope.cli import main\ntry: main()"
        loaded = loaded_after(f"exec({run!r} + chr(10) + 'except SystemExit: pass')")
        assert not loaded & {"torch", "numpy", "PIL", "sklearn"}


def test_no_function_hides_a_package():
    code = (
        "import convscope, convscope.training.trainer as trainer\n"
        "import convscope.recording.recorder as recorder\n"
        "assert trainer.Trainer and recorder and callable(convscope.train)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    packages = {path.name for path in ROOT.iterdir() if path.is_dir()}
    assert not packages & set(convscope.__all__)


def test_all_is_sorted_and_every_name_in_it_exists():
    assert convscope.__all__ == sorted(convscope.__all__)
    assert all(getattr(convscope, name) for name in convscope.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'trian'"):
        convscope.trian  # noqa: B018
