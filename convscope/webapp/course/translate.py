"""Translate modules of convscope to JavaScript: the arithmetic that a page computes itself.

The lessons' Python is the only source: what a page computes is generated from it when the page is
written. The subset is what these modules use; anything else raises TranslationError. The words of
Python that JavaScript lacks (`divmod`, negative indices, formats, fractions, small arrays) are in
`static/course/python.js`, `fraction.js` and `arrays.js`.
"""

import ast
import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, cast

from convscope.webapp.course.expressions import Expressions, TranslationError, literal, safe_name
from convscope.webapp.course.statements import Statements

_LIBRARIES = {
    "numpy": "np",
    "fractions": "py",
    "math": "py.math",
    "re": "py.re",
    "reprlib": "py",
    "convscope.errors": "py",
}
"""Where the page has its own: a module of Python, and the object that stands for it."""

_HEAD = """/** Generated from convscope's Python. */
import * as py from "./python.js";
import * as np from "./arrays.js";
import * as hand from "./by_hand.js";
export const modules = {};
"""

Names = Mapping[str, Sequence[str]]
"""Names by the module that defines them."""


def translate(wanted: Names, *, by_hand: Names) -> str:
    """Return the code of JavaScript for functions of modules, and all that they use.

    `by_hand` are names that `static/course/by_hand.js` defines instead. The code exports `modules`:
    by the module's name, an object of its functions and constants.
    """
    program = _Program(by_hand)
    for module, names in wanted.items():
        for name in names:
            program.demand(module, name)
    return _HEAD + "\n".join(program.code(module) for module in program.order())


class _Program:
    """The modules, and of each the names that are needed."""

    def __init__(self, by_hand: Names) -> None:
        self._by_hand = by_hand
        self._modules: dict[str, _Module] = {}

    def demand(self, module: str, name: str) -> None:
        """Have a name of a module, and what it uses."""
        if module not in self._modules:
            self._modules[module] = _Module(module, set(self._by_hand.get(module, ())))
        for source, other in self._modules[module].demand(name):
            self.demand(source, other)

    def order(self) -> list[str]:
        """The modules, each after those that it needs."""
        done: list[str] = []

        def visit(name: str) -> None:
            if name not in done:
                for needed in self._modules[name].sources:
                    visit(needed)
                done.append(name)

        for name in self._modules:
            visit(name)
        return done

    def code(self, module: str) -> str:
        """A module as a function that is run at once."""
        return self._modules[module].code()


class _Module:
    """What is needed of one module.

    Attributes:
        sources: the modules that it needs.
    """

    def __init__(self, name: str, by_hand: set[str]) -> None:
        self.name = name
        self.sources: list[str] = []
        self._by_hand = by_hand
        self._needed: dict[str, str] = {}
        self._imports: dict[str, str] = {}
        self._module = importlib.import_module(name)
        self._tree = ast.parse(inspect.getsource(self._module))
        self._tree.body = [each for node in self._tree.body for each in _one_by_one(node)]
        self._nodes = {name: node for node in self._tree.body for name in _defined(node)}

    def demand(self, name: str) -> list[tuple[str, str]]:
        """Have a definition; returns what it needs of other modules."""
        if name in self._needed or name not in self._nodes:
            return []
        node = self._nodes[name]
        if name in self._by_hand:
            self._needed[name] = f"const {safe_name(name)} = hand.{name};"
            return []
        if isinstance(node, ast.Import | ast.ImportFrom):
            return self._import(name, node)
        self._needed[name] = ""
        if not _is_type(name, node):
            self._needed[name] = _definition(name, node)
            return [pair for used in sorted(_loaded(node)) for pair in self.demand(used)]
        return []

    def code(self) -> str:
        """Its imports, then its definitions in their order."""
        order = [name for name in self._nodes if self._needed.get(name)]
        lines = [*self._imports.values(), *(self._needed[name] for name in order)]
        names = ", ".join(map(safe_name, order))
        body = "\n".join(lines)
        return f"modules[{literal(self.name)}] = (() => {{\n{body}\nreturn {{ {names} }};\n}})();"

    def _import(self, name: str, node: ast.Import | ast.ImportFrom) -> list[tuple[str, str]]:
        """A name of another module; where a package passes it on, of the module that defines it."""
        module, attribute = _imported(name, node)
        self._needed[name] = ""
        if module in _LIBRARIES:
            code = _LIBRARIES[module] + (f".{attribute}" if attribute else "")
            if code != name:
                self._imports[name] = f"const {safe_name(name)} = {code};"
            return []
        if not module.startswith("convscope"):
            return []
        value = getattr(importlib.import_module(module), attribute)
        needed = [attribute]
        if inspect.ismodule(value):
            module, code = value.__name__, ""
            needed = _attributes(self._tree, name)
        elif callable(value):
            module, code = value.__module__, f".{safe_name(value.__name__)}"
            needed = [value.__name__]
        else:
            code = f".{attribute}"
        self.sources.append(module)
        self._imports[name] = f"const {safe_name(name)} = modules[{literal(module)}]{code};"
        return [(module, each) for each in needed]


def _one_by_one(node: ast.stmt) -> list[ast.stmt]:
    """`A, B = 1, 2` as two statements."""
    match node:
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
            pairs = zip(names, values, strict=True)
            return [ast.copy_location(ast.Assign([name], value), node) for name, value in pairs]
        case _:
            return [node]


def _defined(node: ast.stmt) -> list[str]:
    """The names that a statement of a module defines."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [alias.asname or alias.name for alias in names]
        case _:
            return []


def _is_type(name: str, node: ast.stmt) -> bool:
    """Whether it is the alias of a type: a constant that is written like a class."""
    is_constant = isinstance(node, ast.Assign | ast.AnnAssign)
    return is_constant and name[0].isupper() and not name.isupper()


def _definition(name: str, node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return Statements().definition(node)
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    if value is None:
        raise TranslationError(name, node)
    return f"const {safe_name(name)} = {Expressions().expression(value)};"


def _imported(name: str, node: ast.Import | ast.ImportFrom) -> tuple[str, str]:
    """The module, and the name in it; "" for the module itself."""
    alias = next(each for each in node.names if (each.asname or each.name) == name)
    if isinstance(node, ast.Import):
        return alias.name, ""
    return node.module or "", alias.name


def _attributes(tree: ast.AST, name: str) -> list[str]:
    """What is used of a module that is imported by this name."""
    return [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
    ]


def _loaded(node: ast.AST) -> set[str]:
    """The names that code reads, outside annotations, decorators and locks."""
    skipped = {"annotation", "returns", "decorator_list", "bases", "items"}
    left_out = {id(part) for field in skipped for part in _parts(getattr(node, field, None))}
    names: set[str] = set()
    for child in ast.iter_child_nodes(node):
        if id(child) not in left_out:
            names |= _loaded(child)
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        names.add(node.id)
    return names


def _parts(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]
