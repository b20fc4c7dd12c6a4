"""The files of a course for teachers: read by other code, they judge answers as the lab does."""

import io
import zipfile
from html.parser import HTMLParser
from xml.etree.ElementTree import XML

import pytest

from convscope.errors import RequestError
from convscope.lessons.course import LESSONS
from convscope.lessons.exercises import check, exercise
from convscope.webapp.course import api
from convscope.webapp.course.api import save_course
from convscope.webapp.course.exported_question import spellings
from convscope.webapp.course.homework import draw_exercises
from convscope.webapp.course.moodle import moodle_xml
from convscope.webapp.course.qti import qti_package
from convscope.webapp.course.teacher import teacher_html
from convscope.webapp.course.variants import variant_of

_QTI = "{http://www.imsglobal.org/xsd/imsqti_v2p1}"
_PACKAGE = "{http://www.imsglobal.org/xsd/imscp_v1p1}"


@pytest.fixture(scope="module")
def bank():
    return draw_exercises(2, lambda _done, _total: None)


@pytest.fixture(scope="module")
def moodle(bank):
    return XML(moodle_xml(bank))


@pytest.fixture(scope="module")
def package(bank):
    return zipfile.ZipFile(io.BytesIO(qti_package(bank)))


def task_named(name):
    """The task of `stride 07, variant 002`."""
    lesson, number, _, seed = name.replace(",", "").split()
    return exercise(lesson, seed=int(seed), number=int(number)).task


def moodle_grade(question, typed):
    """The first answer that Moodle finds to fit, and its feedback."""
    for answer in question.findall("answer"):
        text = answer.findtext("text")
        if question.get("type") == "numerical" and text != "*":
            fits = abs(float(text) - float(typed)) <= float(answer.findtext("tolerance"))
        else:
            fits = text in ("*", typed.replace("*", "\\*"))
        if fits:
            return float(answer.get("fraction")), answer.findtext("feedback/text")
    return None


def qti_grade(item, typed):
    """What the item's response processing makes of a response: score and feedback."""
    condition = item.find(f"{_QTI}responseProcessing/{_QTI}responseCondition")
    choices = {one.text: one.get("identifier") for one in item.iter(f"{_QTI}simpleChoice")}
    outcome = {"SCORE": "0"}
    for branch in condition:
        sets = branch.findall(f"{_QTI}setOutcomeValue")
        test = branch[0]
        fits = branch.tag.endswith("responseElse")
        if not fits:
            value = test.findtext(f"{_QTI}baseValue")
            if test.tag.endswith("}equal"):
                fits = abs(float(value) - float(typed)) <= float(test.get("tolerance", "0"))
            else:
                fits = value == choices.get(typed, typed)
        if fits:
            outcome |= {one.get("identifier"): one.findtext(f"{_QTI}baseValue") for one in sets}
            break
    told = {one.get("identifier"): one.text for one in item.iter(f"{_QTI}modalFeedback")}
    return float(outcome["SCORE"]), told[outcome["FEEDBACK"]]


def typed_answers(task):
    """All spellings of the right answer, and of mistakes that can be typed exactly."""
    mistakes = (mistake.answer for mistake in task.mistakes if not mistake.answer.endless)
    return [spelling for answer in (task.answer, *mistakes) for spelling in spellings(answer)]


def test_moodle_grades_and_explains_as_the_lab_does(moodle):
    questions = [one for one in moodle if one.get("type") != "category"]
    assert len(questions) > 300
    for question in questions:
        task = task_named(question.findtext("name/text"))
        for typed in typed_answers(task):
            grade, feedback = moodle_grade(question, typed)
            verdict = check(task, typed)
            assert (grade == 100) == verdict.right, (task.question, typed)
            if not verdict.right:
                assert plain(feedback) == verdict.sentence


def test_each_exercise_is_a_category_of_its_variants(moodle):
    names = [one.findtext("category/text") for one in moodle if one.get("type") == "category"]
    assert len(names) == len(set(names)) == len(LESSONS) * 16
    assert "$course$/top/convscope/stride/07" in names


