"""`convscope explain`: runs, networks of the zoo, the lecture's grids, and wrong requests."""

import json
import re
import shlex
from dataclasses import replace

import pytest
import torch
from PIL import Image

import convscope
from convscope.cli import explain as cli_explain
from convscope.errors import RequestError
from convscope.explanation.api import explain_recorded, parse_unit, record_image
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
        (("lenet5", "PICTURE", "--grid", "GRID"), "leave out a network"),
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


ODD = [
    ("9", "8", "7", "6", "5", "4", "3", "2", "1", "0"),
    ("0", "1", "10", "2", "3", "4", "5", "6", "7", "8"),
    ("a[b]", "[3]", "1,2", "x y", "it's", '"q"', "'3'", "3", "", "ü€"),
    ("$HOME", "`ls`", "a;b", "--at", "fc2", "conv1", "fc2[3]", "\\", "a\nb", " cat "),
    ("conv1[0,0,0]", "*", "~", "#3", "%PATH%", "&", "|", "!", "1.5", "-1"),
]


@pytest.mark.parametrize("classes", ODD, ids=["falling", "sorted", "brackets", "shell", "units"])
def test_the_printed_unit_and_the_proposed_one_are_the_same_whatever_classes_are_called(
    digits_run, picture, tmp_path, monkeypatch, capsys, classes
):
    opened = record_image(digits_run, picture)
    named = replace(opened, card=replace(opened.card, classes=classes))
    monkeypatch.setattr(cli_explain, "record_or_load", lambda *_args, **_options: named)

    def printed(*words):
        cli_explain.explain("my run", tmp_path / "an image.png", **options(words))
        return capsys.readouterr().out.splitlines()

    def options(words):
        flags = dict(zip(words[::2], words[1::2], strict=False))
        return {"at": flags.get("--at"), "trace_back": "--trace-back" in words}

    for k, name in enumerate(classes):
        unit, text = f"fc2[{k}]", printed("--at", f"fc2[{k}]")
        assert any(line.startswith(f"{unit} = ") for line in text)
        assert "\n".join(text).count(f"{unit} is the class {name!r}.") == (name != str(k))
        for line in (line for line in text if "convscope explain" in line):
            program, command, run, image, *words = shlex.split(line.removeprefix("Next:"))
            assert (program, command, run) == ("convscope", "explain", "my run")
            assert image == str(tmp_path / "an image.png")
            named_unit = words[1]
            assert any(row.startswith(f"{named_unit} = ") for row in printed(*words))
            assert named_unit == unit or named_unit.startswith("fc1_tanh[")
        by_name = f'"{name}"' if name.strip().isdecimal() else name
        assert parse_unit(named, f"fc2[{by_name}]") == ("fc2", (k,))
        contrast = explain_recorded(named, "fc2[4]", contrast=f"fc2[{by_name}]")
        assert str(contrast.to_dict()).count(f"fc2[{k}]") or k == 4


def test_a_number_is_an_index_and_a_class_of_that_name_stands_in_quotes(digits_run, picture):
    opened = record_image(digits_run, picture)
    named = replace(opened, card=replace(opened.card, classes=ODD[1]))
    assert parse_unit(named, "fc2[2]") == parse_unit(named, "2") == ("fc2", (2,))
    assert parse_unit(named, "fc2['2']") == parse_unit(named, '"2"') == ("fc2", (3,))
    with pytest.raises(RequestError, match=r"names no|no unit|There is no"):
        parse_unit(named, "fc2['11']")
    with pytest.raises(RequestError, match="Its units are the classes '0', '1', "):
        parse_unit(opened, "fc2[bird]")


def test_the_grid_is_printed_as_a_whole_map_with_the_unit_marked(command, grid):
    lines = command("explain", "--grid", grid, "--at", "1,2").stdout.splitlines()
    assert lines[0] == "map (4x4):"
    rows = [[int(n) for n in re.findall(r"-?\d+", line.replace("−", "-"))] for line in lines[1:5]]
    assert rows == [[2, -17, -6, 20], [3, -6, 0, 12], [1, -3, -1, 12], [-4, -2, -2, 15]]
    assert next(line for line in lines if "[0]" in line) == lines[2]
    payload = json.loads(command("explain", "--grid", grid, "--padding", 1, "--json").stdout)
    assert payload["map"][0] == [-4, -2, -17, -5, 18, 24]
    assert payload["map"][-1] == [-17, -7, 6, 6, 8, 14]


@pytest.mark.parametrize("words", [("--contrast", 3), ("--trace-back",), ("--list-layers",)])
def test_what_belongs_to_networks_is_refused_for_a_grid(command, grid, words):
    assert f"leave out {words[0]}" in command("explain", "--grid", grid, *words, code=2).stderr


def test_what_belongs_to_grids_is_refused_for_a_network(command, digits_run, picture):
    error = command("explain", digits_run, picture, "--filter", "mean", code=2).stderr
    assert "belong to --grid" in error
    error = command("explain", digits_run, picture, "--depth", 2, code=2).stderr
    assert "--depth belongs to --trace-back" in error
