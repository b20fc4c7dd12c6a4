"""Messages speak in keywords and are translated to flags; old flags are answered with new ones."""

import ast
import re
from pathlib import Path

import pytest

import convscope
from convscope.cli import COMMANDS, make_app, options
from convscope.cli.messages import RENAMED, in_flags, renamed_flag
from convscope.training.config import TrainConfig
from convscope.training.setting import settings_of

ROWS = [(name, old, new) for name, flags in RENAMED.items() for old, new in flags.items()]


def flags_of(command):
    arguments = make_app()[command].assemble_argument_collection()
    return {name for argument in arguments for name in argument.names}


@pytest.mark.parametrize(("name", "old", "new"), ROWS)
def test_a_renamed_flag_is_answered_with_the_new_one(name, old, new):
    flag = re.match(r"--[a-z0-9-]+", new).group()
    assert flag in flags_of(name)
    assert old not in flags_of(name)
    for tokens in ([name, old, "1"], [name, "x", f"{old}=1"]):
        assert renamed_flag(tokens) == f"{old} is now {new}."


def test_a_flag_that_was_never_renamed_gets_no_such_hint():
    assert renamed_flag(["train", "--cilp", "1"]) is None
    assert renamed_flag(["predict", "--clip", "1"]) is None
    assert renamed_flag([]) is None


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["train", "--clip", 1], "--clip is now --clip-grad-norm."),
        (["train", "--optimiser=adamw"], "--optimiser is now --optimizer."),
        (["explain", "run", "x.png", "--instead-of", 3], "--instead-of is now --contrast."),
        (["summary", "alexnet", "--size", 64], "--size is now --input-size."),
        (["train", "--epoch", 3], "Did you mean --epochs?"),
        (["evaluate", "run", "--thread", 3], "Did you mean --threads?"),
    ],
)
def test_a_wrong_flag_ends_with_status_2_and_the_right_flag(command, tmp_path, tokens, message):
    assert message in command(*tokens, cwd=tmp_path, code=2).stderr


def test_keywords_become_flags_and_other_quotations_stay():
    message = "`lr_schedule='plateau'` needs `val`; run `convscope resume a_b` or `pip install x`."
    assert in_flags(message) == (
        "--lr-schedule plateau needs --val; run `convscope resume a_b` or `pip install x`."
    )


def test_every_keyword_that_a_message_names_is_a_flag():
    known = set().union(*map(flags_of, COMMANDS)) | {"--debug", "--help"}
    known |= {"--input", "--input-data"}  # tensors, which only Python has
    found = set()
    for path in Path(convscope.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                parts = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
                message = in_flags(" ".join(part for part in parts if isinstance(part, str)))
                found |= set(re.findall(r"(?<![\w-])--[a-z][a-z-]*(?![a-z:-])", message))
    assert {"--batch-size", "--input-size", "--max-corrupt-fraction"} <= found
    assert found - known == set()


def test_shared_options_say_what_the_settings_of_a_training_say():
    helps = {name: field.setting.help for name, field in settings_of(TrainConfig).items()}
    for name, option in (
        ("data_dir", options.DataDir), ("device", options.Device), ("threads", options.Threads),
    ):  # fmt: skip
        assert option.__metadata__[-1].help == helps[name]
