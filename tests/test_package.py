"""What is installed: its dependencies, its files, and the public files that describe it."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import convscope

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
README = (ROOT / "README.md").read_text("utf-8")


def named(requirements):
    return {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in requirements}


def imported():
    """The packages of others that convscope imports anywhere."""
    for path in (ROOT / "convscope").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module.split(".")[0]


def test_every_package_that_is_imported_is_declared_and_the_reverse():
    others = set(imported()) - set(sys.stdlib_module_names) - {"convscope"}
    distributions = packages_distributions()
    used = {distributions[name][0].lower().replace("_", "-") for name in others & {*distributions}}
    declared = named(PROJECT["dependencies"])
    extras = {name for extra, lines in EXTRAS.items() if extra != "dev" for name in named(lines)}
    assert used <= declared | extras
    assert declared <= used


def test_every_dependency_is_justified():
    text = (ROOT / "docs" / "dependencies.md").read_text("utf-8").lower()
    lines = [*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)]
    assert {name for name in named(lines) - {"convscope"} if name not in text} == set()


def test_no_newer_torch_is_ever_replaced():
    (torch,) = (line for line in PROJECT["dependencies"] if line.startswith("torch"))
    assert torch == "torch>=2.6"
    commands = re.findall(r"^.*pip install .*--quiet.*$", README, re.MULTILINE)
    assert len(commands) == 3
    assert all("-c constraints.txt" in command for command in commands)


def test_every_link_of_the_readme_is_absolute_and_leads_to_a_file():
    here = f"{PROJECT['urls']['Repository']}/blob/main/"
    named_links = dict(re.findall(r"^\[([^\]]+)\]: (\S+)", README, re.MULTILINE))
    links = [*re.findall(r"\]\((\S+)\)", README), *named_links.values()]
    assert len(links) > 10
    assert [link for link in links if not link.startswith("https://")] == []
    shown = here.replace("/blob/", "/raw/")
    pages = [link.replace(shown, here) for link in links]
    ours = [link.removeprefix(here).split("#")[0] for link in pages if link.startswith(here)]
    assert [path for path in ours if not (ROOT / path).exists()] == []
    assert [name for name in named_links if README.count(f"[{name}]") < 2] == []


def test_every_file_of_others_names_its_license():
    folder = ROOT / "convscope" / "data" / "bundled"
    text = (folder / "SOURCES.md").read_text("utf-8")
    for path in folder.iterdir():
        assert path.name == "SOURCES.md" or re.search(rf"`{path.name}`.*CC BY [24]\.0", text)
    assert PROJECT["license"] == "Apache-2.0 AND CC-BY-4.0 AND CC-BY-2.0"


def test_the_wheel_has_every_file_of_the_package_and_no_test():
    wheel = pytest.importorskip("hatchling.builders.wheel")
    builder = wheel.WheelBuilder(str(ROOT))
    packed = {file.distribution_path for file in builder.recurse_included_files()}
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "convscope").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == files
    wanted = ("data/bundled/digits.npz", "data/bundled/SOURCES.md", "webapp/static/index.html")
    assert {f"convscope/{name}" for name in wanted} <= files


def test_the_citation_names_this_version_license_and_repository():
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    told = dict(re.findall(r"^([\w-]+): (\S.*)$", text, re.MULTILINE))
    assert told["version"] == convscope.__version__
    assert told["license"] == "Apache-2.0"
    assert told["repository-code"] == PROJECT["urls"]["Repository"]


def test_the_workflows_find_the_commands_of_the_readme():
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8")
    assert "bash .ci/run" in text
    blocks = re.findall(r"^```(sh|bat)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    posix, windows, tests = blocks[:3]
    assert [posix[0], windows[0], tests[0]] == ["sh", "bat", "sh"]
    assert posix[1].endswith("convscope train\n")
    assert windows[1].endswith("convscope train\n")
    assert tests[1].endswith("scripts/check && scripts/test\n")
    assert "'" not in windows[1]  # the Command Prompt takes it for a letter
