"""The fenced blocks of code in the Markdown pages, and the marks that say how a test runs them.

A mark is an HTML comment, which readers of the page do not see:

- `<!-- example: given` LINES `-->`: Python that runs before the page's next block;
- `<!-- example: replace "epochs=10" by "epochs=1" -->`: shortens the next block;
- `<!-- example: until "http://" -->`: the command of the next block is stopped once it prints this;
- `<!-- example: not run: REASON -->`: the next block needs what a test does not have.
"""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_PART = re.compile(
    r"^<!-- example: (?P<mark>.*?)-->$|^```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(
    r'given\n(?P<given>.*)|replace "(?P<old>[^"]+)" by "(?P<new>[^"]*)" $'
    r'|until "(?P<until>[^"]+)" $|not run: (?P<reason>.+) $',
    re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One block of code.

    Attributes:
        language: what stands behind the fence.
        code: after its replacements.
        line: of the page, where the block begins.
        until: text after which its command is stopped.
        skipped: why it is not run; empty if it is.
    """

    language: str
    code: str
    line: int
    until: str = ""
    skipped: str = ""


def blocks(text: str) -> list[Block]:
    """The blocks of a page, with the marks applied. Raises ValueError for a mark without effect."""
    found: list[Block] = []
    pending: list[re.Match[str]] = []
    for part in _PART.finditer(text):
        line = text.count("\n", 0, part.start()) + 1
        if part["mark"] is None:
            found.append(_marked(Block(part["language"], part["code"], line), pending))
            pending = []
        elif mark := _MARK.match(part["mark"]):
            if mark["given"] is None:
                pending.append(mark)
            else:
                found.append(Block("python", mark["given"], line))
        else:
            raise ValueError(f"line {line}: the mark {part['mark']!r} is unknown")
    if pending:
        raise ValueError(f"the mark {pending[-1][0]!r} stands before no block")
    return found


def _marked(block: Block, marks: list[re.Match[str]]) -> Block:
    code, until, skipped = block.code, "", ""
    for mark in marks:
        if mark["old"] is not None:
            if mark["old"] not in code:
                raise ValueError(f"line {block.line}: {mark['old']!r} is not in the block")
            code = code.replace(mark["old"], mark["new"])
        until = mark["until"] or until
        skipped = mark["reason"] or skipped
    return Block(block.language, code, block.line, until, skipped)


def commands(code: str) -> list[str]:
    """The command lines of a block of shell: joined where a backslash ends a line, no comments."""
    lines = re.sub(r"\\\n\s*", "", code).splitlines()
    bare = [re.sub(r"\s+#\s.*$", "", line).strip() for line in lines]
    return [line for line in bare if line and not line.startswith("#")]


def pages() -> list[Path]:
    """The pages whose blocks are run: the README and everything in docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
