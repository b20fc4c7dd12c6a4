"""Exercises: the same everywhere, ever harder, never twice, and wrong in known ways only."""

import re
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise

import pytest

from convscope.errors import RequestError
from convscope.lessons.course import LESSONS
from convscope.lessons.exercises import LAST, LEVELS, check, exercise, sheet
from convscope.lessons.exercises.answer import integer
from convscope.lessons.exercises.task import distinct_mistakes

NAMES = [lesson.name for lesson in LESSONS]

# What the lecture computes, and where a lesson asks for it.
LECTURE = [
    ("bird", 1, "98,304,000"),
    ("bird", 2, "600"),
    ("subsampling", 1, "4"),
    ("convolution", 1, "−17"),
    ("convolution", 2, "3"),
    ("volumes", 1, "8@252×252"),
    ("volumes", 2, "760"),
    ("volumes", 3, "280"),
    ("stride", 1, "2×2"),
    ("padding", 1, "10@64×64"),
    ("size", 1, "6@28×28"),
    ("size", 2, "55×55"),
    ("pooling", 1, "8"),
    ("sharing", 1, "456"),
    ("sharing", 2, "252,000"),
    ("sharing", 3, "30,730"),
    ("lenet5", 1, "156"),
    ("lenet5", 2, "16@5×5"),
    ("vgg", 1, "34,944"),
    ("vgg", 2, "96@27×27"),
]

# Written down once; a change here changes every address and every sheet that was handed out.
GOLDEN = [
    ("volumes", 7, 4),
    ("stride", -3, 11),
    ("training", 2**70, 20),
]
QUESTIONS = """
A layer has 12 filters of 3×3 over a volume of 4@20×20. How many weights does one filter
have, without its bias? 36
----
A window of 6×6 slides over an image of 26 columns, stride 8, no padding. How many columns does no
window read? 8
----
The learning rate rises linearly from 0 to 0.1 in 50 steps, then falls from 0.1 to 0 in 1,056 steps
along half a cosine: peak·(1 + cos πt)/2, where t goes from 0 to 1. What is it after 25 steps in
all? cos 60° = 1/2, cos 90° = 0, cos 120° = −1/2; π is 180°. 0.05
"""


def of(lesson, number, seed=1):
    return exercise(lesson, seed=seed, number=number)


def seen(task):
    """All that a person sees of a question."""
    return task.question, task.grids, task.table


@pytest.mark.parametrize(("lesson", "number", "text"), LECTURE)
def test_a_lesson_begins_with_what_the_lecture_computes(lesson, number, text):
    for seed in (0, 17):
        assert of(lesson, number, seed).task.answer.text == text


@pytest.mark.parametrize("lesson", NAMES)
def test_thirty_exercises_in_a_row_all_differ(lesson):
    for seed in (3, -40):
        questions = [seen(of(lesson, number, seed).task) for number in range(1, 76)]
        for start in range(len(questions) - 29):
            window = questions[start : start + 30]
            assert len(set(window)) == 30


@pytest.mark.parametrize("lesson", NAMES)
def test_the_level_never_falls_and_reaches_every_level(lesson):
    levels = [of(lesson, number).level for number in range(1, 25)]
    assert all(before <= after for before, after in pairwise(levels))
    assert set(levels) == set(range(1, len(LEVELS) + 1))


@pytest.mark.parametrize("lesson", NAMES)
def test_several_kinds_of_question_come_at_every_level(lesson):
    for first in LEVELS[1:]:
        hints = {of(lesson, number).task.hint for number in range(first, first + 5)}
        assert len(hints) >= 2


@pytest.mark.parametrize("lesson", NAMES)
def test_no_mistake_is_the_answer_and_no_two_are_equal(lesson):
    for seed in (1, 2, 3):
        for number in range(1, 41):
            task = of(lesson, number, seed).task
            text = [mistake.answer.text for mistake in task.mistakes]
            assert task.answer.text not in text
            assert len(set(text)) == len(text)
            assert task.answer.text != task.answer.form
            for mistake in task.mistakes:
                steps = mistake.step.split(", or where ")
                assert all(steps)
                assert len(set(steps)) == len(steps)


@pytest.mark.parametrize("lesson", NAMES)
def test_a_mistake_is_told_its_step_and_the_solution_comes_with_the_third_try(lesson):
    for number in (1, 8, 14, 22):
        task = of(lesson, number).task
        assert task.mistakes
        for mistake in task.mistakes:
            typed = mistake.answer.text.partition(" ≈")[0]
            first, third = check(task, typed), check(task, typed, tries=3)
            assert (first.right, first.worked) == (False, None)
            assert mistake.step in first.sentence
            assert third.worked == task.worked
            assert f"The answer is {task.answer.text}." in third.sentence


def test_the_solution_is_given_to_who_asks_for_it_and_to_nobody_who_mistypes():
    task = of("volumes", 2).task
    assert check(task, " ", tries=3).worked == task.worked
    assert "760" in check(task, "", tries=3).sentence
    assert check(task, "many", tries=3).worked is None
    assert check(task, "", tries=1).worked is None


