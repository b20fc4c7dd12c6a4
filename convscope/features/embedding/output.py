"""Write the map of images: a page with a table beside it, or the table alone."""

from pathlib import Path

from convscope.atomic import write_atomically
from convscope.errors import RequestError
from convscope.features.embedding.page import page
from convscope.features.embedding.result import EmbeddingResult


def check_output(path: str | Path) -> Path:
    """The file to write. Raises RequestError for another ending than .html and .csv."""
    target = Path(path).expanduser()
    if target.suffix.lower() not in (".html", ".csv"):
        raise RequestError(f"`output`: {target} must end in .html (a page) or .csv (a table).")
    if not target.parent.is_dir():
        raise RequestError(f"`output`: the folder of {target} does not exist.")
    return target


def write_map(result: EmbeddingResult, target: Path) -> None:
    """Write the page and the table, or the table alone; see `check_output`."""
    if target.suffix.lower() == ".html":
        write_atomically(target, page(result))
    write_atomically(target.with_suffix(".csv"), result.to_csv())
