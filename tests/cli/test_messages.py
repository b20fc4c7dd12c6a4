"""Messages speak in keywords and are translated to flags; old flags are answered with new ones."""

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import convscope
from convscope import errors
from convscope.cli import COMMANDS, make_app, options
from convscope.cli.messages import in_flags
from convscope.training.config import TrainConfig
from convscope.training.setting import settings_of


def flags_of(command):
    arguments = make_app()[command].assemble_argument_collection()
    return {name for argument in arguments for name in argument.names}


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["train", "--epochs", "ten"], "--epochs: 'ten' is not an integer."),
        (["train", "--lr=0,1"], "--lr: '0,1' is not a number; write 0.1, with a point."),
        (["train", "--val", "10%"], "--val: '10%' is not a number; write 0.1."),
        (["train", "--momentum", "high"], "--momentum: 'high' is not a number."),
        (["train", "--lr"], "--lr needs a value."),
        (["train", "--lr", "1", "--learning-rate", "2"], "--lr is given twice; give it once."),
        (["train", "my", "photos"], "'photos' is too much: train takes no more values"),
        (["train", "--engine", "tpu"], "--engine: 'tpu' is not one of auto, torch, lanes."),
        (["evaluate"], "evaluate needs RUN."),
    ],
)
def test_what_does_not_parse_is_refused_with_the_flag_and_the_help(
    command, tmp_path, tokens, message
):
    error = command(*tokens, cwd=tmp_path, code=2).stderr
    assert error.startswith(f"convscope: {message}")
    assert error.endswith(f"See `convscope {tokens[0]} --help`.\n")


def test_keywords_become_flags_and_other_quotations_stay():
    message = "`lr_schedule='plateau'` needs `val`; run `convscope resume a_b` or `pip install x`."
    assert in_flags(message) == (
        "--lr-schedule plateau needs --val; run `convscope resume a_b` or `pip install x`."
    )


def test_on_windows_a_proposed_value_stands_in_double_quotes(monkeypatch):
    message = r"Set `group_pattern='(\d+)_(left|right)'`."
    assert in_flags(message) == r"Set --group-pattern '(\d+)_(left|right)'."
    monkeypatch.setattr(errors, "os", SimpleNamespace(name="nt", fspath=str))
    assert in_flags(message) == r'Set --group-pattern "(\d+)_(left|right)".'


def test_no_command_of_the_pages_has_single_quotes_outside_of_posix_blocks():
    root = Path(__file__).resolve().parents[2]
    pages = [root / "README.md", *(root / "docs").rglob("*.md")]
    commands = re.compile(r"^(?:convscope|pip) .*'|`(?:pip install|--[a-z-]+) '", re.MULTILINE)
    quoted = [
        f"{page.name}: {found[0]}"
        for page in pages
        for found in commands.finditer(re.sub(r" #.*", "", page.read_text("utf-8")))
    ]
    assert quoted == []  # cmd.exe passes them on as part of the word


def test_every_keyword_that_a_message_names_is_a_flag():
    known = set().union(*map(flags_of, COMMANDS)) | {"--debug", "--help", "--version"}
    known |= {"--name", "--project", "--patience", "--classes"}  # accepted, as synonyms
    known |= {"--no-streaming"}
    known |= {"--raw"}  # of gdcmconv
    known |= {"--nproc-per-node"}  # of torchrun
    known |= {"--input", "--input-data"}  # tensors, which only Python has
    known |= {"--bind", "--directory"}  # of http.server
    known |= {"--int"}  # the beginning of --int8
    known |= {"--keep"}  # of record, in Python
    known |= {"--is-sure"}  # an output of exported graphs
    found = set()
    package = Path(convscope.__file__).parent
    by_http = {*(package / "serving").rglob("*.py"), *(package / "http_server").rglob("*.py")}
    for path in {*package.rglob("*.py")} - by_http:
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
