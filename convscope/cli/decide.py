"""`convscope decide`."""

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from convscope.cli.json_output import print_json
from convscope.cli.messages import in_flags
from convscope.cli.options import (
    BatchSize,
    DataDir,
    Device,
    Flag,
    GroupColumn,
    GroupPattern,
    ImageColumn,
    Json,
    LabelColumn,
    OwnCode,
    Threads,
    Trust,
)
from convscope.device import keep_freed_memory
from convscope.distributed.launch import is_first
from convscope.errors import RequestError, shell_word
from convscope.evaluation.tables import as_text
from convscope.startup import collect_again
from convscope.words.screen import Screen

if TYPE_CHECKING:
    from convscope.decisions.decide import Decision
    from convscope.evaluation.figures import Figure

_POINT = Parameter(group="From a threshold on")
_COSTS = Parameter(group="By costs")
_UNKNOWN = Parameter(group="Only where it is sure")
_SETS = Parameter(group="Sets of classes")


def decide(
    run: str,
    data: str | None = None,
    /,
    *,
    positive: Annotated[str | None, _POINT] = None,
    sensitivity: Annotated[float | None, _POINT] = None,
    specificity: Annotated[float | None, _POINT] = None,
    maximize: Annotated[Literal["youden", "f1"] | None, _POINT] = None,
    threshold: Annotated[float | None, _POINT] = None,
    costs: Annotated[str | None, _COSTS] = None,
    coverage: Annotated[float | None, _UNKNOWN] = None,
    max_error: Annotated[float | None, _UNKNOWN] = None,
    by: Annotated[Literal["probability", "energy"], _UNKNOWN] = "probability",
    conformal: Annotated[float | None, _SETS] = None,
    method: Annotated[Literal["lac", "aps"], _SETS] = "lac",
    reset: Flag = False,
    split: Literal["train", "val", "test"] | None = None,
    data_dir: DataDir = None,
    image_column: ImageColumn = None,
    label_column: LabelColumn = None,
    group_column: GroupColumn = None,
    group_pattern: GroupPattern = None,
    model: OwnCode = None,
    trust: Trust = False,
    batch_size: BatchSize = None,
    device: Device = "auto",
    threads: Threads = None,
    json: Json = False,
) -> None:
    """Choose what a run answers: from which probability on, by which costs, when not at all.

    It is chosen on the validation images, measured on the test images, and kept in the run's card,
    which predict, evaluate, export and serve follow. One thing is chosen at a time.

    Parameters
    ----------
    run
        A run folder.
    data
        Other data to choose on, as for train: their validation images, or all if there are none.
    positive
        The class that is predicted from a threshold on; of several labels one, by default each.
    sensitivity
        The share of its images that are found at least, 0.95 for example.
    specificity
        The share of other images that are not taken for it, at least.
    maximize
        What is as large as possible: Youden's index (sensitivity + specificity - 1), or F1.
    threshold
        The threshold itself.
    costs
        CSV file of what it costs to predict a class (column) for an image of a class (row), or
        numbers with a semicolon behind each row: '0,1;5,0'.
    coverage
        The share of images that are answered; the others, the least certain, are "not sure".
    max_error
        The share of answers that may be wrong: as many images are answered as have it.
    by
        What certain means: the probability of the most probable class, or the energy of the logits.
    conformal
        The share of images whose prediction set has the true class, 0.9 for example.
    method
        How sets are made: lac, the smallest ones, or aps, larger where images are hard.
    reset
        Take all of it back: the most probable class is predicted. A temperature stays.
    split
        The split to choose on instead of the validation images.
    """
    keep_freed_memory()
    from convscope.decisions.calibrate import restore_card  # noqa: PLC0415 -- torch
    from convscope.decisions.decide import decide as decide_run  # noqa: PLC0415

    collect_again()
    screen = Screen(stderr=json)
    given = (sensitivity, specificity, maximize, threshold, costs, coverage, max_error, conformal)
    if reset:
        if any(one is not None for one in (data, split, positive, *given)):
            raise RequestError("`reset` takes back what was chosen; leave out everything else.")
        restore_card(run, temperature=False)
        screen.say(f"{run} predicts the most probable class again.")
        if json:
            print_json({"run": run})
        return
    found = decide_run(
        run,
        data,
        positive=positive,
        sensitivity=sensitivity,
        specificity=specificity,
        maximize=maximize,
        threshold=threshold,
        costs=costs,
        coverage=coverage,
        max_error=max_error,
        by=by,
        conformal=conformal,
        method=method,
        split=split,
        model=model,
        trust=trust,
        data_dir=data_dir,
        image_column=image_column,
        label_column=label_column,
        group_column=group_column,
        group_pattern=group_pattern,
        batch_size=batch_size,
        device=device,
        threads=threads,
    )
    if not is_first():
        return
    for note in found.notes:
        screen.say(in_flags(note))
    if json:
        print_json({**found.to_dict(), "run": run})
        return
    _print(found, run, screen)


def _print(found: "Decision", run: str, screen: Screen) -> None:
    for rule in found.rules:
        screen.say(rule)
    screen.say(f"Chosen on {found.num_chosen:,} images, {found.chosen_on}.")
    if found.measured_on:
        screen.say(f"Measured on {found.num_measured:,} other images, {found.measured_on}.")
    screen.say()
    has_before = any(each.before is not None for each in found.figures)
    rows = [["", "chosen on"]]
    rows[0] += ["others"] * bool(found.measured_on) + ["without the rule"] * has_before
    for each in found.figures:
        name = f"{each.name} of {each.label}" if each.label else each.name
        measured = [_text(each.measured)] * bool(found.measured_on)
        rows.append([name, str(each.chosen), *measured, *[_text(each.before)] * has_before])
    for line in as_text(rows).splitlines():
        screen.say(line)
    screen.say()
    screen.say(
        f"It is kept in the card of {run}; `convscope decide {shell_word(run)} --reset` takes it "
        "back. What was exported before knows nothing of it: export it again."
    )
    screen.say(f"Next:  convscope predict {shell_word(run)} IMAGE...")


def _text(figure: "Figure | None") -> str:
    return "" if figure is None else str(figure)
