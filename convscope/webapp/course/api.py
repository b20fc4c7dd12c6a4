"""`convscope.save_course`: the lessons and their exercises as a page, and for the teacher."""

from collections.abc import Callable
from pathlib import Path

from convscope.atomic import write_atomically
from convscope.errors import RequestError
from convscope.webapp.course.homework import VARIANTS, draw_exercises
from convscope.webapp.course.page import course_html

MOST_VARIANTS = 1000

Report = Callable[[str, int, int], None]


def save_course(
    output: str | Path,
    *,
    variants: int = VARIANTS,
    on_progress: Report | None = None,
) -> Path:
    """Write the lessons and their exercises as a page that needs no server.

    `output` is a folder, new or empty; the page in it is index.html. It opens from disk in any
    browser and requests nothing.

    Raises RequestError for a folder that has files, and for a number of variants out of range.
    """
    if not 1 <= variants <= MOST_VARIANTS:
        raise RequestError(
            f"`variants` is {variants}; a course has 1 to {MOST_VARIANTS:,} variants of exercises."
        )
    folder = Path(output).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"{folder} exists. Choose another name, or remove it first.")
    say = on_progress or _say_nothing
    bank = draw_exercises(variants, lambda done, total: say("Exercises", done, total))
    page = course_html(bank, say)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "index.html", page)
    return folder / "index.html"


def _say_nothing(_activity: str, _done: int, _total: int) -> None:
    pass
