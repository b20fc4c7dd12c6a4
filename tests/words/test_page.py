"""The page writes names out as Python does, at every place where it shows text."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import convscope
from convscope.words import visible_lines

STATIC = Path(convscope.__file__).parent / "webapp" / "static"
RAW = re.compile(
    r"\b(?:textContent|innerText|innerHTML|outerHTML|document\.title) ?\+?="
    r"|insertAdjacent|createTextNode|document\.write|replaceChildren\([\w.]*(?:message|error)"
    r"|setAttribute\(\"(?:title|aria-label|alt)\", (?!visible)"
)


def test_text_is_shown_by_functions_that_write_names_out():
    scripts = {file: file.read_text("utf-8") for file in STATIC.rglob("*.js")}
    found = [
        (file.name, match[0]) for file, text in scripts.items() for match in RAW.finditer(text)
    ]
    assert sorted(found) == [("element.js", "document.title ="), ("element.js", "textContent =")]


@pytest.mark.skipif(not shutil.which("node"), reason="node runs the page's scripts")
def test_the_page_writes_every_character_as_python_does(tmp_path):
    codes = [*range(0x10000), *range(0x1D100, 0x1D200), 0x1F431, *range(0xE0000, 0xE0100)]
    joined = ["a\u200db", "猫\u200d猫", "👨\u200d👩", "a\u200c", "\u200d\u200d", "猫\u200d\u200c猫"]
    texts = [*map(chr, codes), *joined]
    (tmp_path / "texts.json").write_text(json.dumps(texts))
    script = tmp_path / "visible.mjs"
    script.write_text(f"""
        import {{ readFileSync }} from "node:fs";
        import {{ visible }} from {json.dumps((STATIC / "words.js").as_uri())};
        const texts = JSON.parse(readFileSync({json.dumps(str(tmp_path / "texts.json"))}, "utf8"));
        console.log(JSON.stringify(texts.map(visible)));
    """)
    done = subprocess.run(["node", script], capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == [visible_lines(text) for text in texts]
