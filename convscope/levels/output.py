"""Where the result of `hierarchy` is written."""

from pathlib import Path

from convscope.atomic import write_atomically
from convscope.errors import RequestError
from convscope.levels.page import to_page
from convscope.levels.result import HierarchyResult
from convscope.words.json_text import to_json


def check_output(output: str | Path) -> Path:
    """The file to write to. Raises RequestError for another kind of file."""
    path = Path(output).expanduser()
    if path.suffix.lower() not in (".html", ".json") or path.is_dir():
        raise RequestError(f"`output` {path} must be a file that ends in .html or .json.")
    if not path.parent.is_dir():
        raise RequestError(f"`output`: the folder of {path} does not exist.")
    return path


def write_result(result: HierarchyResult, target: Path) -> None:
    """Write the page, or the figures as JSON."""
    is_json = target.suffix.lower() == ".json"
    write_atomically(target, to_json(result.to_dict()) + "\n" if is_json else to_page(result))
