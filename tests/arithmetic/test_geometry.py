"""`convscope.geometry`: the verb in Python, in numbers, tuples and text."""

import pytest

import convscope
from convscope.errors import RequestError


@pytest.mark.parametrize("size", ["32x32x3", (32, 32, 3), [32, 32, 3]])
@pytest.mark.parametrize("kernel", [3, "3", (3, 3), "3x3"])
def test_sizes_are_text_or_numbers(size, kernel):
    layer = convscope.geometry(size, filters=10, kernel=kernel)
    assert layer.output == (30, 30, 10)
    assert (layer.cost.parameters, layer.cost.multiply_adds) == (280, 243_000)


def test_a_dense_layer_has_connections_as_many_as_parameters():
    layer = convscope.geometry((32, 32, 3), dense=10)
    assert layer.cost.connections == layer.cost.parameters == 30_730
    assert "connections     30,730   10·(32·32·3 + 1)" in str(layer)


def test_the_inverse_problem_says_what_it_tried():
    answers = convscope.geometry(27, to=13)
    assert (answers.windows[0].kernel, answers.windows[0].stride) == (3, 2)
    assert "kernel up to 11, stride up to 4, padding up to half the kernel" in str(answers)
    assert "kernel 12, stride up to 4" in str(convscope.geometry(27, to=13, kernel=12))
    none = convscope.geometry(13, to=27, stride=1)
    assert none.windows == ()
    assert "No window produces 27x27 from 13x13. Tried: kernel up to 11, stride 1" in str(none)


def test_it_is_the_same_as_the_command_line(capsys):
    from convscope.cli.geometry import geometry  # noqa: PLC0415

    geometry("28x28x6", pool="max", kernel="2")
    assert capsys.readouterr().out == f"{convscope.geometry((28, 28, 6), pool='max', kernel=2)}\n"


def test_a_notebook_shows_a_table():
    assert "<td style='text-align:left'>4x4</td>" in convscope.geometry(6, kernel=3)._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "`filters=8` and `kernel=5`"),
        ({"filters": 3}, "`filters` needs `kernel`"),
        ({"dense": 3, "bias": False, "same": True}, "`same` cannot be combined with `dense`"),
        ({"pool": "max", "kernel": 2, "bias": False}, "`bias=False` cannot be combined"),
        ({"kernel": 3, "padding": "sme"}, "`padding` cannot contain 'sme'"),
        ({"kernel": (1, 2, 3)}, "`kernel` cannot be '1x2x3'"),
        ({"kernel": 1.5}, "`kernel` cannot be"),
    ],
)
def test_errors_speak_in_keywords(arguments, message):
    with pytest.raises(RequestError) as error:
        convscope.geometry(28, **arguments)
    assert message in str(error.value)
