#!/usr/bin/env bash
# cyclopts: in a flat configuration, a key that has the name of any command is dropped without a word.
#
# `use_commands_as_keys=False` takes the keys of a file for the arguments of whichever command runs. Keys that are names of
# the app's commands are filtered out first, also where the running command has an argument of that name: adding a command
# `data` makes `train` ignore `data = "..."` in its file and use its default, while an unknown key is refused. Below the
# command's own name (`[train]`, the default) the same key is taken.
#
# Seen with cyclopts 5.5.2:
#   flat, without the command data    mine
#   flat, with it                     default
#   below [train], with it            mine
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet cyclopts==5.5.2
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from cyclopts import App
from cyclopts.config import Dict


def answer(config, *, has_command):
    app = App(config=config)
    app.command(lambda data="default": data, name="train")
    if has_command:
        app.command(lambda: None, name="data")
    return app(["train"], result_action="return_value", exit_on_error=False)


settings = {"data": "mine"}
flat = Dict(settings, use_commands_as_keys=False)
found = [
    answer(flat, has_command=False),
    answer(flat, has_command=True),
    answer(Dict({"train": settings}), has_command=True),
]
print("cyclopts", version("cyclopts"))
for case, value in zip(("flat, without", "flat, with", "below [train], with"), found, strict=True):
    print(f"{case:22}{value}")
if found != ["mine", "default", "mine"]:
    sys.exit("changed")
print("as seen before")
PYTHON
