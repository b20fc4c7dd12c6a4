"""`convscope.save_course`: the lessons and their exercises as a page, and files for the teacher."""

from collections.abc import Callable, Sequence
from pathlib import Path

from convscope.atomic import write_atomically
from convscope.errors import RequestError
from convscope.webapp.course.homework import EXPORTED, VARIANTS, draw_exercises
from convscope.webapp.course.moodle import moodle_xml
from convscope.webapp.course.page import course_html
from convscope.webapp.course.qti import qti_package
from convscope.webapp.course.teacher import teacher_html

MOST_VARIANTS = 1000

Report = Callable[[str, int, int], None]


def save_course(
    output: str | Path,
    *,
    variants: int = VARIANTS,
    moodle: str | Path | None = None,
    qti: str | Path | None = None,
    solutions: str | Path | None = None,
    students: str | Path | Sequence[str] = (),
    on_progress: Report | None = None,
) -> Path:
    """Write the lessons and their exercises as a page that needs no server.

    Args:
        output: a folder, new or empty; the page in it is index.html. It opens from disk in any
            browser and requests nothing.
        variants: how many variants of the exercises there are; a student's name chooses one.
        moodle: a file for the exercises of ten variants as a question bank in Moodle XML.
        qti: a zip file for the same exercises as items of IMS QTI 2.1.
        solutions: an HTML file for the answers to all exercises of each variant.
        students: names for whom the solutions are listed, or a text file with a name a line.
        on_progress: called with what is done, how much of it, and of how much.

    Returns the page. Raises RequestError for a folder that has files, for a file with answers that
    exists, would lie in the folder or has no folder, and for a number of variants out of range.
    """
    if not 1 <= variants <= MOST_VARIANTS:
        raise RequestError(
            f"`variants` is {variants}; a course has 1 to {MOST_VARIANTS:,} variants of exercises."
        )
    folder = Path(output).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"{folder} exists. Choose another name, or remove it first.")
    secrets: dict[Path, str] = {}
    for name, file in (("moodle", moodle), ("qti", qti), ("solutions", solutions)):
        if file is not None:
            _check_secret(name, Path(file).expanduser(), folder, secrets)
    names = _read_names(students)
    if names and solutions is None:
        raise RequestError("`students` is for the list of solutions; name its file by `solutions`.")
    say = on_progress or _say_nothing
    bank = draw_exercises(variants, lambda done, total: say("Exercises", done, total))
    page = course_html(bank, say)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "index.html", page)
    few = {lesson: of[:EXPORTED] for lesson, of in bank.items()}
    if moodle is not None:
        write_atomically(Path(moodle).expanduser(), moodle_xml(few))
    if qti is not None:
        write_atomically(Path(qti).expanduser(), qti_package(few))
    if solutions is not None:
        write_atomically(Path(solutions).expanduser(), teacher_html(bank, names))
    return folder / "index.html"


def _check_secret(name: str, path: Path, folder: Path, others: dict[Path, str]) -> None:
    """A file with answers does not lie where students read, and replaces nothing.

    `others` are the files of this call so far, with the argument of each; this one joins them.
    """
    if path.exists():
        raise RequestError(f"{path} exists. Choose another name for `{name}`, or remove it first.")
    place = path.resolve()
    if place == folder.resolve() or folder.resolve() in place.parents:
        raise RequestError(
            f"{path} has the answers, and lies in {folder}, which is for students. Choose a place "
            f"outside of it for `{name}`."
        )
    if not path.parent.is_dir():
        raise RequestError(f"`{name}`: there is no folder {path.parent}. Create it first.")
    if other := others.get(place):
        raise RequestError(f"`{other}` and `{name}` are both {path}. Give each a file of its own.")
    others[place] = name


def _read_names(students: str | Path | Sequence[str]) -> list[str]:
    """Names, without empty lines. Raises RequestError for a file that cannot be read."""
    if isinstance(students, str | Path):
        try:
            text = Path(students).expanduser().read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise RequestError(f"{students} cannot be read as a list of names: {error}") from None
        students = text.splitlines()
    return [name.strip() for name in students if name.strip()]


def _say_nothing(_activity: str, _done: int, _total: int) -> None:
    pass
