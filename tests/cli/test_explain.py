"""`convscope explain`: runs, networks of the zoo, the lecture's grids, and wrong requests."""

import json

import pytest
import torch
from PIL import Image

import convscope
from convscope.errors import RequestError
from tests.lecture.test_worked_example import IMAGE, numbers


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp("picture") / "ünit 3.png"
    image = Image.new("L", (8, 8))
    image.putdata([(7 * n * n) % 256 for n in range(64)])
    image.save(path)
    return path


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    path = tmp_path_factory.mktemp("grid") / "6x6.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in numbers(IMAGE)))
    return path


def test_the_lectures_grid_gives_the_lectures_numbers(command, grid):
    for column, answer in enumerate((2, -17, -6)):
        words = ("--grid", grid, "--filter", "sobel-x", "--at", f"0,{column}", "--json")
        payload = json.loads(command("explain", *words).stdout)
        assert payload["exact_value"] == payload["model_value"] == answer
        assert payload["num_terms"] == 9
    output = command("explain", "--grid", grid, grid, grid, "--im2col").stdout
    assert output.splitlines()[-1] == "wᵀx = 6"


def test_explain_prints_the_prediction_and_explains_the_top_1_class(
    command, shell, digits_run, picture
):
    output = shell("explain", digits_run, picture).stdout
    answer, _, first, *_ = output.splitlines()
    predicted = answer.removeprefix("Prediction: ").split()[0]
    assert first.startswith(f"fc2[{predicted}] = ")
    assert "Next:" in output
    same = json.loads(command("explain", digits_run, picture, "--json").stdout)
    named = json.loads(
        command("explain", digits_run, picture, "--at", f"fc2[{predicted}]", "--json").stdout
    )
    assert same == named
    assert abs(same["difference"]) <= same["rounding_bound"]


def test_trace_back_and_contrast(command, digits_run, picture):
    walk = command("explain", digits_run, picture, "--at", "fc2[3]", "--trace-back").stdout
    assert walk.splitlines()[0].startswith("fc2[3] = ")
    assert "image[0," in walk
    words = ("--at", "fc2[3]", "--contrast", "5", "--json")
    payload = json.loads(command("explain", digits_run, picture, *words).stdout)
    here, there = (
        json.loads(command("explain", digits_run, picture, "--at", f"fc2[{k}]", "--json").stdout)
        for k in (3, 5)
    )
    assert payload["model_value"] == here["model_value"] - there["model_value"]


def test_random_weights_are_announced_and_list_layers_lists_operations(command, picture):
    output = command("explain", "lenet5", picture, "--list-layers").stdout
    assert output.startswith("Random weights")
    assert [line.split()[0] for line in output.splitlines()[3:6]] == ["conv1", "tanh1", "pool1"]
    listed = json.loads(command("explain", "lenet5", picture, "--list-layers", "--json").stdout)
    assert listed[0] == {
        "name": "conv1",
        "kind": "conv2d",
        "shape": [6, 28, 28],
        "operands": ["image"],
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lenet5",), "a network and an image"),
        (("lenet5", "PICTURE", "--at", "conv9[0,0,0]"), "Did you mean 'conv"),
        (("lenet5", "PICTURE", "--at", "conv1[6,0,0]"), "0 to 5, 0 to 27, 0 to 27"),
        (("lenet5", "PICTURE", "--at", "conv1[1,2]"), "6x28x28"),
        (("lenet5", "PICTURE", "--at", "conv1[cat]"), "no unit 'cat'"),
        (("lenet5", "PICTURE", "--at", "]["), "names no unit"),
        (("lenet5", "PICTURE", "--at", "fc2[1]", "--contrast", "fc1[2]"), "different results"),
        (("lenet5", "PICTURE", "--contrast", "fc1[2]"), "fc2 and fc1[2] are units of different"),
        (("lenet5", "PICTURE", "--trace-back", "--contrast", "fc2[3]"), "leave out --contrast"),
        (("lenet5", "nowhere.png"), "nowhere.png does not exist"),
        (("lenet6", "PICTURE"), "lenet5"),
        (("--grid", "none.csv"), "none.csv cannot be read"),
        (("lenet5", "PICTURE", "--grid", "GRID"), "takes no network"),
        (("--grid", "GRID", "--at", "here"), "ROW,COLUMN"),
        (("--grid", "GRID", "--at", "4,0"), "0 to 3"),
    ],
)
def test_errors_say_what_to_do(command, picture, grid, words, message):
    given = [{"PICTURE": picture, "GRID": grid}.get(word, word) for word in words]
    assert message in command("explain", *given, code=2).stderr


def test_python_takes_the_same_arguments(digits_run, picture):
    explanation = convscope.explain(digits_run, picture, at="conv2[5,3,7]")
    assert (explanation.name, explanation.at, explanation.kind) == ("conv2", (5, 3, 7), "conv2d")
    net, card = convscope.load_network(digits_run)
    torch.set_grad_enabled(True)
    net.train()
    image = torch.zeros(card.in_channels, *card.input_size)
    assert convscope.explain(net, image, at="fc2[3]").is_within_tolerance
    assert net.training  # it looked in eval mode and left the mode as it was
    with pytest.raises(RequestError, match="leave out `weights`"):
        convscope.explain(digits_run, picture, weights="x.safetensors")


def test_classes_can_be_named(image_folder, tmp_path, command):
    run = convscope.train(
        image_folder, model="tinyvgg", input_size=32, epochs=1, out=tmp_path / "run"
    ).run
    picture = next((image_folder / "leaf").iterdir())
    explanation = convscope.explain(run, picture, at="fc[plum]")
    assert explanation.at == (2,)
    output = command("explain", run, picture, "--at", "fc[pulm]", code=2).stderr
    assert "Did you mean 'plum'" in output
