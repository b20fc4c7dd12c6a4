"""`convscope compare`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from convscope.atomic import write_atomically
from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.options import Json, Trust
from convscope.comparison.api import compare as compare_runs
from convscope.comparison.picture import comparison_page
from convscope.comparison.tables import comparison_rows, setting_table
from convscope.errors import shell_word
from convscope.evaluation.tables import as_text
from convscope.words.screen import Screen


def compare(
    *runs: str,
    html: Annotated[Path | None, Parameter(alias="-o")] = None,
    trust: Trust = False,
    json: Json = False,
) -> None:
    """Compare trained runs: settings that differ, figures with intervals, paired tests, costs.

    Each run is evaluated on its own test images; those with the same ones are compared image by
    image. Runs that do not differ by more than noise have the same rank.

    Parameters
    ----------
    runs
        Two or more run folders.
    html
        File for a page with the tables, and accuracy against cost as pictures.
    """
    screen = Screen(stderr=json)
    found = compare_runs(*runs, trust=trust)
    if html is not None:
        write_atomically(html, comparison_page(found))
    if json:
        print_json(found.to_dict())
        return
    for rows in (comparison_rows(found), setting_table(found)):
        if rows:
            for line in as_text(rows).splitlines():
                screen.say(line)
            screen.say()
    sentences = [*found.verdicts(), *(each.describe() for each in found.repetitions), *found.notes]
    for sentence in sentences:
        screen.say(in_flags(sentence))
    if html is not None:
        screen.say(f"Wrote the comparison to {html}.")
    else:
        screen.say(
            f"Next:  convscope compare {' '.join(map(shell_word, runs))} --html compare.html"
        )
