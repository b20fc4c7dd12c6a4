"""`convscope history`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from convscope.cli.json_output import print_json
from convscope.cli.options import Json
from convscope.reports.history import check_ending
from convscope.reports.history import history as find_history
from convscope.words.screen import Screen


def history(
    challenge: str = "ilsvrc",
    /,
    *,
    run: Annotated[str | None, Parameter(name="--run")] = None,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    json: Json = False,
) -> None:
    """Show the top-5 errors of ILSVRC's winners by year, beside your own.

    Parameters
    ----------
    challenge
        ilsvrc.
    run
        A run, by its test result, or a file of what `convscope evaluate --json` printed.
    out
        File for the chart: .svg, .png or .html.
    """
    if out is not None:
        check_ending(out)
    found = find_history(challenge, run=run)
    screen = Screen(stderr=json)
    if json:
        print_json(found.to_dict())
    else:
        for line in found.lines:
            screen.say(line)
    if out is not None:
        found.save(out)
        screen.say()
        screen.say(f"The chart is in {out}.")
    elif not json:
        screen.say()
        told = "" if run else "  --run RUN, for your own beside them;"
        screen.say(f"More:{told}  --out history.png, for a picture")
