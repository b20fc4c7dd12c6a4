"""The translated lessons, run by Node.js."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convscope.webapp.course import baked
from convscope.webapp.course.modules import BY_HAND, WANTED
from convscope.webapp.course.translate import translate
from convscope.webapp.page_file.bundle import STATIC
from convscope.words.json_text import to_json

_RUN = """
import fs from "node:fs";
import { setBaked } from "./baked.js";
import { setModules } from "./by_hand.js";
import { from_json, to_json } from "./python.js";
import { checked } from "./task.js";
import { modules } from "./translated.js";

const check = (...given) => {
  const { right, sentence, worked } = checked(...given);
  return [right, sentence, worked !== null];
};
const all = { ...modules, homework: { check } };
const read = JSON.parse(fs.readFileSync(new URL("baked.json", import.meta.url)));
read.photograph.data = fs.readFileSync(new URL("region.bin", import.meta.url));
setBaked(read);
setModules(modules);
const answer = ([module, name, given, isState]) => {
  try {
    return to_json(all[module][name](...(isState ? [from_json(given)] : given)));
  } catch (error) {
    if (error.name === "RequestError") return { error: error.message };
    throw error;
  }
};
fs.writeSync(1, JSON.stringify(JSON.parse(fs.readFileSync(0, "utf8")).map(answer)));
"""


def write_modules(folder: Path) -> Path:
    """The page's modules of a course, with the translated one, for Node.js."""
    for name in ("arrays", "backprop", "baked", "by_hand", "crops", "descent", "fraction", "python",
                 "random", "regular", "sharing", "task", "text"):  # fmt: skip
        shutil.copy(STATIC / "course" / f"{name}.js", folder)
    (folder / "translated.js").write_text(translate(WANTED, by_hand=BY_HAND), encoding="utf-8")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "baked.json").write_text(to_json(baked.tables()))
    (folder / "region.bin").write_bytes(baked.region())
    (folder / "run.js").write_text(_RUN)
    return folder


def run_all(folder: Path, calls: Sequence[tuple[str, str, Any, bool]]) -> list[Any]:
    """What the functions of modules answer; `isState`: to one state of a lesson's controls."""
    words = ["node", folder / "run.js"]
    done = subprocess.run(
        words, input=json.dumps(calls), capture_output=True, text=True, check=False
    )
    assert not done.stderr, done.stderr
    return json.loads(done.stdout)


def difference(expected: Any, found: Any, place: str = "", size: float = 1) -> str | None:
    """The first place where two answers differ by more than rounding; None if there is none.

    `size` is the largest number of the list that they are in: sums of large ones round more.
    """
    is_number = isinstance(expected, int | float) and isinstance(found, int | float)
    if is_number and not isinstance(expected, bool):
        limit = 1e-9 * max(size, abs(expected), abs(found))
        return None if abs(expected - found) <= limit else f"{place}: {expected} {found}"
    if isinstance(expected, dict) and isinstance(found, dict):
        if expected.keys() != found.keys():
            return f"{place}: {expected.keys() ^ found.keys()} {found}"
        parts = ((key, expected[key], found[key]) for key in expected)
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return f"{place}: {len(expected)} values, {len(found)}"
        parts = ((i, *pair) for i, pair in enumerate(zip(expected, found, strict=True)))
        size = max([size, *(abs(one) for one in expected if isinstance(one, int | float))])
    else:
        return None if expected == found else f"{place}: {expected!r} {found!r}"
    return next(
        filter(None, (difference(a, b, f"{place}/{key}", size) for key, a, b in parts)), None
    )
