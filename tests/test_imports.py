"""The folder tree is the architecture: a module imports only from layers below its own."""

import subprocess
import sys

import pytest

import convscope
from scripts.architecture import (
    DRAWING,
    LAYERS,
    PACKAGE,
    draw,
    find_cycle,
    module_graph,
    package_graph,
)

LAYER = {name: height for height, names in enumerate(LAYERS) for name in names}


@pytest.fixture(scope="module")
def modules():
    return module_graph()


@pytest.fixture(scope="module")
def packages(modules):
    return package_graph(modules)


@pytest.mark.parametrize("package", LAYER)
def test_a_package_imports_only_from_layers_below_its_own(packages, package):
    assert {other for other in packages[package] if LAYER[other] >= LAYER[package]} == set()


def test_every_package_has_a_layer():
    names = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert names - {"__init__", "__main__", "__pycache__"} == set(LAYER)


def test_no_module_imports_in_a_circle_not_even_inside_functions_or_for_types(modules):
    assert find_cycle(modules) == []


def test_cycles_are_found_wherever_they_hide(tmp_path):
    package = tmp_path / "convscope"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("from convscope import b\n")
    (package / "b.py").write_text("def late():\n    from convscope.c import x\n")
    (package / "c.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import convscope.a\n"
    )
    names = [f"convscope.{letter}" for letter in "abca"]
    assert find_cycle(module_graph(package)) == names
    (package / "c.py").write_text("import ast\n")
    assert find_cycle(module_graph(package)) == []


def test_the_drawing_shows_the_imports_as_they_are(packages):
    assert DRAWING.read_text("utf-8") == draw(packages), "run scripts/architecture.py"


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
        "import convscope.device, convscope.training.config",
        "import convscope.cli.train, convscope.cli.resume",
        "import convscope.cli.evaluate, convscope.cli.predict",
        "import convscope.lessons.exercises",
        "import convscope.cli.serve, convscope.serving.api, convscope.http_server.guard",
    ],
)
def test_what_needs_no_torch_does_not_import_it(statement):
    assert "torch" not in loaded_after(statement)


def test_help_and_version_import_neither_torch_nor_numpy():
    for option in ("--help", "--version"):
        run = f"sys.argv = ['convscope', '{option}']; from convscope.cli import main\ntry: main()"
        loaded = loaded_after(f"exec({run!r} + chr(10) + 'except SystemExit: pass')")
        assert not loaded & {"torch", "numpy", "PIL"}


def test_nothing_is_searched_for_garbage_at_exit():
    code = (
        "import atexit, gc, sys; sys.argv = ['convscope', '--version']\n"
        "from convscope.__main__ import main\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 0))\n"  # the first is called last
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["True"]


def test_no_function_hides_a_package():
    code = (
        "import convscope, convscope.training.trainer as trainer\n"
        "import convscope.recording.recorder as recorder\n"
        "assert trainer.Trainer and recorder and callable(convscope.train)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    packages = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    assert not packages & set(convscope.__all__)


def test_all_is_sorted_and_every_name_in_it_exists():
    assert convscope.__all__ == sorted(convscope.__all__)
    assert all(getattr(convscope, name) for name in convscope.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'trian'"):
        convscope.trian  # noqa: B018
