"""What the page asks about exercises, and what it is refused."""

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from fastapi import FastAPI
from starlette.testclient import TestClient

from convscope.webapp.api.exercises import add_exercises
from convscope.webapp.server import add_error_handlers

ONE = "/api/lessons/volumes/exercises/2"


@pytest.fixture(scope="module")
def client():
    app = FastAPI()
    add_error_handlers(app)
    add_exercises(app)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def test_a_question_comes_without_its_answer(client):
    text = client.get(f"{ONE}?seed=5").json()
    assert (text["lesson"], text["seed"], text["number"]) == ("volumes", "5", 2)
    assert (text["level"], text["levels"], text["kind"]) == (1, 4, "whole")
    assert "3@64×64" in text["question"]
    assert "760" not in str(text)
    assert not set(text) & {"answer", "mistakes", "worked", "hint"}


def test_a_matrix_and_a_table_come_along(client):
    grids = client.get("/api/lessons/convolution/exercises/1").json()["grids"]
    assert [grid["title"] for grid in grids] == ["Image", "Filter"]
    assert grids[1]["rows"] == [[1, 0, -1], [2, 0, -2], [1, 0, -1]]
    table = client.get("/api/lessons/lenet5/exercises/1").json()["table"]
    assert table["rows"][0] == ["conv1", "6", "5×5", "1"]


@pytest.mark.parametrize(
    ("answer", "tries", "right", "counted", "worked"),
    [
        ("760", 1, True, True, True),
        ("750 parameters", 2, False, True, False),
        ("750", 3, False, True, True),
        ("?", 2, False, False, False),
        ("", 3, False, False, True),
        ("", 0, False, False, False),
    ],
)
def test_an_answer_is_judged(client, answer, tries, right, counted, worked):
    text = client.post(f"{ONE}/answer?seed=5", json={"answer": answer, "tries": tries}).json()
    assert (text["right"], text["counted"], text["worked"] is not None) == (right, counted, worked)
    assert text["message"].endswith(".")
    if worked:
        assert text["worked"]["rows"][0][:2] == ["parameters", "760"]


def test_a_sheet_has_as_many_solutions_as_exercises(client):
    text = client.get("/api/lessons/all/sheet?seed=-3&count=13").json()
    assert len(text["exercises"]) == len(text["solutions"]) == 13
    for asked, solution in zip(text["exercises"], text["solutions"], strict=True):
        verdict = client.post(
            f"/api/lessons/{asked['lesson']}/exercises/{asked['number']}/answer?seed=-3",
            json={"answer": solution["answer"].partition(" ≈")[0]},
        ).json()
        assert verdict["right"]
        assert verdict["worked"] == solution["worked"]
        assert asked["space"] > 2


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (f"{ONE}?seed=x", "seed 'x' is not an integer"),
        (f"{ONE}?seed=1.5", "not an integer"),
        (f"{ONE}?seed=", "not an integer"),
        (f"{ONE}?seed={'9' * 5000}", "up to 30 digits"),
        ("/api/lessons/volumes/exercises/0", "from 1 to 999"),
        ("/api/lessons/volumes/exercises/99999999999999999999999", "from 1 to 999"),
        ("/api/lessons/volumes/exercises/two", "exercise 'two' is not an integer"),
        ("/api/lessons/volumns/exercises/1", "Did you mean 'volumes'"),
        ("/api/lessons/all/exercises/1", "no lesson 'all'"),
        ("/api/lessons/volumes/sheet?count=61", "1 to 60"),
        ("/api/lessons/volumes/sheet?count=many", "not an integer"),
        ("/api/lessons/..%2f..%2fetc/sheet", ""),
    ],
)
def test_what_is_asked_wrongly_is_a_sentence(client, path, words):
    answer = client.get(path)
    assert answer.status_code == 404
    assert words in answer.json().get("message", "")


@pytest.mark.parametrize(
    "body", [{}, {"answer": 3}, {"answer": "1" * 1001}, {"answer": "1", "tries": -1}, {"x": 1}]
)
def test_a_body_that_is_no_answer_is_refused(client, body):
    answer = client.post(f"{ONE}/answer", json=body)
    assert answer.status_code == 422
    assert answer.json()["message"]


def test_any_whole_number_is_a_seed(client):
    for seed in (0, -1, 10**29, -(10**29)):
        text = client.get(f"{ONE}?seed={seed}").json()
        assert text["seed"] == str(seed)
