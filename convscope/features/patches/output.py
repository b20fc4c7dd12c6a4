"""Where the result of `patches` is written, and its progress until then."""

import re
from pathlib import Path

from convscope.atomic import write_atomically
from convscope.errors import RequestError
from convscope.features.patches.drawn import SHOWN, patches_sheet
from convscope.features.patches.found import PatchesResult
from convscope.features.sheets.output import to_html, to_png
from convscope.words.json_text import to_json

_FILES = (".html", ".json", ".csv")


def check_output(output: str | Path) -> Path:
    """The folder or file to write to. Raises RequestError for another kind of file."""
    path = Path(output).expanduser()
    if path.suffix and path.suffix.lower() not in _FILES and not path.is_dir():
        raise RequestError(
            f"`output` {path} must be a folder, or a file that ends in .html, .json or .csv."
        )
    if not path.parent.is_dir():
        raise RequestError(f"`output`: the folder of {path} does not exist.")
    if is_file(path) and path.is_dir():
        raise RequestError(f"`output` {path} is a folder with the name of a file. Name another.")
    if not is_file(path) and path.exists() and not path.is_dir():
        raise RequestError(f"`output` {path} is a file, and no folder. Name another.")
    return path


def is_file(path: Path) -> bool:
    return path.suffix.lower() in _FILES


def partial_path(target: Path) -> Path:
    """The file with the state of a pass that is not complete."""
    name = f".{target.name}.partial"
    return target.with_name(name) if is_file(target) else target / ".partial"


def write_result(result: PatchesResult, target: Path, *, shown: int = SHOWN) -> list[Path]:
    """Write a page, JSON or CSV; into a folder all of them, and a PNG for each layer."""
    if is_file(target):
        write_atomically(target, _content(result, target.suffix.lower(), shown))
        return [target]
    target.mkdir(exist_ok=True)
    written = [target / name for name in ("index.html", "patches.json", "patches.csv")]
    for path in written:
        write_atomically(path, _content(result, path.suffix, shown))
    for number, layer in enumerate(result.layers, start=1):
        name = re.sub(r"[^A-Za-z0-9._-]", "_", layer.name)
        path = target / f"{number:02d}_{name}.png"
        write_atomically(path, to_png(patches_sheet(result, [layer], shown=shown)))
        written.append(path)
    return written


def _content(result: PatchesResult, kind: str, shown: int) -> str:
    if kind == ".json":
        return to_json(result.to_dict()) + "\n"
    if kind == ".csv":
        return result.to_csv()
    return to_html(patches_sheet(result, shown=shown))