def test_wrong_steps_that_come_to_the_same_are_told_together_and_those_to_the_answer_not_at_all():
    mistakes = [
        (integer(9), "one is added"),
        (integer(7), "nothing is done"),
        (integer(9), "two is added"),
        (integer(9), "one is added"),
        (None, "no number is left"),
        (integer(8), "luck helps"),
    ]
    found = [
        (mistake.answer.text, mistake.step) for mistake in distinct_mistakes(integer(8), mistakes)
    ]
    assert found == [("9", "one is added, or if two is added"), ("7", "nothing is done")]


@pytest.mark.parametrize("lesson", NAMES)
def test_neither_question_nor_hint_nor_form_gives_the_answer_away(lesson):
    for number in range(3, 30):
        task = of(lesson, number, 5).task
        if task.answer.kind == "volume" or (
            task.answer.kind == "whole" and len(task.answer.text) > 3
        ):
            assert task.answer.text not in task.hint + task.answer.form


@pytest.mark.parametrize("lesson", NAMES)
def test_a_solution_ends_in_the_answer(lesson):
    for number in range(1, 40):
        task = of(lesson, number, 9).task
        if task.answer.kind != "choice":
            plain = task.answer.text.partition(" ≈")[0]
            assert any(plain in value for _, value, _ in task.worked.rows), task.question


def worth(text):
    """What a formula of numbers comes to, exactly."""
    signs = str.maketrans({",": "", "−": "-", "·": "*", "×": "*"})
    code = text.translate(signs).replace("²", "**2")
    code = re.sub(r"(?<!\*\*)\b\d+(\.\d+)?", r"Fraction('\g<0>')", code)
    return eval(code, {"Fraction": Fraction})  # noqa: S307 -- a formula of ours


def test_the_formulas_of_solutions_come_to_their_values():
    checked = dict.fromkeys(NAMES, 0)
    for lesson in NAMES:
        for number in range(1, 46):
            for _, text, formula in of(lesson, number, 2).task.worked.rows:
                value = text.partition(" ≈")[0]
                is_plain = re.fullmatch(r"[\d,.·×+−()/²\s]+", formula)
                if is_plain and re.fullmatch(r"−?[\d,.]+(/\d+)?", value):
                    assert worth(formula) == worth(value), (lesson, number)
                    checked[lesson] += 1
    assert sum(checked.values()) > 500
    assert [name for name, count in checked.items() if count == 0] == ["size"]


@pytest.mark.parametrize("lesson", NAMES)
def test_texts_are_set_as_the_page_sets_them(lesson):
    for number in range(1, 40):
        task = of(lesson, number, 11).task
        texts = [task.question, task.hint, task.answer.text, *task.worked.remarks]
        texts += [text for row in task.worked.rows for text in row]
        texts += [mistake.step for mistake in task.mistakes]
        for text in texts:
            assert not any(mark in text for mark in ("  ", " - ", "!", "None", "{", "}"))
            assert not re.search(r"(?<!\w)-\d|\d ?x ?\d", text), text
            assert text.count("(") == text.count(")")


@pytest.mark.parametrize(("lesson", "seed", "number"), GOLDEN)
def test_another_process_with_another_hash_seed_asks_the_same(lesson, seed, number):
    code = (
        "from convscope.lessons.exercises import exercise\n"
        f"one = exercise({lesson!r}, seed={seed}, number={number})\n"
        "import sys; assert 'torch' not in sys.modules\n"
        "sys.stdout.buffer.write(one.task.question.encode())"
    )
    for salt in ("0", "77"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": salt, "PATH": ""},
        )
        assert done.stdout.decode() == of(lesson, number, seed).task.question


def test_golden_questions_stay_as_they_are():
    asked = [of(lesson, number, seed).task for lesson, seed, number in GOLDEN]
    wanted = [" ".join(question.split()) for question in QUESTIONS.split("----")]
    assert [f"{task.question} {task.answer.text}" for task in asked] == wanted


def test_what_does_not_exist_is_told_in_a_sentence():
    for number in (0, -1, LAST + 1):
        with pytest.raises(RequestError, match=f"from 1 to {LAST}"):
            of("volumes", number)
    with pytest.raises(RequestError, match="Did you mean 'volumes'"):
        of("volume", 1)
    with pytest.raises(RequestError, match="1 to 60"):
        sheet("volumes", seed=1, count=0)
    with pytest.raises(RequestError, match="no lesson"):
        sheet("everything", seed=1, count=3)


def test_the_last_exercise_is_there_and_differs_from_the_one_before():
    assert seen(of("vgg", LAST).task) != seen(of("vgg", LAST - 1).task)


@pytest.mark.parametrize("count", [1, 5, 12, 13, 31, 60])
def test_a_sheet_of_all_lessons_asks_each_equally_often_and_nothing_twice(count):
    found = sheet("all", seed=6, count=count).exercises
    lessons = [one.lesson for one in found]
    times = [lessons.count(name) for name in NAMES]
    assert sum(times) == count
    assert max(times) - min(times) <= 1
    assert len({(one.lesson, seen(one.task)) for one in found}) == count


def test_a_sheet_of_a_lesson_has_its_first_exercises():
    found = sheet("size", seed=6, count=9)
    assert found.title == next(one.title for one in LESSONS if one.name == "size")
    assert list(found.exercises) == [of("size", number, 6) for number in range(1, 10)]
