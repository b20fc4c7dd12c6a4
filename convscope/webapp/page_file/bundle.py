"""The page's modules as one script, and its styles: what a file opened from disk can run."""

import base64
import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

STATIC = Path(__file__).parents[1] / "static"

_MAIN = "main.js"
STAND_INS: Mapping[str, str] = {
    f"{name}.js": f"page_file/{name}.js"
    for name in ("lesson_links", "live", "place", "screens", "source")
}
"""Modules of the lab, and what stands in their place in the page of a network."""

STYLE_SHEETS = ("tokens.css", "frame.css", "network.css", "screens.css", "boxes.css")
"""The styles of that page."""

_AWAITED_STYLES = re.compile(r'^await styles\("[^"]+"\);\n', re.MULTILINE)
_FROM = re.compile(
    r'^(?:import|export) (?P<names>[^"]*?)(?: from )?"(?P<path>\.[^"]+)";$', re.MULTILINE
)
_LAZY = re.compile(r'\bimport\("(\.[^"]+)"\)')
_EXPORT = re.compile(
    r"^export (?P<code>(?:async )?(?:function\*?|const|class) (?P<name>\w+))", re.MULTILINE
)
_EXPORTED = re.compile(r"^export \{ (?P<names>[\w, ]+) \};$", re.MULTILINE)
_COMMENT = re.compile(r"^ */\*\*(?:(?!\*/).)*\*/\n", re.MULTILINE | re.DOTALL)
_LOADER = """"use strict";
(() => {
const modules = {%s};
const loaded = {};
const load$ = (name) => {
  if (!loaded[name]) modules[name]((loaded[name] = {}));
  return loaded[name];
};
const later$ = async (name) => load$(name);
const share$ = (module, names) => {
  for (const name in names) Object.defineProperty(module, name, { get: names[name] });
};
load$("%s");
})();
"""


def bundled_script(
    stand_ins: Mapping[str, str] = STAND_INS, *, written: Mapping[str, str] | None = None
) -> str:
    """The modules that the page of a file needs, each as a function, and what loads them.

    Where a module has a stand-in, that one is taken. `written` is the code of modules that are no
    files.
    """
    written = written or {}
    found: dict[str, str] = {}
    waiting = [_MAIN]
    while waiting:
        name = waiting.pop()
        if name not in found:
            code = written.get(name) or (STATIC / name).read_text(encoding="utf-8")
            found[name], needed = _as_function(code, name, stand_ins)
            waiting += needed
    modules = ",\n".join(f"{name!r}: {code}" for name, code in sorted(found.items()))
    return _LOADER % (modules, _MAIN)


def style_sheets(names: Iterable[str] = STYLE_SHEETS) -> str:
    """The styles of these names, one after the other."""
    sheets = (STATIC / "style" / name for name in names)
    return "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)


def content_hash(text: str) -> str:
    """A script or style as a Content-Security-Policy names it."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _as_function(code: str, module: str, stand_ins: Mapping[str, str]) -> tuple[str, list[str]]:
    """A module's code as a function of what it exports, and the modules that it needs.

    Of the forms of `import` and `export`, those are known that the page uses. Styles are there
    already: nothing waits for them.
    """
    needed: list[str] = []
    shared: dict[str, str] = {}

    def find(path: str) -> str:
        name = posixpath.normpath(posixpath.join(posixpath.dirname(module), path))
        needed.append(name := stand_ins.get(name, name))
        return name

    def imported(match: re.Match[str]) -> str:
        name, names = find(match["path"]), match["names"].strip()
        if not names:
            return f'load$("{name}");'
        if names.startswith("* as "):
            return f'const {names.removeprefix("* as ")} = load$("{name}");'
        taken = names.strip("{} \n")
        if match[0].startswith("export"):
            shared.update({each: f'load$("{name}").{each}' for each in _names(taken)})
            return f'load$("{name}");'
        return f'const {{ {taken.replace(" as ", ": ")} }} = load$("{name}");'

    def exported(match: re.Match[str]) -> str:
        shared[match["name"]] = match["name"]
        return match["code"]

    def exported_before(match: re.Match[str]) -> str:
        shared.update({name: name for name in _names(match["names"])})
        return ""

    code = _AWAITED_STYLES.sub("", _COMMENT.sub("", code))
    code = _EXPORTED.sub(exported_before, code)
    code = _EXPORT.sub(exported, _FROM.sub(imported, code))
    code = _LAZY.sub(lambda match: f'later$("{find(match[1])}")', code)
    if unknown := re.search(r"^(?:import|export)\b.*|\bimport\(.*", code, re.MULTILINE):
        raise ValueError(f"{module}: {unknown[0]!r} is no form of import or export known here")
    names = ", ".join(f"{name}: () => {value}" for name, value in shared.items())
    return f"(module) => {{\nshare$(module, {{ {names} }});\n{code}}}", needed


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
