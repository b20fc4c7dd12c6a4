"""What `convscope explain` prints of the boxes of a network that finds objects."""

from collections.abc import Sequence

from convscope.boxes.detections import SHOWN
from convscope.cli.json_output import print_json
from convscope.errors import RequestError, shell_word
from convscope.explanation.boxes.recorded_boxes import NO_BOX, RecordedBoxes, split_name
from convscope.explanation.recorded_image import RecordedImage
from convscope.explanation.rendering.text import to_text
from convscope.words.screen import Screen


def print_boxes(
    screen: Screen,
    recorded: RecordedImage,
    subject: Sequence[str],
    at: str | None,
    contrast: str | None,
    *,
    trace_back: bool,
    json: bool,
) -> bool:
    """Print a box, two of them compared, or the list of all where nothing is named. Without `at`,
    `contrast` is for the first box.

    False where none of these is asked for: another unit, or a network that finds no boxes. Raises
    RequestError for a box that is not there.
    """
    boxes = RecordedBoxes.of(recorded)
    if boxes is None or (at is None and trace_back):
        return False
    if at is None and contrast is not None:
        at = "box1"
    if at is None:
        _print_list(screen, boxes, json=json)
        if not json:
            _print_next(screen, subject, boxes, None)
        return True
    named = split_name(at)
    if named is None or named[1]:
        return False
    if trace_back:
        raise RequestError(
            f"--trace-back follows one number of a box: {named[0]}.left, {named[0]}.score."
        )
    if contrast is None:
        found = boxes.explain(named[0])
    else:
        other = split_name(contrast)
        if other is None or other[1]:
            raise RequestError(
                f"--contrast {contrast!r} is no box; {named[0]} is compared with one: box2, box1.1."
            )
        found = boxes.compare(named[0], other[0])
    if json:
        print_json(found.to_dict())
    else:
        screen.show(str(found))
        _print_next(screen, subject, boxes, named[0])
    return True


def _print_list(screen: Screen, boxes: RecordedBoxes, *, json: bool) -> None:
    if json:
        print_json(boxes.to_dict())
        return
    shown = boxes.above(SHOWN) or boxes.kept[:3]
    if not shown:
        screen.say(NO_BOX)
        return
    screen.show(to_text(boxes.blocks(shown)))
    rest = len(boxes) - len(shown)
    if rest:
        screen.say(f"{rest:,} more with lower scores: box{len(shown) + 1} ...")


def _print_next(
    screen: Screen, subject: Sequence[str], boxes: RecordedBoxes, name: str | None
) -> None:
    """Commands that explain the first box, or the numbers of a box and what it suppressed."""
    if not boxes.kept:
        return
    command = f"convscope explain {' '.join(map(shell_word, subject))}"
    screen.say()
    if name is None:
        screen.say(f"Next:  {command} --at {boxes.kept[0]}")
        return
    screen.say(f"Next:  {command} --at {name}.left --trace-back")
    other = f"{name}.1" if f"{name}.1" in boxes.numbers else None
    other = other or next((each for each in boxes.kept if each != name), None)
    if other:
        screen.say(f"       {command} --at {name} --contrast {other}")
    if len(subject) > 1:
        words = " ".join(map(shell_word, subject))
        screen.say(f"       convscope attribute {words} --target {name}.left -o edge.html")
