#!/usr/bin/env python3
"""Draw the packages and what each imports: `scripts/architecture.py` writes docs/architecture.svg.

The drawing is made from the imports in the code, those inside functions and behind TYPE_CHECKING
included. An arrow is left out where a longer way through other packages says the same.
"""

import ast
from collections.abc import Iterator, Mapping
from html import escape
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "convscope"
DRAWING = ROOT / "docs" / "architecture.svg"

LAYERS = (
    ("words", "version", "memory", "regular_files"),
    ("errors", "signals", "startup"),
    ("synonyms", "strict", "boxes", "decision_rules"),
    ("http_server",),
    (
        "card",
        "atomic",
        "device",
        "finite",
        "forward",
        "arithmetic",
        "gradients",
        "published",
        "terms",
    ),
    ("distributed", "engines", "hub", "mixed_precision"),
    ("layers", "data", "inference", "losses"),
    ("foreign",),
    ("zoo", "lanes", "recording", "predictions"),
    ("exported",),
    ("runs", "receptive"),  # a run builds its network again, so it knows the zoo
    ("weights",),
    ("network_card",),
    ("models",),  # a network with its card: from a run, from weights, or as it is
    ("evaluation", "summaries"),
    ("reports", "explanation", "features", "recipes", "conversion", "synthesis"),
    ("attribution", "checks", "map_similarity", "interventions"),
    ("levels", "localization", "decisions"),
    ("training",),  # a validation is an evaluation, and a training ends with a report
    ("comparison", "perturbations", "lessons", "studies", "pruning"),
    ("webapp", "serving"),
    ("cli",),
)
"""Packages and single modules, lowest layer first: each imports only from layers below its own."""

Graph = Mapping[str, set[str]]


def module_graph(package: Path = PACKAGE) -> dict[str, set[str]]:
    """For each module, by its dotted name, the modules of the package that it imports anywhere."""
    paths = {_dotted(path, package): path for path in sorted(package.rglob("*.py"))}
    return {
        name: {_module(full, paths) for full in _imported(path, package.name)} - {name}
        for name, path in paths.items()
    }


def _dotted(path: Path, package: Path) -> str:
    parts = path.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path, package: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == package)


def _module(full: str, known: Mapping[str, Path]) -> str:
    """The module that `from a.b import c` loads: a.b.c where that is one, else a.b."""
    while full not in known:
        full = full.rpartition(".")[0]
    return full


def package_graph(modules: Graph) -> dict[str, set[str]]:
    """The same for the packages and single modules directly below convscope/."""
    found: dict[str, set[str]] = {name: set() for layer in LAYERS for name in layer}
    for name, imports in modules.items():
        here = name.split(".")[1:2]
        for there in (other.split(".")[1:2] for other in imports):
            if here and there and here != there and here[0] in found:
                found[here[0]].update(there)
    return found


def find_cycle(graph: Graph) -> list[str]:
    """A path that ends where it begins; empty where there is none."""
    state: dict[str, int] = {}  # 1 while its imports are followed, 2 after
    path: list[str] = []

    def visit(name: str) -> list[str]:
        state[name] = 1
        path.append(name)
        for other in sorted(graph[name]):
            if state.get(other) == 1:
                return [*path[path.index(other) :], other]
            if other not in state and (cycle := visit(other)):
                return cycle
        state[name] = 2
        path.pop()
        return []

    return next((cycle for name in graph if name not in state and (cycle := visit(name))), [])


def reduced(graph: Graph) -> dict[str, set[str]]:
    """Only the imports that no longer way implies: the transitive reduction."""
    reach: dict[str, set[str]] = {}
    for name in (name for layer in LAYERS for name in layer):
        reach[name] = set().union(*({other} | reach[other] for other in graph[name]))
    return {
        name: {one for one in imports if not any(one in reach[other] for other in imports)}
        for name, imports in graph.items()
    }


_WIDTH, _ROW, _BOX, _HEIGHT = 960, 74, 118, 34


def draw(graph: Graph) -> str:
    """The graph as SVG: a row for each layer, the highest first."""
    places = {
        name: (
            _WIDTH * (column + 1) / (len(layer) + 1),
            _ROW * (len(LAYERS) - 1 - row) + _ROW / 2,
        )
        for row, layer in enumerate(LAYERS)
        for column, name in enumerate(layer)
    }
    lines = [_arrow(places[a], places[b]) for a in places for b in sorted(reduced(graph)[a])]
    boxes = [_box(name, *places[name]) for name in places]
    size = f'viewBox="0 0 {_WIDTH} {_ROW * len(LAYERS)}" role="img"'
    style = (
        "text{font:14px ui-monospace,monospace;text-anchor:middle;dominant-baseline:central;"
        "fill:#1b1b1f}rect{fill:#eef1f6;stroke:#7a869a}path{fill:none;stroke:#7a869a}"
        "@media(prefers-color-scheme:dark){text{fill:#e6e6ea}rect{fill:#262b33}}"
    )
    title = "<title>The packages of convscope; arrows point at what is imported</title>"
    head = (
        '<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8" /></marker>'
    )
    body = "\n".join([title, f"<style>{style}</style>", f"<defs>{head}</defs>", *lines, *boxes])
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{body}\n</svg>\n'


def _arrow(above: tuple[float, float], below: tuple[float, float]) -> str:
    (x, y), (u, v) = above, below
    y, v = y + _HEIGHT / 2, v - _HEIGHT / 2
    bend = (v - y) / 2
    ends = f"M{x:g} {y:g}C{x:g} {y + bend:g} {u:g} {v - bend:g} {u:g} {v:g}"
    return f'<path d="{ends}" marker-end="url(#tip)" />'


def _box(name: str, x: float, y: float) -> str:
    shown = f"{name}/" if (PACKAGE / name).is_dir() else f"{name}.py"
    rect = (
        f'<rect x="{x - _BOX / 2:g}" y="{y - _HEIGHT / 2:g}" width="{_BOX}" '
        f'height="{_HEIGHT}" rx="6" />'
    )
    return f'{rect}<text x="{x:g}" y="{y:g}">{escape(shown)}</text>'


if __name__ == "__main__":
    modules = module_graph()
    if cycle := find_cycle(modules):
        print("There is a cycle:", *(f"{a} imports {b}" for a, b in pairwise(cycle)), sep="\n  ")
    DRAWING.write_text(draw(package_graph(modules)), "utf-8")
    print(f"{DRAWING.relative_to(ROOT)} is written.")