def test_qti_grades_and_explains_as_the_lab_does(package):
    names = [name for name in package.namelist() if name != "imsmanifest.xml"]
    assert len(names) > 300
    for name in names[::3]:
        item = XML(package.read(name))
        order = [child.tag.removeprefix(_QTI) for child in item]
        assert order[:4] == ["responseDeclaration", *["outcomeDeclaration"] * 2, "itemBody"]
        assert set(order[5:]) == {"modalFeedback"}
        task = task_named(item.get("title"))
        for typed in typed_answers(task):
            score, feedback = qti_grade(item, typed)
            verdict = check(task, typed)
            assert (score == 1) == verdict.right, (task.question, typed)
            if not verdict.right:
                assert feedback == verdict.sentence


def test_the_qti_package_lists_every_item_once(package):
    manifest = XML(package.read("imsmanifest.xml"))
    listed = [one.get("href") for one in manifest.iter(f"{_PACKAGE}resource")]
    assert sorted(listed) == sorted(set(package.namelist()) - {"imsmanifest.xml"})


def test_what_is_no_known_answer_gets_the_hint(moodle, package):
    task = exercise("stride", seed=2, number=9).task
    [question] = [one for one in moodle if one.findtext("name/text") == "stride 09, variant 002"]
    item = XML(package.read("stride-09-002.xml"))
    assert plain(moodle_grade(question, "987654321")[1]) == f"Not yet. {task.hint}"
    assert qti_grade(item, "987654321") == (0, f"Not yet. {task.hint}")


def plain(html):
    texts = []
    parser = HTMLParser()
    parser.handle_data = texts.append
    parser.feed(html)
    parser.close()
    return "".join(texts)


def test_the_sheet_has_the_answers_of_each_student(bank):
    page = teacher_html(bank, ["Ada & co", "Bob <b>"])
    text = plain(page)
    for name in ("Ada & co", "Bob <b>"):
        variant = variant_of(name, 2)
        assert f"{name}: variant {variant}" in text
        for item in [*bank["padding"][variant - 1], *bank["convolution"][variant - 1]]:
            assert item.task.answer.text in text
            for grid in item.task.grids:
                assert grid.title in text
    assert "<b>: variant" not in page


def test_files_with_answers_lie_outside_the_students_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(api, "course_html", lambda _bank, _say: "<page>")
    students = tmp_path / "names.txt"
    students.write_text("Ada\n\nBob\n", encoding="utf-8")
    out, solutions = tmp_path / "out", tmp_path / "solutions.html"
    page = save_course(
        out, variants=2, moodle=tmp_path / "m.xml", qti=tmp_path / "q.zip", solutions=solutions,
        students=students,
    )  # fmt: skip
    assert [path.name for path in out.iterdir()] == [page.name] == ["index.html"]
    assert "Bob: variant" in solutions.read_text(encoding="utf-8")
    assert XML((tmp_path / "m.xml").read_bytes()).tag == "quiz"
    with pytest.raises(RequestError, match="exists"):
        save_course(out)
    with pytest.raises(RequestError, match="outside"):
        save_course(tmp_path / "new", qti=tmp_path / "new" / "q.zip")
    with pytest.raises(RequestError, match="`moodle` and `qti` are both"):
        save_course(tmp_path / "new", moodle=tmp_path / "a", qti=out / ".." / "a")
    with pytest.raises(RequestError, match="outside"):
        save_course(tmp_path / "new", qti=tmp_path / "new")
    with pytest.raises(RequestError, match=r"no folder .*none"):
        save_course(tmp_path / "new", qti=tmp_path / "none" / "q.zip")
    with pytest.raises(RequestError, match=r"solutions\.html exists"):
        save_course(tmp_path / "new", solutions=solutions)
    with pytest.raises(RequestError, match="`solutions`"):
        save_course(tmp_path / "new", students=["Ada"])
    with pytest.raises(RequestError, match="list of names"):
        save_course(tmp_path / "new", solutions=tmp_path / "s.html", students=tmp_path / "none")
    for variants in (0, 1001):
        with pytest.raises(RequestError, match="1 to 1,000"):
            save_course(tmp_path / "new", variants=variants)
    assert not (tmp_path / "new").exists()
