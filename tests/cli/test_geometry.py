"""`convscope geometry`: the lecture's exercises as a student types them."""

import json
import subprocess
import sys

import pytest
from cyclopts import App, CycloptsError

from convscope.cli.geometry import geometry
from convscope.cli.messages import in_flags
from convscope.errors import RequestError


@pytest.fixture
def ask(capsys):
    """Run one command line in this process, and give what it printed."""
    app = App()
    app.command(geometry)

    def run(words):
        app(
            ["geometry", *words.split()],
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        return capsys.readouterr().out

    return run


EXERCISES = [
    (
        "256x256x3 --filters 8 --kernel 5",
        ["output          252x252x8    (256 - 5 + 2·0)/1 + 1 = 252",
         "parameters      608          8·(5·5·3 + 1): 600 weights and 8 biases"],
    ),
    ("7x7 --kernel 3 --padding 1", ["output   7x7   (7 - 3 + 2·1)/1 + 1 = 7"]),
    ("7 --kernel 3 --padding 1", ["output   7x7   (7 - 3 + 2·1)/1 + 1 = 7"]),
    ("7x7 --kernel 3 --same", ["output    7x7     (7 - 3 + 2·1)/1 + 1 = 7",
                               "padding   1 + 1   (3 - 1)/2 = 1"]),
    ("7x7 --kernel 4 --padding same", ["padding   1 + 2   (4 - 1)/2 = 1.5, the odd one after"]),
    ("64×64×3 --filters 10 --kernel 5 --padding 2", ["64x64x10", "760 "]),
    ("64*64*3 --filters 10 --kernel 5x5 --padding 2x2 --stride 1", ["64x64x10", "760 "]),
    ("32x32x3 --dense 10", ["parameters      30,730   10·(32·32·3 + 1)"]),
    ("32x32x3 --dense 10 --no-bias", ["parameters      30,720   10·32·32·3"]),
    ("32x32x3 --filters 10 --kernel 3", ["parameters      280 "]),
    ("32x32x3 --filters 10 --kernel 3 --no-bias", ["parameters      270        10·3·3·3\n"]),
    ("32x32x3 --filters 10 --kernel 3 --local", ["parameters      252,000 "]),
    (
        "227x227x3 --filters 96 --kernel 11 --stride 4",
        ["(227 - 11 + 2·0)/4 + 1 = 55", "34,944 ", "34,848 weights and 96 biases"],
    ),
    (
        "224x224x3 --filters 96 --kernel 11 --stride 4",
        ["54x54x96", "= 54.25, rounded down to 54", "The last row and column are never read."],
    ),
    ("6x6 --kernel 3 --stride 2", ["output   2x2", "The last row and column are never read."]),
    ("27 --to 13", ["kernel 3    stride 2, padding 0   (27 - 3 + 2·0)/2 + 1 = 13\n"]),
    ("27x31 --to 13x15", ["(27 - 3 + 2·0)/2 + 1 = 13; (31 - 3 + 2·0)/2 + 1 = 15\n"]),
    ("13 --to 27", ["No window produces 27x27 from 13x13. Tried: kernel up to 11, stride up to 4"]),
    ("13 --to 27 --kernel 3 --padding 1", ["Tried: kernel 3, stride up to 4, padding 1; --stride"]),
    ("55x55x96 --pool max --kernel 3 --stride 2", ["output        27x27x96 ", "27·27·96·3·3\n"]),
    ("28x28x6 --pool average --kernel 2", ["14x14x6 ", "25% of the 4,704 before"]),
    ("112x112x64 --pool max --kernel 3 --stride 2 --ceil", ["55.5, rounded up to 56"]),
    ("9x9 --kernel 3 --dilation 2", ["output   5x5", "window   5x5   2·(3 - 1) + 1 = 5"]),
    ("27x27x96 --filters 256 --kernel 5 --padding 2 --groups 2", ["307,456 "]),
    ("9x9 --kernel 2 --padding 0,1", ["(9 - 2 + 0 + 1)/1 + 1 = 9"]),
    ("9x8 --kernel 2x3 --padding 0,1xsame", ["output    9x8"]),
]  # fmt: skip


@pytest.mark.parametrize(("words", "told"), EXERCISES, ids=lambda value: str(value)[:60])
def test_an_exercise_is_answered_with_its_formula(ask, words, told):
    answer = ask(words)
    for part in told:
        assert part in answer


def test_only_the_first_answers_are_shown_and_the_rest_is_counted(ask):
    lines = ask("64 --to 32").splitlines()
    found = json.loads(ask("64 --to 32 --json"))["windows"]
    assert len(lines) == 11
    assert lines[-1].startswith(f"{len(found) - 10} more; narrow")


def test_a_fully_connected_layer_has_as_many_connections_as_parameters(ask):
    assert "connections     10,164   84·(1·1·120 + 1)\n" in ask("1x1x120 --dense 84")


def test_what_is_given_narrows_the_inverse_question(ask):
    found = json.loads(ask("27 --to 13 --padding 1 --json"))["windows"]
    assert found == [{"kernel": kernel, "stride": 2, "padding": 1} for kernel in (4, 5)]
    assert json.loads(ask("27 --to 13 --padding 1 --kernel 5 --json"))["windows"] == found[1:]
    assert json.loads(ask("27 --to 13 --stride 1 --json"))["windows"] == []
    assert "kernel 15" in ask("27 --to 13 --stride 1 --kernel 15")


def test_a_window_must_fit_both_axes(ask):
    found = json.loads(ask("27x32 --to 13x16 --json"))["windows"]
    assert {"kernel": 4, "stride": 2, "padding": 1} in found
    assert {"kernel": 3, "stride": 2, "padding": 0} not in found  # 27 to 13, but 32 to 15


def test_json_has_the_same_facts(ask):
    facts = json.loads(ask("224x220x3 --filters 96 --kernel 11 --stride 4 --json"))
    assert facts == {
        "input": {"channels": 3, "height": 224, "width": 220},
        "output": {"channels": 96, "height": 54, "width": 53},
        "weights": 34_848,
        "biases": 96,
        "parameters": 34_944,
        "connections": 54 * 53 * 34_944,
        "multiply_adds": 54 * 53 * 34_848,
        "output_bytes": 4 * 54 * 53 * 96,
        "parameter_bytes": 4 * 34_944,
        "padding": {"vertical": [0, 0], "horizontal": [0, 0]},
        "unread": {"rows": [223], "columns": [219]},
    }
    assert json.loads(ask("7x9 --kernel 4 --same --json")) == {
        "input": {"channels": 1, "height": 7, "width": 9},
        "output": {"height": 7, "width": 9},
        "padding": {"vertical": [1, 2], "horizontal": [1, 2]},
        "unread": {"rows": [], "columns": []},
    }
    assert json.loads(ask("32x32x3 --dense 10 --json"))["parameters"] == 30_730
    assert {"kernel": 3, "stride": 2, "padding": 0} in json.loads(ask("27 --to 13 --json"))[
        "windows"
    ]


WRONG = [
    ("32x32x3", "Nothing to compute"),
    ("seven --kernel 3", "The size cannot be 'seven'"),
    ("7x7x3x1 --kernel 3", "The size cannot be '7x7x3x1'"),
    ("7x0 --kernel 3", "7x0x1 is impossible"),
    ("9999999 --kernel 3", "numbers go up to 1,000,000"),
    ("7 --kernel 3x3x3", "--kernel cannot be '3x3x3'"),
    ("7 --kernel 0", "kernel is 0"),
    ("7 --kernel 9", "Pad by 1 on each side, or take a kernel of 7 or less"),
    ("7 --kernel 3 --stride 0", "stride is 0"),
    ("7 --kernel 3 --stride two", "--stride cannot be 'two'"),
    ("7 --kernel 3 --padding -1", "'-1'"),
    ("7 --kernel 3 --padding full", "'full'"),
    ("7 --kernel 3 --padding 1x1x1", "two axes"),
    ("7 --kernel 3 --padding 1 --same", "--same and --padding"),
    ("7 --filters 3", "--filters needs --kernel"),
    ("7 --pool max", "--pool needs --kernel"),
    ("7 --kernel 3 --local", "--local cannot be combined with --kernel"),
    ("7 --kernel 3 --filters 2 --ceil", "--ceil cannot be combined with --filters"),
    ("7 --dense 3 --kernel 3 --stride 2", "--kernel, --stride cannot be combined with --dense"),
    ("7 --dense 3 --pool max", "--pool and --dense exclude each other"),
    ("7 --dense 0", "impossible"),
    ("7 --kernel 3 --filters 0", "number of filters is 0"),
    ("7x7x3 --kernel 3 --filters 4 --groups 2", "2 groups do not divide"),
    ("7x7x3 --kernel 3 --filters 4 --groups 0", "number of groups is 0"),
    ("7 --pool max --kernel 2 --padding 2", "more than half"),
]


@pytest.mark.parametrize(("words", "told"), WRONG, ids=lambda value: str(value)[:60])
def test_a_wrong_request_is_refused_in_words_with_status_2(ask, words, told):
    with pytest.raises(RequestError) as refused:
        ask(words)
    assert told in in_flags(str(refused.value))
    assert refused.value.status == 2


def test_the_verb_answers_and_refuses_on_the_command_line(shell):
    assert "30,730 " in shell("geometry", "32x32x3", "--dense", 10).stdout
    assert "Valid forms: 32x32x3" in shell("geometry", "7by7", "--kernel", 3, code=2).stderr


def test_a_pool_that_nobody_knows_is_refused(ask):
    with pytest.raises(CycloptsError, match="median"):
        ask("7 --pool median --kernel 2")


def test_neither_torch_nor_numpy_is_imported():
    code = (
        "import sys; from convscope.cli import main\n"
        "try: main(['geometry', '7', '--kernel', '3'])\n"
        "finally: assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_terminal_without_the_dot_of_a_product_still_gets_an_answer():
    code = "from convscope.cli.geometry import geometry; geometry('7', kernel='3')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert "7 - 3 + 2" in done.stdout
