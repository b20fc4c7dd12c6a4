"""`convscope summary` and `convscope models` as a person types them."""

import json

import pytest

from convscope.zoo import ZOO


def test_the_table_is_printed_and_the_drawing_written(shell, tmp_path):
    done = shell("summary", "lenet5", "--svg", tmp_path / "volumes.svg")
    assert "conv1  Conv           6       5       1        0      28x28x6  Tanh" in done.stdout
    assert "61,706" in done.stdout
    assert (tmp_path / "volumes.svg").read_text().startswith("<svg")


def test_a_module_of_the_users_is_told(command, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\nnet = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())\n"
    )
    done = command("summary", "mine:net", "--input-size", 9, "--json", cwd=tmp_path)
    facts = json.loads(done.stdout)
    assert facts["input"] == [1, 9, 9]
    assert facts["rows"][0]["map"] == [2, 7, 7]


@pytest.mark.parametrize("size", ["9", "9x9", "1x9x9", "2x1x9x9", "9X9", "9x9x1"])
def test_a_size_is_typed_in_every_form(command, tmp_path, size):
    (tmp_path / "mine.py").write_text("from torch import nn\nnet = nn.Conv2d(1, 2, 3)\n")
    done = command("summary", "mine:net", "--input-size", size, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["input"] == [1, 9, 9]


def test_a_table_file_is_told(command, tmp_path):
    (tmp_path / "net.toml").write_text(
        'input = "1x12x12"\nlayers = """\nlayer  filters  size\nconv1  4  3\nfc1  classes  .\n"""\n'
    )
    done = command("summary", "net.toml", "--num-classes", 3, cwd=tmp_path)
    assert "10x10x4" in done.stdout


def test_two_networks_are_compared(command):
    done = command("summary", "--compare", "vgg11", "vgg13")
    assert "2 only in vgg13 (>)" in done.stdout


@pytest.mark.parametrize(
    ("form", "begins"),
    [("markdown", "**lenet5 on 32x32x1**"), ("latex", "% lenet5"), ("html", "<table")],
)
def test_other_forms_are_printed_bare(command, form, begins):
    assert command("summary", "lenet5", "--format", form).stdout.startswith(begins)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["lenett"], "Did you mean 'lenet5'"),
        ([], "takes one network, not 0"),
        (["lenet5", "vgg16"], "takes one network, not 2"),
        (["lenet5", "--compare"], "takes two networks, not 1"),
        (["lenet5", "--depth", "0"], "--depth must be at least 1"),
        (["lenet5", "--input-size", "big"], "sides as 3x224x224, not 'big'"),
        (["lenet5", "--input-size", "1x1x1x1x1"], "--input-size must be (height, width)"),
        (["--compare", "vgg11", "vgg13", "--svg", "x.svg"], "leave out --compare"),
    ],
)
def test_a_wrong_request_is_answered_in_a_sentence(command, words, told, tmp_path):
    assert told in command("summary", *words, code=2, cwd=tmp_path).stderr


def test_every_network_is_listed_below_its_paper(command, shell):
    lines = shell("models").stdout.splitlines()
    assert "VGG, 11 to 19 weight layers: Simonyan & Zisserman, 2014" in "".join(lines)
    facts = json.loads(command("models", "--json").stdout)
    assert {line.split()[0] for line in lines if " classes" in line} == set(facts)
    assert facts["resnet50"]["input_size"] == [224, 224]
    assert all(fact["paper"] for fact in facts.values())


def test_networks_are_listed_by_a_pattern_or_a_part_of_their_name(command):
    nin = json.loads(command("models", "nin*", "--json").stdout)
    assert set(nin) == {name for name in ZOO if name.startswith("nin")}
    wide = json.loads(command("models", "wide", "--json").stdout)
    assert set(wide) == {name for name in ZOO if "wide" in name}
    assert "'inception'" in command("models", "inception", code=2).stderr
