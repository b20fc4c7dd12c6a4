"""`convscope calibrate`."""

from typing import TYPE_CHECKING, Literal

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
from convscope.evaluation.tables import Rows, as_text
from convscope.startup import collect_again
from convscope.words.screen import Screen

if TYPE_CHECKING:
    from convscope.decisions.calibrate import Calibration


def calibrate(
    run: str,
    data: str | None = None,
    /,
    *,
    split: Literal["train", "val", "test"] | None = None,
    reset: Flag = False,
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
    """Fit a temperature to a run, so that its probabilities mean what they say.

    Logits are divided by it, which changes how sure the network is and not what it answers. It is
    fitted on the validation images, measured on the test images, and kept in the run's card.

    Parameters
    ----------
    run
        A run folder.
    data
        Other data to fit on, as for train: their validation images, or all if there are none.
    split
        The split to fit on instead of the validation images.
    reset
        Take the temperature back, and all that `convscope decide` chose.
    """
    keep_freed_memory()
    from convscope.decisions.calibrate import (  # noqa: PLC0415 -- torch
        calibrate as calibrate_run,
    )
    from convscope.decisions.calibrate import restore_card  # noqa: PLC0415

    collect_again()
    screen = Screen(stderr=json)
    if reset:
        if data is not None or split is not None:
            raise RequestError("`reset` takes back what was chosen; leave out DATA and `split`.")
        restore_card(run)
        screen.say(f"The card of {run} is as after its training: temperature 1, no other rules.")
        if json:
            print_json({"run": run, "temperature": 1.0})
        return
    found = calibrate_run(
        run,
        data,
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


def _print(found: "Calibration", run: str, screen: Screen) -> None:
    screen.say(
        f"Temperature {found.temperature:.4g}, before {found.before:.4g}: fitted on "
        f"{found.num_fitted:,} images, {found.fitted_on}."
    )
    which = "other images" if found.is_held_out else "the same images"
    screen.say(f"Measured on {found.num_measured:,} {which}, {found.measured_on}:")
    screen.say()
    for line in as_text(_rows(found)).splitlines():
        screen.say(line)
    screen.say()
    interval = found.loss_change.interval
    if interval is None or interval[0] <= 0 <= interval[1]:
        screen.say("The loss does not differ by more than chance.")
    screen.say(
        f"It is kept in the card of {run}; `convscope calibrate {shell_word(run)} --reset` takes "
        "it back. The predicted classes stay the same. What was exported before knows nothing of "
        "it: export it again."
    )
    screen.say(f"Next:  convscope evaluate {shell_word(run)} --details")


def _rows(found: "Calibration") -> Rows:
    chances = [
        f"{of.error:.3f} (by chance up to {of.chance_error:.3f})" for of in found.calibration
    ]
    return [
        ["", "before", "after", "change"],
        ["loss", *map(str, found.loss), f"{found.loss_change}"],
        ["Brier score", *map(str, found.brier), f"{found.brier_change}"],
        ["calibration error", *chances, ""],
    ]
