"""From what a user names to the folder of an exported network; a run is exported first."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from convscope.errors import RequestError, WorkError, shell_word
from convscope.exported.folder import is_exported
from convscope.exported.of_run import OF_RUN, WEIGHTS, export_of_run

_CONFIG = "config.toml"


def exported_folder(path: Path, say: Callable[[str], None]) -> Path:
    """The exported network that `path` is; of a run that in its folder, exported now if need be.

    Raises RequestError for what is neither, WorkError where the export fails, which says why.
    """
    if is_exported(path):
        return path
    if not ((path / _CONFIG).is_file() and (path / WEIGHTS).is_file()):
        raise RequestError(
            f"{shell_word(path)} is neither a run nor an exported network. Export a network first: "
            "convscope export NAME -o DIR"
        )
    folder = path / OF_RUN
    model, why_not = export_of_run(path)
    if model is not None or (is_exported(folder) and not why_not):
        return folder
    if why_not:
        say(why_not)
    say(f"Exporting {shell_word(path)} to {shell_word(folder)} ...")
    # In a process of its own, so that PyTorch takes no memory here.
    command = [sys.executable, "-m", "convscope", "export", str(path), "-o", str(folder)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)  # noqa: S603 -- ours
    if done.returncode != 0:
        raise WorkError(f"{shell_word(path)} could not be exported. What is above says why.")
    return folder
