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
    moodle: Path | None = None,
    qti: Path | None = None,
    solutions: Path | None = None,
    students: Path | None = None,
) -> None:
    """Write the lessons and their exercises as a page that needs no server and no install.

    Parameters
    ----------
    output
        The folder to write, new or empty; its index.html opens from disk or any web space.
    variants
        How many variants of the exercises there are; a student's name or number chooses one.
    moodle
        A file for the exercises of ten variants as a question bank in Moodle XML.
    qti
        A zip file for the same exercises as items of IMS QTI 2.1, for other learning platforms.
    solutions
        An HTML file for the teacher, with the answers to all exercises of each variant.
    students
        A text file with a student's name on each line, for whom the solutions are listed.
    """
    with ActivityProgress({"Exercises": "lessons", "Lessons": "lessons"}) as progress:
        page = save_course(
            output,
            variants=variants,
            moodle=moodle,
            qti=qti,
            solutions=solutions,
            students=students or (),
            on_progress=progress,
        )
    screen = Screen()
    size = page.stat().st_size / 1_000_000
    screen.say(f"Wrote {page}: {size:.1f} MB. It opens in a browser, without the lab.")
    for file in filter(None, (moodle, qti, solutions)):
        screen.say(f"Wrote {file}, which has the answers: not for students.")
