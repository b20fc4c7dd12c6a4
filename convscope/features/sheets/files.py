"""Sheets in files, of the kind that the name's ending says."""

from pathlib import Path

from convscope.atomic import write_atomically
from convscope.errors import RequestError
from convscope.features.sheets.output import to_html, to_png, to_svg
from convscope.features.sheets.sheet import Sheet

_KINDS = {".png": to_png, ".svg": to_svg, ".html": to_html}


def check_picture(output: str | Path) -> Path:
    """The file for a sheet. Raises RequestError for another kind, or where it cannot be."""
    path = Path(output).expanduser()
    if path.suffix.lower() not in _KINDS:
        raise RequestError(f"`output` {path} must end in .png, .svg or .html.")
    if not path.parent.is_dir():
        raise RequestError(f"`output`: the folder of {path} does not exist.")
    if path.is_dir():
        raise RequestError(f"`output` {path} is a folder. Name a file.")
    return path


def write_sheet(sheet: Sheet, path: Path) -> None:
    """Write a sheet as PNG, SVG or HTML."""
    write_atomically(path, _KINDS[path.suffix.lower()](sheet))
