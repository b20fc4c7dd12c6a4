"""The page of a course: the lab's lessons with what answers them, as one file."""

from collections.abc import Callable, Mapping
from typing import Any

from convscope.lessons.course import LESSONS
from convscope.webapp.course import baked
from convscope.webapp.course.homework import LENGTH, Bank, exercise_to_dict
from convscope.webapp.course.modules import BY_HAND, ORIGINS, WANTED
from convscope.webapp.course.translate import translate
from convscope.webapp.page_file.bundle import STAND_INS, bundled_script, style_sheets
from convscope.webapp.page_file.pack import deflate
from convscope.webapp.page_file.page import Frame, page_html
from convscope.words.json_text import to_json

_STAND_INS = {
    "place.js": STAND_INS["place.js"],
    **{
        f"{name}.js": f"course/{name}.js"
        for name in ("inside", "live", "screens", "search", "source", "styles")
    },
    **{f"lessons/{name}.js": f"course/{name}.js" for name in ("see_layer", "student")},
}
_STYLES = (
    "tokens.css", "frame.css", "screens.css", "lessons.css", "lesson_figures.css",
    "lesson_networks.css", "lesson_learning.css", "lesson_motives.css", "sheet.css", "course.css",
)  # fmt: skip


def course_html(bank: Bank, on_progress: Callable[[str, int, int], None]) -> str:
    """The page with all lessons, and the exercises of the bank."""
    on_progress("Lessons", 0, len(LESSONS))
    first = {"tables": _packed(baked.tables()), "region": deflate(baked.region())}
    trained = baked.train_network()
    on_progress("Lessons", len(LESSONS) // 2, len(LESSONS))
    rest = {"filters": _packed(baked.filters_of(trained)), **_exercises(bank)}
    on_progress("Lessons", len(LESSONS), len(LESSONS))
    return page_html("Convolutional networks: a course", _index(bank), first, rest, frame=_frame())


def _frame() -> Frame:
    code = translate(WANTED, by_hand=BY_HAND)
    script = bundled_script(_STAND_INS, written={"course/translated.js": code})
    return Frame(script, style_sheets(_STYLES), "learn")


def _index(bank: Bank) -> Mapping[str, Any]:
    return {
        "lessons": [
            {"name": item.name, "title": item.title, "description": item.sentence}
            for item in LESSONS
        ],
        "variants": len(bank[LESSONS[0].name]),
        "exercises": LENGTH,
        "origins": ORIGINS,
    }


def _exercises(bank: Bank) -> dict[str, bytes]:
    return {
        f"exercises/{name}": _packed([[exercise_to_dict(item) for item in each] for each in all_of])
        for name, all_of in bank.items()
    }


def _packed(value: Any) -> bytes:
    return deflate(to_json(value).encode())
