"""`convscope course`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from convscope.cli.activity_progress import ActivityProgress
from convscope.cli.options import Int
from convscope.webapp.course.api import save_course
from convscope.webapp.course.homework import VARIANTS
from convscope.words.screen import Screen


def course(
    *,
    output: Annotated[Path, Parameter(alias="-o")] = Path("course"),
    variants: Int = VARIANTS,
) -> None:
    """Write the lessons and their exercises as a page that needs no server and no install.

    Parameters
    ----------
    output
        The folder to write, new or empty; its index.html opens from disk or any web space.
    variants
        How many variants of the exercises the page holds; a student's name or number chooses one.
    """
    with ActivityProgress({"Exercises": "lessons", "Lessons": "lessons"}) as progress:
        page = save_course(output, variants=variants, on_progress=progress)
    size = page.stat().st_size / 1_000_000
    Screen().say(f"Wrote {page}: {size:.1f} MB. It opens in a browser, without the lab.")
